"""The checkers of training loops, lighthouses and quotas on histories that break one promise each."""

from typing import Any

import pytest

from raftkv_jepsen.checkers.lighthouse import check_lighthouse
from raftkv_jepsen.checkers.quotas import Committed, Limits, QuotaChange, QuotaReplay, check_quotas
from raftkv_jepsen.checkers.training import check_training
from raftkv_jepsen.history import Event, Operation, freeze
from raftkv_jepsen.store import Delete, Put, Row
from raftkv_jepsen.verdict import Verdict


def names(verdict: Verdict) -> list[str]:
    return [finding.name for finding in verdict.findings]


def did(node: str, what: str, step: int) -> Event:
    value = {"node": node, "worker": 0, "round": 1, "what": what, "step": step}
    return Event("receive", node, "training", freeze(value), key="job")


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([did("a", "stop", 5), did("b", "stop", 5), did("b", "answer", 5)], []),
        ([did("a", "stop", 5), did("b", "stop", 6)], ["two stops"]),
        ([did("a", "stop", 5), did("b", "step", 6)], ["worked past the stop"]),
        ([did("a", "stop", 5), did("b", "answer", 6)], ["worked past the stop"]),
        ([did("a", "stop", 5), did("b", "agreed", 4)], ["another stop"]),
    ],
)
def test_all_stop_after_the_same_step(events: list[Event], found: list[str]) -> None:
    assert names(check_training([], events)) == found


def test_a_barrier_that_is_passed_alone_is_found() -> None:
    def arrival(node: str, call: int, end: int) -> Operation:
        asked = freeze({"node": node, "round": 1, "name": "b", "world_size": 2})
        return Operation(node, "barrier", asked, True, call, end, key="job")

    assert names(check_training([arrival("a", 0, 2), arrival("b", 1, 3)], [])) == []
    assert names(check_training([arrival("a", 0, 1), arrival("b", 2, 3)], [])) == ["passed alone"]


def quorum(group: str, call: int, number: int, members: dict[str, int], *, step: int = 3, failures: int = 0) -> Operation:
    asked = freeze({"group": group, "step": step, "failures": failures})
    told = freeze({"id": number, "members": [list(member) for member in sorted(members.items())]})
    return Operation(group, "quorum", asked, told, call, call + 1, key="ft")


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ([quorum("a", 0, 1, {"a": 3, "b": 3}), quorum("b", 0, 1, {"a": 3, "b": 3})], []),
        ([quorum("a", 0, 1, {"a": 3, "b": 3}), quorum("b", 0, 1, {"b": 3, "c": 3})], ["one id twice"]),
        ([quorum("a", 0, 1, {"b": 3, "c": 3})], ["not in its quorum"]),
        ([quorum("a", 0, 2, {"a": 3, "b": 3}), quorum("b", 2, 1, {"b": 3, "c": 3})], ["an id fell"]),
        ([quorum("a", 0, 1, {"a": 2, "b": 3})], ["another step"]),
        (
            [quorum("a", 0, 1, {"a": 3, "b": 3}), quorum("a", 2, 1, {"a": 3, "b": 3}, failures=1)],
            ["the same id after a failure"],
        ),
        ([quorum("a", 0, 1, {"a": 3})], ["too small"]),
    ],
)
def test_what_is_wrong_with_a_quorum_is_named(told: list[Operation], found: list[str]) -> None:
    assert names(check_lighthouse(told, min_replicas=2)) == found


def replayed(*requests: Any) -> QuotaReplay:
    return QuotaReplay([Committed(request, float(time)) for time, request in enumerate(requests)])


def asked(f: str, fields: dict[str, Any], told: dict[str, Any], at: float = 0.0) -> Operation:
    return Operation("t", f, freeze(fields), freeze(told), 0, 1, call_time=at, end_time=at)


def test_a_request_is_refused_where_a_prefix_would_have_more_than_allowed_and_changes_nothing() -> None:
    replay = replayed(QuotaChange("q/", Limits(keys=1)), Put("q/1", "a"), Put("q/2", "b"), Delete("q/1"), Put("q/2", "c"))
    assert [answer.get("error") for answer in replay.answers] == [None, None, "quota exceeded", None, None]
    assert [usage.get("q/") for usage in replay.usage] == [None, (0, 0), (4, 1), (4, 1), (0, 0), (4, 1)]


def test_answers_and_reports_that_differ_from_the_log_are_found() -> None:
    replay = replayed(QuotaChange("q/", Limits(bytes=4)), Put("q/1", "a"), Put("q/2", "b"))
    right = [
        asked("put", {"key": "q/2", "value": "b"}, {"error": "quota exceeded"}),
        asked("quota_get", {"prefix": "q/"}, {"prefix": "q/", "bytes": 4, "keys": 1}, at=2.0),
    ]
    assert names(check_quotas(right, replay, {"n1": [Row("q/1", "a", 2, 2, 1, 0)]})) == []
    wrong = [
        asked("put", {"key": "q/2", "value": "b"}, {"revision": 3}),
        asked("put", {"key": "q/3", "value": "x"}, {"revision": 3}),
        asked("quota_get", {"prefix": "q/"}, {"prefix": "q/", "bytes": 8, "keys": 2}, at=2.0),
    ]
    assert names(check_quotas(wrong, replay, {"n1": []})) == ["wrong answer", "lost write", "wrong usage", "held"]
