"""What makes a change wrong whatever the state: asked where it comes in, and again where it is applied."""

from typing import Any

from raftkv.errors import InvalidArgumentError
from raftkv.pb.rendezvous import JobSettings, JoinRequest
from raftkv.rendezvous.layout import check_name

MAX_NODES = 100_000
MAX_TEXT_BYTES = 4096
MAX_SEGMENTS = 8
MAX_CHECKPOINTS = 1000
MAX_WORKERS_OF_NODE = 64
MAX_STEP = 1 << 62
"""Whatever is a number of milliseconds, or of a step, is below it."""


_NODE_IS_OPTIONAL = {"PreemptRequest", "LookRequest"}


def check_change(request: Any) -> None:
    """Refuses a request that cannot be right.

    Raises:
        InvalidArgumentError: it cannot.
    """
    check_name(request.job, "a job")
    fields = request.DESCRIPTOR.fields_by_name
    if "node" in fields and (request.node or request.DESCRIPTOR.name not in _NODE_IS_OPTIONAL):
        check_name(request.node, "a node")
    if "name" in fields:
        check_name(request.name, "a barrier")
    for name in ("reason", "address", "data", "incarnation", "location"):
        if name in fields and len(getattr(request, name).encode()) > MAX_TEXT_BYTES:
            raise InvalidArgumentError(f"raftkv: {name} is longer than {MAX_TEXT_BYTES} bytes")
    for name in ("step", "cool_down_ms", "timeout_ms"):
        if name in fields and getattr(request, name) > MAX_STEP:
            raise InvalidArgumentError(f"raftkv: {name} is too large")
    if isinstance(request, JoinRequest):
        _check_join(request)
    if "workers" in fields and (request.worker >= max(1, request.workers) or request.workers > MAX_WORKERS_OF_NODE):
        raise InvalidArgumentError(f"raftkv: a node has at most {MAX_WORKERS_OF_NODE} workers, numbered from 0 on")


def _check_join(request: JoinRequest) -> None:
    if not request.lease:
        raise InvalidArgumentError("raftkv: a node needs a lease to join")
    if len(request.segments) > MAX_SEGMENTS or any(len(name.encode()) > MAX_TEXT_BYTES for name in request.segments):
        raise InvalidArgumentError(f"raftkv: more than {MAX_SEGMENTS} segments, or one that is too long")
    _check_settings(request.settings)


def _check_settings(settings: JobSettings) -> None:
    if not 1 <= settings.min_nodes <= settings.max_nodes <= MAX_NODES:
        raise InvalidArgumentError(f"raftkv: a job needs 1 <= min_nodes <= max_nodes <= {MAX_NODES}")
    if max(settings.last_call_ms, settings.gather_timeout_ms, settings.cool_down_ms, settings.hang_timeout_ms) > MAX_STEP:
        raise InvalidArgumentError("raftkv: a time is too long")
    if settings.keep_checkpoints > MAX_CHECKPOINTS:
        raise InvalidArgumentError(f"raftkv: at most {MAX_CHECKPOINTS} checkpoints are kept")
    if settings.rank_order not in {0, 1, 2}:
        raise InvalidArgumentError(f"raftkv: there is no rank order {settings.rank_order}")
