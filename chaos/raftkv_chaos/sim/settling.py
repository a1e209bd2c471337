"""The history of the whole store, put beside the log before any search: where an operation took place, the log knows.

A request that occurs once in the history and once in the log took place when that entry was committed:

* it was answered before: then the answer promised what was not yet so;
* it was answered with success, and is not in the log: then it is lost;
* it was never answered: in the log it took place all the same, and with this answer; else it never did.

What is in the log and in nobody's history, the cluster did by itself. All this leaves only requests that occur several times
and reads to be searched for an order.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from raftkv_chaos.sim.translation import Step
from raftkv_chaos.sim.violation import Violation
from raftkv_jepsen.history import Event, Operation, freeze
from raftkv_jepsen.replay import Replay
from raftkv_jepsen.settle import CLUSTER
from raftkv_jepsen.store import Request, parse_request, writes

ROOM = 1 << 20
"""Places between two events of the history: for what was committed there."""


@dataclass(slots=True)
class Settled:
    """Operations to search, and what is wrong already."""

    operations: list[Operation] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)


class Commits:
    """The requests of the log, each with its place among the events of the history."""

    def __init__(self, steps: Sequence[Step], times: Sequence[float], replay: Replay, events: Sequence[Event]) -> None:
        moments = [event.time or 0.0 for event in events]
        self.steps = steps
        self.replay = replay
        self.places = [
            bisect_left(moments, time) * ROOM - ROOM // 2 + number % (ROOM // 2) for number, time in enumerate(times)
        ]
        self.by_request: dict[Request, list[int]] = {}
        self.expired: list[int] = []
        """What looks like a client's request and is none."""
        for number, entry in enumerate(replay.entries):
            (self.expired if entry.expired else self.by_request.setdefault(entry.request, [])).append(number)

    def operation(self, number: int) -> Operation:
        """What the cluster did by itself."""
        f, fields = self.steps[number]
        name = "lease_revoke" if f == "lease_expire" else f
        return self.at(Operation(CLUSTER, name, freeze(fields), freeze(self.replay.answers[number]), 0, 0), number)

    def at(self, operation: Operation, number: int) -> Operation:
        """The operation, taking place where its entry was committed."""
        return replace(operation, call=2 * self.places[number], end=2 * self.places[number] + 1)


def settle(asked: Sequence[Operation], commits: Commits) -> Settled:
    """Looks up every request."""
    settled = Settled()
    requests = [parse_request(operation.f, operation.argument) for operation in asked]
    counts = Counter(requests)
    for operation, request in zip(asked, requests, strict=True):
        logged = commits.by_request.get(request, [])
        unique = counts[request] == 1 and len(logged) <= 1 and writes(request)
        wide = replace(
            operation, call=2 * ROOM * operation.call, end=None if operation.end is None else 2 * ROOM * operation.end
        )
        settled.operations.extend(_settled(wide, logged, commits, settled.violations) if unique else [wide])
    foreign = [numbers for request, numbers in commits.by_request.items() if request not in counts]
    settled.operations.extend(commits.operation(number) for numbers in (*foreign, commits.expired) for number in numbers)
    settled.operations.sort(key=lambda operation: operation.call)
    return settled


def _settled(operation: Operation, logged: list[int], commits: Commits, violations: list[Violation]) -> Iterator[Operation]:
    if not logged:
        if operation.end is None:
            return
        if "error" not in dict(operation.outcome):
            violations.append(Violation("lost write", f"{operation} was acknowledged, and is not in the log"))
        yield operation
        return
    found = commits.at(operation, logged[0])
    if operation.end is None:
        yield replace(found, outcome=freeze(commits.replay.answers[logged[0]]))
        return
    if operation.end < found.call:
        violations.append(Violation("early answer", f"{operation} was acknowledged before it was committed"))
    yield found if operation.call < found.call else operation
