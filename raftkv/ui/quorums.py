"""Quorums of torchft's lighthouse: which jobs have one, which groups are in it, what they said of themselves when it formed.

Ids and groups are replicated state. Addresses and steps come from the key beside it, a view that clients can write or delete: what it
does not tell, or tells of another quorum, is left out.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from raftkv.errors import InvalidArgumentError
from raftkv.lighthouse import Formed, QuorumOptions, options_key, parse_options, quorum_key
from raftkv.lighthouse.layout import job_range
from raftkv.mvcc.steps import SLICE_ROWS, Steps, finish
from raftkv.pb.rpc import RangeRequest
from raftkv.rpc.method import Call
from raftkv.server.replica import Replica
from raftkv.ui.question import Gate, Json, Parameters

MAX_VIEW_BYTES: Final = 2**20
"""Of more, only the groups' names are shown: thousands of groups are not worth a pause."""
_FIELDS: Final[Mapping[str, type]] = {"address": str, "store_address": str, "step": int, "world_size": int}


class QuorumsView:
    """Answers about quorums."""

    def __init__(self, replica: Replica, gate: Gate) -> None:
        self._replica = replica
        self._gate = gate
        self._jobs = replica.machine.lighthouses.jobs

    async def page(self, call: Call, parameters: Parameters) -> Json:
        """`limit` jobs from `offset` on, those whose groups changed last first; `find`: with this in their name."""
        limit, offset, find = parameters.limit(50), parameters.number("offset", 0, most=2**31), parameters.text("find")
        answer: Json = await self._replica.read_local(lambda: self._select(call, find, offset, limit))
        return answer

    async def one(self, call: Call, parameters: Parameters) -> Json:
        """The last quorum of the job of this `name`, with `limit` of its groups from `offset` on."""
        name = parameters.text("name")
        self._gate.check_range(call, *job_range(name))
        limit, offset = parameters.limit(50), parameters.number("offset", 0, most=2**31)
        answer: Json = await self._replica.read_local(lambda: self._describe(name, offset, limit))
        return answer

    def id_of(self, call: Call, name: str) -> int | None:
        """The last quorum's of a job; None: there is none that the caller may see."""
        formed = self._jobs.get(name)
        return formed.quorum_id if formed is not None and self._gate.may_read(call, *job_range(name)) else None

    def _select(self, call: Call, find: str, offset: int, limit: int) -> Steps[Json]:
        known: list[tuple[str, Formed]] = []
        for number, (name, formed) in enumerate(reversed(list(self._jobs.items())), start=1):
            if find in name and self._gate.may_read(call, *job_range(name)):
                known.append((name, formed))
            if number % SLICE_ROWS == 0:
                yield
        return {"found": len(known), "quorums": [_summary(*job) for job in known[offset : offset + limit]]}

    def _describe(self, name: str, offset: int, limit: int) -> Json:
        formed = self._jobs.get(name)
        if formed is None:
            return {"quorum": None}
        told = _told(self._value(quorum_key(name)), formed)
        rows = [_group(told, group) for group in formed.groups[offset : offset + limit]]
        settings = asdict(_options(self._value(options_key(name))))
        about = {"created": _moment(told.get("created")), "offset": offset, "members": rows, "settings": settings}
        return {"quorum": {**_summary(name, formed), **about}}

    def _value(self, key: str) -> bytes:
        response = finish(self._replica.store.range(RangeRequest(key=key.encode())))
        return response.kvs[0].value if response.kvs else b""


def _summary(name: str, formed: Formed) -> Json:
    """A quorum in a row."""
    shown = {"name": name, "quorum_id": formed.quorum_id, "revision": formed.revision}
    return {**shown, "groups": len(formed.groups), "first": formed.groups[:3]}


def _told(view: bytes, formed: Formed) -> Json:
    """What the key tells of this very quorum."""
    try:
        found: Any = json.loads(view) if len(view) <= MAX_VIEW_BYTES else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("quorum_id") != formed.quorum_id:
        return {}
    participants = found.get("participants")
    groups = [group for group in participants if isinstance(group, dict)] if isinstance(participants, list) else []
    return {"created": found.get("created"), "groups": {str(group.get("replica_id")): group for group in groups}}


def _group(told: Json, group: str) -> Json:
    said = told.get("groups", {}).get(group, {})
    fields = {name: said[name] if type(said.get(name)) is kind else None for name, kind in _FIELDS.items()}
    return {"group": group, **fields}


def _moment(created: object) -> float | None:
    try:
        return datetime.fromisoformat(created).timestamp() if isinstance(created, str) else None
    except (ValueError, OverflowError):
        return None


def _options(text: bytes) -> QuorumOptions:
    """Those that are in force, as long as what is written there can be read."""
    try:
        return parse_options(text) if text else QuorumOptions()
    except InvalidArgumentError:
        return QuorumOptions()
