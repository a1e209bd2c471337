"""Who may change a job while authentication is on: who may write all of its keys."""

import pytest

from raftkv.errors import PermissionDeniedError
from raftkv.pb import rendezvous as pb
from raftkv.pb import rpc
from raftkv.pb.auth import Permission
from tests.auth.making import AuthMachine, grant
from tests.rendezvous.jobs import JOB, settings

PREFIX = f"/raftkv/rendezvous/{JOB}/".encode()
KEYS_OF_JOB = (PREFIX, PREFIX[:-1] + b"0")


@pytest.fixture
def machine() -> AuthMachine:
    """trainer may write the job's keys, reader may read them, half may write its members only; lease 7 has a key of nobody's."""
    machine = AuthMachine()
    machine.role("trainer", grant(Permission.READWRITE, *KEYS_OF_JOB))
    machine.role("reader", grant(Permission.READ, *KEYS_OF_JOB))
    machine.role("half", grant(Permission.READWRITE, PREFIX + b"members/", PREFIX + b"members0"))
    for name in ("trainer", "reader", "half"):
        machine.user(name, name)
    for lease in (7, 8):
        machine.must(lease_grant=rpc.LeaseGrantRequest(ID=lease, TTL=10))
    machine.must(put=rpc.PutRequest(key=b"foreign", lease=7))
    machine.enable()
    return machine


def join(lease: int = 8) -> pb.JobChange:
    return pb.JobChange(join=pb.JoinRequest(job=JOB, node="a", lease=lease, settings=settings()))


def test_who_may_write_its_keys_may_join_a_job(machine: AuthMachine) -> None:
    assert machine.do(machine.as_("trainer"), rendezvous=join()).error is None


@pytest.mark.parametrize("user", ["reader", "half"])
def test_others_may_not(machine: AuthMachine, user: str) -> None:
    assert isinstance(machine.do(machine.as_(user), rendezvous=join()).error, PermissionDeniedError)
    close = pb.JobChange(close=pb.CloseRequest(job=JOB))
    assert isinstance(machine.do(machine.as_(user), rendezvous=close).error, PermissionDeniedError)


def test_nobody_joins_under_a_lease_with_foreign_keys(machine: AuthMachine) -> None:
    assert isinstance(machine.do(machine.as_("trainer"), rendezvous=join(lease=7)).error, PermissionDeniedError)


def test_clients_cannot_say_that_a_time_is_over(machine: AuthMachine) -> None:
    said = pb.JobTimeouts(term=3)
    assert isinstance(machine.do(machine.as_("trainer"), rendezvous_timeouts=said).error, PermissionDeniedError)
    assert machine.do(rendezvous_timeouts=said).error is None
