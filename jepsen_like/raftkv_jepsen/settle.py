"""Settles operations without an answer from the committed log, before any search.

What a client did not hear, the log knows. A write that occurs once in the history and whose outcome is open is looked up:

* it is in the log: it took place, and before the next entry of the log whose answer somebody heard had its end;
* it is not in the log: it never took place, and is left out.

A write that is not unique stays open, for the log does not say whose it is. Leases that the cluster ended by itself are added
as operations of the process `cluster`. Each settled write halves what the search has to consider.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from raftkv_jepsen.history import UNKNOWN, Operation
from raftkv_jepsen.replay import Replay
from raftkv_jepsen.store import LeaseGrant, Range, Request, parse_request

CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Settled:
    """The operations to search, and how many open ones were found in the log, were not, and stay open."""

    operations: list[Operation]
    found: int
    dropped: int
    left: int


def settle(operations: Sequence[Operation], replay: Replay) -> Settled:
    """Settles what the log can tell."""
    requests = [parse_request(operation.f, operation.argument) for operation in operations]
    asked = Counter(requests)
    logged: dict[Request, list[int]] = {}
    for place, entry in enumerate(replay.entries):
        if not entry.expired:
            logged.setdefault(entry.request, []).append(place)
    unique = {request for request, times in asked.items() if times == 1 and len(logged.get(request, ())) <= 1}
    ends = _ends(operations, requests, unique, logged, len(replay.entries))
    last = 1 + max((place for o in operations for place in (o.call, o.end or 0)), default=0)
    kept: list[Operation] = []
    found = dropped = left = 0
    for operation, request in zip(operations, requests, strict=True):
        if operation.end is not None or isinstance(request, Range):
            kept.append(operation)
        elif request not in unique:
            left += 1
            kept.append(operation)
        elif request in logged:
            found += 1
            end = ends[logged[request][0] + 1]
            late = end is None or end <= operation.call
            kept.append(replace(operation, outcome=UNKNOWN, end=last if late else end))
        else:
            dropped += 1
    kept.extend(_expiries(replay, last))
    kept.sort(key=lambda operation: operation.call)
    return Settled(kept, found, dropped, left)


def _ends(
    operations: Sequence[Operation],
    requests: Sequence[Request],
    unique: set[Request],
    logged: dict[Request, list[int]],
    size: int,
) -> list[int | None]:
    """For each place in the log, the earliest end of an operation known to be there or later."""
    ends: list[int | None] = [None] * (size + 1)
    for operation, request in zip(operations, requests, strict=True):
        if operation.end is not None and request in unique and request in logged:
            ends[logged[request][0]] = operation.end
    for place in range(size - 1, -1, -1):
        following, here = ends[place + 1], ends[place]
        if here is None or (following is not None and following < here):
            ends[place] = following
    return ends


def _expiries(replay: Replay, last: int) -> list[Operation]:
    """Leases that ran out. The revision that the replay saw says where they belong."""
    found = []
    for entry, answer in zip(replay.entries, replay.answers, strict=True):
        if entry.expired:
            fields: dict[str, Any] = {"id": getattr(entry.request, "id", 0)}
            outcome = tuple(sorted(answer.items()))
            found.append(Operation(CLUSTER, "lease_revoke", tuple(fields.items()), outcome, -1, last))
    return found


def with_expiries(operations: Sequence[Operation]) -> list[Operation]:
    """Without a log: every lease that may have been granted may run out at any time after, or never."""
    kept = list(operations)
    for operation in operations:
        request = parse_request(operation.f, operation.argument)
        if isinstance(request, LeaseGrant):
            kept.append(Operation(CLUSTER, "lease_revoke", (("id", request.id),), None, operation.call, None))
    kept.sort(key=lambda operation: operation.call)
    return kept
