from typing import Any

import pytest

from raftkv.ui.findings import findings
from raftkv.ui.rates import Recent, quantile

WELL = {"writes_per_s": 5.0, "reads_per_s": 1.0, "sync_p50_ms": 1.0, "sync_p99_ms": 4.0, "lag_p99_ms": 3.0}


def member(name: str, **more: Any) -> dict[str, Any]:
    now = {**WELL, **more.pop("now", {})}
    said = {"committed": 100, "applied": 100, "in_use": 10, "quota": 100, "clocks": {"b": 0.001}}
    known = {"id": name, "name": name, "learner": False, "started": True, "answers": True, "error": "", "now": now}
    return {**known, **said, **more}


def picture(*members: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"leader": "a", "alarms": [], "members": list(members), **more}


def said(*members: dict[str, Any], **more: Any) -> list[tuple[str, str, str]]:
    return [(found["severity"], found["subject"], found["text"]) for found in findings(picture(*members, **more))]


def test_a_cluster_that_is_well_has_no_findings() -> None:
    assert said(member("a"), member("b"), member("c")) == []
    assert said(member("a")) == []


def test_a_dead_voter_is_told_with_what_is_left() -> None:
    dead = member("c", answers=False, error="cannot be reached")
    assert said(member("a"), member("b"), dead) == [
        ("bad", "c", "cannot be reached"),
        ("warn", "cluster", "no margin: 2 of 3 voters answer, and 2 are needed"),
    ]


def test_a_lost_quorum_is_told_first() -> None:
    dead = [member(name, answers=False) for name in "bc"]
    found = said(member("a"), *dead, leader="")
    assert found[:2] == [
        ("bad", "cluster", "1 of 3 voters answer; 2 are needed to write"),
        ("bad", "cluster", "no leader is known: nothing can be written"),
    ]


def test_a_learner_counts_for_no_quorum() -> None:
    learner = member("d", learner=True, answers=False, error="does not answer")
    assert said(member("a"), member("b"), member("c"), learner) == [("bad", "d", "does not answer")]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"applied": 20, "committed": 6000}, "5980 entries behind"),
        ({"in_use": 85}, "85 % of the quota is used"),
        ({"now": {"sync_p99_ms": 250.0}}, "slow disk: 1 sync in 100 takes more than 250 ms"),
        ({"now": {"lag_p99_ms": 400.0}}, "busy: its event loop is 400 ms late"),
        ({"clocks": {"b": -2.0}}, "its clock differs from another member's by 2.0 s"),
        ({"started": False, "answers": False}, "was added and has not been started"),
    ],
)
def test_each_trouble_of_a_member_has_its_sentence(changed: dict[str, Any], text: str) -> None:
    others = [member("b"), member("c"), member("d"), member("e")]
    assert ("warn", "a", text) in said(member("a", **changed), *others)


def test_a_disk_that_was_slow_long_ago_is_no_trouble_now() -> None:
    assert said(member("a", now={"writes_per_s": 0.0, "sync_p99_ms": 500.0})) == []
    assert said(member("a", now={"writes_per_s": None, "lag_p99_ms": 500.0})) == []


def test_alarms_are_told_by_name() -> None:
    found = said(member("a"), alarms=[{"member": "a", "alarm": "NOSPACE"}])
    assert found == [("bad", "a", "alarm NOSPACE: the quota is used up: writes are refused until space is made")]


# --- rates --------------------------------------------------------------------------------------------------------------


def overview(applied: int, uptime_s: float, counts: list[int]) -> dict[str, Any]:
    return {"applied": applied, "uptime_s": uptime_s, "sync": {"bounds": [0.001, 0.002], "counts": counts}}


def test_rates_are_those_of_the_last_seconds() -> None:
    recent = Recent()
    recent.add(0.0, overview(1000, 50.0, [100, 0, 0]))
    assert recent.per_second("applied") is None
    recent.add(2.0, overview(1030, 52.0, [100, 10, 0]))
    assert recent.per_second("applied") == 15.0
    assert recent.quantile_ms("sync", 0.5) == 1.5
    for second in range(3, 30):
        recent.add(second, overview(1030, 50.0 + second, [100, 10, 0]))
    assert recent.per_second("applied") == 0.0
    assert recent.quantile_ms("sync", 0.5) == pytest.approx(0.55)  # nothing was written lately: of all there ever was


def test_a_member_that_was_started_anew_begins_anew() -> None:
    recent = Recent()
    recent.add(0.0, overview(1000, 50.0, [100, 0, 0]))
    recent.add(1.0, overview(3, 0.5, [1, 0, 0]))
    assert recent.per_second("applied") is None


def test_an_overview_without_its_numbers_breaks_nothing() -> None:
    recent = Recent()
    recent.add(0.0, {})
    recent.add(1.0, {"applied": "many", "sync": None})
    assert recent.per_second("applied") == 0.0
    assert recent.quantile_ms("sync", 0.99) is None


def test_a_quantile_lies_within_its_bucket_and_the_last_one_has_no_end() -> None:
    assert quantile([1.0, 2.0], [0, 0, 0], 0.5) is None
    assert quantile([1.0, 2.0], [10, 10, 0], 0.75) == 1.5
    assert quantile([1.0, 2.0], [0, 0, 4], 0.5) == 2.0
