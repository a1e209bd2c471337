"""Leases: never too early, not too late, and never alive again.

All times are of the recorder's one clock. The server began to count not before the client's call and not after the answer, so:

* **early**: a lease was seen to be gone before the last successful grant or keepalive was *called*, plus the time it promised;
* **late**: a lease was seen alive after the last grant or keepalive was *answered*, plus the time it promised, plus `grace_s`.
  An election gives every lease its full time again: `receive` events with f `election` say when somebody had heard of one, and
  without them the grace has to be as long as that;
* **alive again**: a keepalive that was called after the lease was seen gone had success;
* **twice**: an id was granted while the lease with that id was alive for sure.

A lease is seen gone by `receive` events with f `lease` and value {"id"}, by `lease_time_to_live` that answers ttl -1, and by
`lease_keepalive` that answers ttl 0. It is seen alive by a positive ttl. Grants and keepalives without an answer may have
prolonged it at any later time, so after one of them nothing is too late.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import Event, Operation
from raftkv_jepsen.verdict import Finding, Verdict, judged

GRANT, KEEPALIVE, REVOKE, LOOK = "lease_grant", "lease_keepalive", "lease_revoke", "lease_time_to_live"
DEFAULT_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class Promise:
    """A grant or keepalive that had success: when it was called and answered, and for how long it promised."""

    called: float
    answered: float
    ttl: float
    operation: Operation


@dataclass(frozen=True, slots=True)
class Sight:
    """Somebody looked: between two moments the lease was alive, or gone."""

    called: float
    answered: float
    alive: bool
    operation: Operation | None


@dataclass(slots=True)
class Lease:
    """What is known of one id."""

    id: int
    promises: list[Promise] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    revokes: list[float] = field(default_factory=list)
    """When a revocation was called: from then on the lease may be gone."""
    unsure_from: float | None = None
    """When a grant or keepalive was called that had no answer."""


def check_leases(operations: Sequence[Operation], events: Iterable[Event], grace_s: float = DEFAULT_GRACE_S) -> Verdict:
    """Checks every lease in a history.

    Raises:
        HistoryError: an operation on a lease lacks its id or its times.
    """
    events = list(events)
    leases = _gather(operations, events)
    elections = [event.time for event in events if event.type == "receive" and event.f == "election" and event.time is not None]
    findings = [finding for lease in leases.values() for finding in _check(lease, elections, grace_s)]
    counts = {
        "leases": len(leases),
        "promises": sum(len(lease.promises) for lease in leases.values()),
        "seen gone": sum(not sight.alive for lease in leases.values() for sight in lease.sights),
        "seen alive": sum(sight.alive for lease in leases.values() for sight in lease.sights),
    }
    return judged(findings, counts)


def _gather(operations: Sequence[Operation], events: Iterable[Event]) -> dict[int, Lease]:
    leases: dict[int, Lease] = {}
    for operation in operations:
        if operation.f in {GRANT, KEEPALIVE, REVOKE, LOOK}:
            identity = _fields(operation.argument).get("id") or _fields(operation.outcome).get("id")
            if identity is None:
                if operation.end is None:
                    continue  # a grant whose id nobody knows
                raise HistoryError(f"{operation}: a lease needs an id")
            _note(leases.setdefault(identity, Lease(identity)), operation)
    for event in events:
        if event.type == "receive" and event.f == "lease" and event.time is not None:
            identity = _fields(event.value)["id"]
            known = leases.setdefault(identity, Lease(identity))
            known.sights.append(Sight(event.time, event.time, alive=False, operation=None))
    return leases


def _fields(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, tuple) else {}


def _note(lease: Lease, operation: Operation) -> None:
    called = operation.call_time
    if called is None:
        raise HistoryError(f"{operation}: leases need a time on every event")
    if operation.f == REVOKE:
        lease.revokes.append(called)
        return
    if operation.end is None:
        if operation.f != LOOK:
            lease.unsure_from = called if lease.unsure_from is None else min(lease.unsure_from, called)
        return
    answered = operation.end_time
    if answered is None:
        raise HistoryError(f"{operation}: leases need a time on every event")
    answer = _fields(operation.outcome)
    if "error" in answer:
        return
    ttl = float(answer.get("ttl", _fields(operation.argument).get("ttl", 0)))
    if operation.f == LOOK or ttl <= 0:
        alive = ttl > 0 or (operation.f == LOOK and ttl == 0)  # what is left is told in whole seconds; -1 is gone
        lease.sights.append(Sight(called, answered, alive, operation))
    else:
        lease.promises.append(Promise(called, answered, ttl, operation))


def _check(lease: Lease, elections: Sequence[float], grace_s: float) -> list[Finding]:
    lease.promises.sort(key=lambda promise: promise.called)
    return [*_early(lease), *_late(lease, elections, grace_s), *_again(lease), *_twice(lease)]


def _operations(*found: Operation | None) -> tuple[Operation, ...]:
    return tuple(operation for operation in found if operation is not None)


def _early(lease: Lease) -> list[Finding]:
    findings = []
    for sight in lease.sights:
        if sight.alive or any(called <= sight.answered for called in lease.revokes):
            continue
        # A promise called before somebody saw the lease gone, and answered with success, was made while it lived.
        kept_until = [(p.called + p.ttl, p) for p in lease.promises if p.called < sight.called]
        if kept_until:
            until, promise = max(kept_until, key=lambda item: item[0])
            if sight.answered < until:
                text = f"lease {lease.id} was gone at {sight.answered:.3f} s, promised until {until:.3f} s"
                findings.append(Finding("early", text, _operations(promise.operation, sight.operation)))
    return findings


def _late(lease: Lease, elections: Sequence[float], grace_s: float) -> list[Finding]:
    findings = []
    longest = max((promise.ttl for promise in lease.promises), default=0.0)
    for sight in lease.sights:
        if not sight.alive or (lease.unsure_from is not None and lease.unsure_from <= sight.answered):
            continue
        ends = [(promise.answered + promise.ttl, promise) for promise in lease.promises if promise.called <= sight.answered]
        if ends:
            end, promise = max(ends, key=lambda item: item[0])
            elected = max((time for time in elections if time <= sight.answered), default=0.0)
            end = max(end, elected + longest)
            if sight.called > end + grace_s:
                text = f"lease {lease.id} was alive at {sight.called:.3f} s, promised until {end:.3f} s"
                findings.append(Finding("late", text, _operations(promise.operation, sight.operation)))
    return findings


def _again(lease: Lease) -> list[Finding]:
    gone = min((sight.answered for sight in lease.sights if not sight.alive), default=None)
    if gone is None:
        return []
    renewed = [p for p in lease.promises if p.called > gone and p.operation.f == KEEPALIVE]
    granted = [p.called for p in lease.promises if p.called > gone and p.operation.f == GRANT]
    return [
        Finding(
            "alive again",
            f"lease {lease.id} was gone at {gone:.3f} s and kept alive at {promise.called:.3f} s",
            (promise.operation,),
        )
        for promise in renewed
        if not any(called <= promise.called for called in granted)
    ]


def _twice(lease: Lease) -> list[Finding]:
    grants = [promise for promise in lease.promises if promise.operation.f == GRANT]
    findings = []
    for number, later in enumerate(grants):
        for earlier in grants[:number]:
            held = earlier.answered < later.called and later.answered < earlier.called + earlier.ttl
            if held and not any(called <= later.answered for called in lease.revokes):
                text = f"lease {lease.id} was granted at {later.called:.3f} s, while it was held"
                findings.append(Finding("twice", text, (earlier.operation, later.operation)))
    return findings
