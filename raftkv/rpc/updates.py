"""raftkv.v1.Updates: many changes that depend on what keys hold, in one entry of the log."""

from typing import Any

from raftkv.apply.command import UPDATE, body
from raftkv.errors import EmptyKeyError, InvalidArgumentError, RequestTooLargeError, TooManyOperationsError
from raftkv.pb.update import Change, UpdateRequest, UpdateResponse
from raftkv.reply import Reply
from raftkv.rpc.kv import Limits
from raftkv.rpc.metadata import request_id
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.quota import KEY_OVERHEAD_BYTES, Quota
from raftkv.server.replica import Replica

PATH = "/raftkv.v1.Updates/Update"
MAX_CHANGES = 1024
"""In one request: about ten milliseconds of work, during which a node does nothing else."""
_FREEING = {Change.DELETE, Change.POP}


class UpdatesService:
    """The service."""

    def __init__(self, replica: Replica, quota: Quota, limits: Limits) -> None:
        self._replica = replica
        self._quota = quota
        self._limits = limits

    def methods(self) -> list[Method]:
        """What it offers."""
        return [Method(PATH, Kind.UNARY, UpdateRequest, UpdateResponse, self.update)]

    def update(self, request: UpdateRequest, call: Call) -> Reply[Any]:
        """Makes the changes."""
        check_update(request)
        if len(call.body) > self._limits.max_request_bytes:
            raise RequestTooLargeError
        growing = sum(change.kind not in _FREEING for change in request.changes)
        if growing:
            self._quota.check(len(call.body) + growing * (KEY_OVERHEAD_BYTES + len(request.prefix)))
        return self._replica.propose(body(UPDATE, call.body), request_id(call.metadata), call.author)


def check_update(request: UpdateRequest) -> None:
    """What is wrong with a request whoever sends it.

    Raises:
        EmptyKeyError: a change without a key.
        TooManyOperationsError: more changes than are taken at once.
        InvalidArgumentError: a kind of change that there is not.
    """
    if len(request.changes) > MAX_CHANGES:
        raise TooManyOperationsError
    for change in request.changes:
        if not change.key and not request.prefix:
            raise EmptyKeyError
        if change.kind not in Change.Kind.values():
            raise InvalidArgumentError(f"there is no kind {change.kind} of change")
