"""Histories beside the log: what was lost, what was answered too early, and what nobody heard."""

from typing import Any

from raftkv_chaos.sim.settling import Commits, Settled, settle
from raftkv_chaos.sim.translation import Step
from raftkv_jepsen.history import Event, Operation, freeze
from raftkv_jepsen.replay import Entry, Replay
from raftkv_jepsen.store import parse_request

PUT: dict[str, Any] = {"key": "a", "value": "1"}


def settled(operations: list[Operation], *steps: tuple[float, Step]) -> Settled:
    """The events of the history are a second apart."""
    entries = [Entry(parse_request(f, fields), expired=f == "lease_expire") for _, (f, fields) in steps]
    events = [Event("invoke", 1, "put", time=float(second)) for second in range(20)]
    commits = Commits([step for _, step in steps], [time for time, _ in steps], Replay(entries), events)
    return settle(operations, commits)


def put(call: int, end: int | None) -> Operation:
    return Operation(1, "put", freeze(PUT), freeze({"revision": 2}) if end is not None else None, call, end)


def test_an_answered_write_takes_place_where_it_was_committed() -> None:
    found = settled([put(1, 8)], (4.5, ("put", PUT)))
    assert found.violations == []
    (operation,) = found.operations
    assert operation.end == operation.call + 1


def test_a_write_that_is_not_in_the_log_is_lost() -> None:
    assert [violation.found_by for violation in settled([put(1, 8)]).violations] == ["lost write"]


def test_a_write_that_is_committed_after_its_answer_was_answered_too_early() -> None:
    assert [each.found_by for each in settled([put(1, 3)], (4.5, ("put", PUT))).violations] == ["early answer"]


def test_what_nobody_heard_of_took_place_or_not() -> None:
    (operation,) = settled([put(1, None)], (9.5, ("put", PUT))).operations
    assert operation.end is not None
    assert dict(operation.outcome)["revision"] == 2
    assert settled([put(1, None)]).operations == []


def test_what_nobody_asked_for_the_cluster_did() -> None:
    grant = ("lease_grant", {"id": 7, "ttl": 2})
    found = settled([], (1.5, grant), (2.5, ("lease_expire", {"id": 7})))
    assert [(each.process, each.f) for each in found.operations] == [("cluster", "lease_grant"), ("cluster", "lease_revoke")]


def test_a_lease_that_ended_by_itself_is_not_the_clients_revocation() -> None:
    grant = ("lease_grant", {"id": 7, "ttl": 2})
    revoke = Operation(1, "lease_revoke", freeze({"id": 7}), freeze({"error": "lease not found"}), 5, 6)
    found = settled([revoke], (1.5, grant), (2.5, ("lease_expire", {"id": 7})))
    assert len(found.operations) == 3
