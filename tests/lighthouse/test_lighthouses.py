"""The replicated part: ids of quorums, in the log's order."""

import json
from collections.abc import Sequence

import pytest

from raftkv.errors import NotLeaderError
from raftkv.lighthouse import lighthouses
from raftkv.mvcc import finish
from raftkv.pb import lighthouse as pb
from raftkv.pb import rpc, torchft
from tests.apply.commands import Machine

TERM = 3
"""Of the entries that Machine makes."""


class Ear:
    def __init__(self, machine: Machine) -> None:
        self.heard: list[tuple[str, list[int], torchft.Quorum]] = []
        machine.machine.lighthouses.audience.append(self)

    def formed(self, job: str, tickets: Sequence[int], response: bytes) -> None:
        self.heard.append((job, list(tickets), torchft.LighthouseQuorumResponse.FromString(response).quorum))


def form(machine: Machine, groups: str, *, job: str = "job", failures: int = 0, step: int = 0, term: int = TERM) -> int:
    """Forms a quorum; the job's id after it."""
    request = pb.FormQuorum(term=term, job=job, created_ns=1_500_000_000_250_000_000, tickets=[7])
    for group in groups:
        request.participants.add(replica_id=group, address=f"http://{group}", step=step, commit_failures=failures)
    outcome = machine.apply(form_quorum=request)
    if outcome.error is not None:
        raise outcome.error
    return machine.machine.lighthouses.jobs[job].quorum_id


def value(machine: Machine, key: str) -> bytes:
    response = finish(machine.machine.store.range(rpc.RangeRequest(key=key.encode())))
    return response.kvs[0].value if response.kvs else b""


def test_id_grows_when_the_groups_change_or_could_not_commit_and_only_then() -> None:
    machine = Machine()
    ids = [form(machine, groups) for groups in ("ab", "ab", "abc", "abc", "ab", "ab")]
    assert ids == [1, 1, 2, 2, 3, 3]
    assert form(machine, "ab", failures=1) == 4
    assert form(machine, "ab") == 4


def test_everybody_hears_of_every_quorum_and_only_new_ones_are_written() -> None:
    machine = Machine()
    ear = Ear(machine)
    form(machine, "ab", step=5)
    revision = machine.machine.store.revision
    form(machine, "ab", step=6)
    assert machine.machine.store.revision == revision
    (job, tickets, first), (_, _, second) = ear.heard
    assert (job, tickets, first.quorum_id) == ("job", [7], 1)
    assert [member.step for member in second.participants] == [6, 6]
    assert (first.created.seconds, first.created.nanos) == (1_500_000_000, 250_000_000)


def test_last_quorum_lies_among_the_keys() -> None:
    machine = Machine()
    form(machine, "ab", step=5)
    shown = json.loads(value(machine, "/raftkv/lighthouse/job/quorum"))
    assert shown["quorum_id"] == 1
    assert shown["created"] == "2017-07-14T02:40:00+00:00"
    assert shown["participants"][1] == {
        "replica_id": "b",
        "address": "http://b",
        "store_address": "",
        "step": 5,
        "world_size": 0,
    }


def test_what_clients_do_to_the_key_changes_no_id() -> None:
    machine = Machine()
    form(machine, "ab")
    machine.apply(delete_range=rpc.DeleteRangeRequest(key=b"/raftkv/lighthouse/job/quorum"))
    assert form(machine, "ab") == 1
    assert form(machine, "a") == 2


def test_decision_of_a_deposed_leader_counts_for_nothing() -> None:
    machine = Machine()
    form(machine, "ab")
    with pytest.raises(NotLeaderError):
        form(machine, "a", term=TERM - 1)
    assert machine.machine.lighthouses.jobs["job"].groups == ("a", "b")


def test_fields_of_later_versions_of_torchft_are_handed_on() -> None:
    machine = Machine()
    ear = Ear(machine)
    member = torchft.QuorumMember.FromString(torchft.QuorumMember(replica_id="a").SerializeToString() + b"\x4a\x03new")
    machine.apply(form_quorum=pb.FormQuorum(term=TERM, job="job", participants=[member]))
    assert ear.heard[0][2].participants[0].SerializeToString() == member.SerializeToString()


def test_ids_outlive_restarts_and_jobs_that_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lighthouses, "MAX_JOBS", 2)
    steady, restless = Machine(), Machine()
    for job, groups in [
        ("x", "a"),
        ("x", "b"),
        ("x", "a"),
        ("y", "a"),
        ("x", "a"),
        ("z", "a"),
        ("y", "b"),
        ("x", "a"),
        ("w", "a"),
    ]:
        form(steady, groups, job=job)
        restless = restless.restarted()
        form(restless, groups, job=job)
    assert restless.rows() == steady.rows()
    known = {job: formed.quorum_id for job, formed in steady.machine.lighthouses.jobs.items()}
    assert known == {"x": 4, "w": 4}, "x was forgotten at 3"
