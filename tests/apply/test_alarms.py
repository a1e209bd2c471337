from typing import Any

import pytest

from raftkv.errors import CorruptClusterError, NoSpaceError
from raftkv.pb import rpc
from raftkv.pb.command import SetClusterVersion
from raftkv.pb.rpc import CORRUPT, NONE, NOSPACE, AlarmRequest
from tests.apply.commands import Machine, put

GET, ACTIVATE, DEACTIVATE = AlarmRequest.GET, AlarmRequest.ACTIVATE, AlarmRequest.DEACTIVATE


def alarm(machine: Machine, action: Any, kind: Any = NONE, member: int = 0) -> list[tuple[int, int]]:
    """The alarms in the answer."""
    outcome = machine.apply(alarm=AlarmRequest(action=action, alarm=kind, memberID=member))
    assert isinstance(outcome.response, rpc.AlarmResponse)
    return [(answer.memberID, answer.alarm) for answer in outcome.response.alarms]


def test_alarm_belongs_to_the_member_that_is_named_zero_included() -> None:
    machine = Machine()
    assert alarm(machine, ACTIVATE, NOSPACE) == [(0, NOSPACE)]
    assert alarm(machine, ACTIVATE, NOSPACE) == [(0, NOSPACE)]
    assert alarm(machine, ACTIVATE, NOSPACE, 5) == [(5, NOSPACE)]
    assert alarm(machine, GET) == [(0, NOSPACE), (5, NOSPACE)]
    assert machine.machine.alarms == {(0, NOSPACE), (5, NOSPACE)}


def test_get_chooses_by_type_and_not_by_member() -> None:
    machine = Machine()
    alarm(machine, ACTIVATE, NOSPACE, 5)
    alarm(machine, ACTIVATE, CORRUPT, 6)
    assert alarm(machine, GET, NOSPACE) == [(5, NOSPACE)]
    assert alarm(machine, GET, NONE, 9) == [(5, NOSPACE), (6, CORRUPT)]


def test_only_the_very_alarm_is_put_down() -> None:
    machine = Machine()
    alarm(machine, ACTIVATE, NOSPACE, 5)
    assert alarm(machine, DEACTIVATE, NOSPACE, 7) == []
    assert alarm(machine, DEACTIVATE, NONE, 5) == []
    assert alarm(machine, DEACTIVATE, NOSPACE) == []
    assert alarm(machine, DEACTIVATE, NOSPACE, 5) == [(5, NOSPACE)]
    assert alarm(machine, GET) == []


def test_what_does_not_exist_is_not_raised() -> None:
    machine = Machine()
    assert alarm(machine, ACTIVATE, NONE) == []
    assert alarm(machine, ACTIVATE, 9, 5) == []
    assert alarm(machine, 9, NOSPACE, 5) == []
    assert alarm(machine, GET) == []


PUT = rpc.RequestOp(request_put=rpc.PutRequest(key=b"a"))
DELETE = rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=b"a"))
NEED_SPACE = [
    pytest.param(put(b"a"), id="put"),
    pytest.param({"txn": rpc.TxnRequest(success=[PUT])}, id="txn"),
    pytest.param({"txn": rpc.TxnRequest(failure=[PUT])}, id="untaken branch"),
    pytest.param({"txn": rpc.TxnRequest(success=[rpc.RequestOp(request_txn=rpc.TxnRequest(success=[PUT]))])}, id="nested txn"),
]
NEED_NO_SPACE = [
    pytest.param({"delete_range": rpc.DeleteRangeRequest(key=b"a")}, id="delete"),
    pytest.param({"txn": rpc.TxnRequest(success=[DELETE])}, id="txn that deletes"),
    pytest.param({"compact": rpc.CompactionRequest(revision=1)}, id="compaction"),
]


@pytest.mark.parametrize("body", NEED_SPACE)
def test_no_space_refuses_what_puts(body: dict[str, Any]) -> None:
    machine = Machine()
    alarm(machine, ACTIVATE, NOSPACE, 5)
    outcome = machine.apply(**body)
    assert isinstance(outcome.error, NoSpaceError)
    assert str(outcome.error) == "etcdserver: mvcc: database space exceeded"
    assert machine.machine.store.revision == 1


@pytest.mark.parametrize("body", NEED_NO_SPACE)
def test_no_space_lets_make_room(body: dict[str, Any]) -> None:
    machine = Machine()
    alarm(machine, ACTIVATE, NOSPACE, 5)
    assert machine.apply(**body).error is None


@pytest.mark.parametrize("body", [*NEED_SPACE, *NEED_NO_SPACE])
def test_corrupt_refuses_every_key_request(body: dict[str, Any]) -> None:
    machine = Machine()
    alarm(machine, ACTIVATE, NOSPACE, 5)
    alarm(machine, ACTIVATE, CORRUPT, 6)
    outcome = machine.apply(**body)
    assert isinstance(outcome.error, CorruptClusterError)
    assert str(outcome.error) == "etcdserver: corrupt cluster"


def test_corrupt_lets_the_cluster_be_managed() -> None:
    machine = Machine()
    alarm(machine, ACTIVATE, CORRUPT)
    assert machine.apply(set_cluster_version=SetClusterVersion(version="3.5")).error is None
    assert alarm(machine, DEACTIVATE, CORRUPT) == [(0, CORRUPT)]
    assert machine.apply(**put(b"a")).error is None


def test_alarms_survive_a_restart() -> None:
    machine = Machine()
    alarm(machine, ACTIVATE, NOSPACE, (1 << 64) - 1)
    alarm(machine, ACTIVATE, CORRUPT)
    alarm(machine, DEACTIVATE, CORRUPT)
    again = machine.restarted()
    assert again.machine.alarms == {((1 << 64) - 1, NOSPACE)}
    assert isinstance(again.apply(**put(b"a")).error, NoSpaceError)
