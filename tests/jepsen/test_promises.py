"""Leases, locks, elections and rendezvous: a right history, and the lies that each checker is there for."""

from typing import Any

import pytest

from raftkv_jepsen.checkers import check_leases, check_locks, check_rendezvous
from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import Event, Operation, freeze
from raftkv_jepsen.replay import Entry, Replay
from raftkv_jepsen.store import parse_request


def op(  # noqa: PLR0917  (a table)
    f: str, span: tuple[int, int | None], argument: Any, outcome: Any = None, process: int = 0, key: Any = None
) -> Operation:
    call, end = span
    return Operation(
        process, f, freeze(argument), freeze(outcome), call, end, key, float(call), None if end is None else float(end)
    )


GRANTED = op("lease_grant", (0, 1), {"ttl": 10}, {"id": 7, "ttl": 10})
KEPT = op("lease_keepalive", (5, 6), {"id": 7}, {"ttl": 10})


def gone(at: float) -> Event:
    return Event("receive", "w", "lease", freeze({"id": 7}), time=at)


def look(at: int, ttl: int) -> Operation:
    return op("lease_time_to_live", (at, at + 1), {"id": 7}, {"ttl": ttl})


def renewed(span: tuple[int, int | None]) -> Operation:
    return op("lease_keepalive", span, {"id": 7}, None if span[1] is None else {"ttl": 10})


@pytest.mark.parametrize(
    ("operations", "events", "expected"),
    [
        ([GRANTED, KEPT], [gone(15.5)], set()),
        ([GRANTED, KEPT], [gone(14.5)], {"early"}),
        ([GRANTED], [gone(9.5)], {"early"}),
        ([GRANTED, KEPT, op("lease_revoke", (8, 9), {"id": 7}, {})], [gone(9.5)], set()),
        ([GRANTED, KEPT, look(13, -1)], [], {"early"}),
        ([GRANTED, KEPT, look(15, -1)], [], set()),
        ([GRANTED, KEPT, look(17, 1)], [], set()),
        ([GRANTED, KEPT, look(27, 1)], [], {"late"}),
        ([GRANTED, KEPT, look(27, 1)], [Event("receive", "x", "election", (("term", 3),), time=9.0)], set()),
        ([GRANTED, KEPT, renewed((7, None)), look(27, 1)], [], set()),
        ([GRANTED, renewed((20, 21))], [gone(16)], {"alive again"}),
        ([GRANTED, op("lease_grant", (3, 4), {"id": 7, "ttl": 10}, {"id": 7, "ttl": 10})], [], {"twice"}),
        ([GRANTED, op("lease_grant", (3, 4), {"id": 7, "ttl": 10}, {"error": "lease exists"})], [], set()),
    ],
)
def test_leases(operations: list[Operation], events: list[Event], expected: set[str]) -> None:
    verdict = check_leases(operations, events, grace_s=10.0)
    assert {finding.name for finding in verdict.findings} == expected


def test_lease_without_times_is_bad_input() -> None:
    with pytest.raises(HistoryError, match="time"):
        check_leases([Operation(0, "lease_revoke", (("id", 7),), None, 0, 1)], [])


def log(*requests: tuple[str, dict[str, Any]]) -> Replay:
    return Replay([Entry(parse_request(f, value)) for f, value in requests])


# revision                              2                   3                   4: a goes             5: a again          6: b goes
LOCKS = log(
    ("put", {"key": "l/a"}),
    ("put", {"key": "l/b"}),
    ("delete", {"key": "l/a"}),
    ("put", {"key": "l/a"}),
    ("delete", {"key": "l/b"}),
)


def lock(span: tuple[int, int], key: str, create: int, revision: int, process: int) -> Operation:
    return op("lock", span, {"name": "l"}, {"key": key, "create": create, "revision": revision}, process)


def unlock(span: tuple[int, int], key: str, create: int, revision: int, process: int) -> Operation:
    return op("unlock", span, {"key": key, "create": create}, {"revision": revision}, process)


def write(span: tuple[int, int], token: int, *, accepted: bool) -> Operation:
    return op("protected_write", span, {"resource": "r", "token": token}, accepted)


def proclaim(revision: int) -> Operation:
    return op("proclaim", (50, 51), {"key": "l/a", "create": 2, "value": "x"}, {"revision": revision})


RIGHT = [
    lock((0, 1), "l/a", 2, 2, 1),
    unlock((2, 3), "l/a", 2, 4, 1),
    lock((1, 4), "l/b", 3, 4, 2),
    unlock((6, 7), "l/b", 3, 6, 2),
]


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        (RIGHT, set()),
        ([RIGHT[0], lock((1, 2), "l/b", 3, 3, 2)], {"granted out of turn", "two owners"}),
        ([lock((0, 1), "l/a", 2, 4, 1)], {"granted to nobody"}),
        ([lock((0, 1), "l/a", 2, 2, 1), lock((0, 2), "l/a", 2, 3, 2)], {"two owners"}),
        ([unlock((8, 9), "l/b", 99, 6, 2)], {"removed another's"}),
        ([write((0, 1), 2, accepted=True), write((2, 3), 5, accepted=True), write((4, 5), 2, accepted=False)], set()),
        ([write((0, 1), 5, accepted=True), write((2, 3), 2, accepted=True)], {"old token accepted"}),
        ([write((0, 3), 5, accepted=True), write((1, 2), 2, accepted=True)], set()),
        ([proclaim(3)], set()),
        ([proclaim(4)], {"proclaimed after loss"}),
    ],
)
def test_locks_and_elections(operations: list[Operation], expected: set[str]) -> None:
    assert {finding.name for finding in check_locks(operations, [], LOCKS).findings} == expected


def seen(key: str, create: int, mod: int) -> Event:
    return Event("receive", "o", "observe", freeze({"name": "l", "key": key, "create": create, "mod": mod}))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([seen("l/a", 2, 2), seen("l/b", 3, 3), seen("l/a", 5, 5)], set()),
        ([seen("l/b", 3, 3), seen("l/a", 2, 2)], {"observed out of order"}),
        ([seen("l/c", 2, 2)], {"observed nobody"}),
    ],
)
def test_observers_see_leaders_in_order(events: list[Event], expected: set[str]) -> None:
    assert {finding.name for finding in check_locks([], events, LOCKS).findings} == expected


def test_observed_candidate_that_never_led() -> None:
    never = log(("put", {"key": "l/a"}), ("put", {"key": "l/b"}), ("delete", {"key": "l/b"}))
    verdict = check_locks([], [seen("l/b", 3, 3)], never)
    assert [finding.name for finding in verdict.findings] == ["observed a follower"]


def test_belief_of_two_at_once_is_a_rate_and_no_finding() -> None:
    late = [RIGHT[0], lock((1, 4), "l/b", 3, 4, 2), unlock((9, 10), "l/a", 2, 6, 1)]
    verdict = check_locks(late, [], LOCKS)
    assert verdict.findings == []
    assert verdict.rates == {"believed by two at once": 0.5}


def join(span: tuple[int, int], node: str, number: int, rank: int, size: int = 2) -> Operation:
    return op("join", span, {"node": node}, {"round": number, "rank": rank, "world_size": size}, key="job")


def act(span: tuple[int, int], node: str, number: int, *, accepted: bool = True) -> Operation:
    return op("act", span, {"node": node, "round": number}, accepted, key="job")


ROUND = [join((0, 2), "a", 1, 0), join((1, 3), "b", 1, 1)]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([act((4, 5), "a", 1), join((6, 8), "a", 2, 0, 1), act((7, 9), "b", 1), act((10, 11), "b", 1, accepted=False)], set()),
        ([join((4, 5), "c", 1, 1)], {"rank twice"}),
        ([join((4, 5), "c", 1, 2, 3)], {"two worlds"}),
        ([join((4, 5), "a", 1, 1)], {"rank twice", "two ranks"}),
        ([join((4, 5), "c", 2, 2)], {"rank out of range"}),
        ([join((4, 5), "a", 2, 0, 1), join((6, 7), "c", 1, 0)], {"rank twice", "round went back"}),
        ([join((4, 5), "a", 2, 0, 1), act((6, 7), "b", 1)], {"acted too late"}),
    ],
)
def test_rendezvous(more: list[Operation], expected: set[str]) -> None:
    verdict = check_rendezvous([*ROUND, *more])
    assert {finding.name for finding in verdict.findings} == expected
