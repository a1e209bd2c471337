"""Who may change a job while authentication is on: who may write all of its keys."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from raftkv.auth.tokens import Identifier
from raftkv.errors import PermissionDeniedError
from raftkv.pb import rendezvous as pb
from raftkv.pb import rpc
from raftkv.pb.auth import Permission
from raftkv.reply import Reply
from raftkv.rpc.access import Access
from raftkv.rpc.job_steps import JobStepsService
from raftkv.rpc.method import Call
from raftkv.server.replica import Replica
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


def service(machine: AuthMachine) -> JobStepsService:
    """Of a node whose leader knows of two jobs."""
    known = pb.StepsResponse(jobs=[pb.JobSteps(job=JOB), pb.JobSteps(job="other")])

    def ask(kind: int, body: bytes) -> Reply[bytes]:
        named = pb.StepsRequest.FromString(body).job
        reply: Reply[bytes] = Reply()
        reply.set_result(pb.StepsResponse(jobs=[job for job in known.jobs if named in {"", job.job}]).SerializeToString())
        return reply

    parts = {
        "machine": machine.machine,
        "store": machine.machine.store,
        "watches": SimpleNamespace(loop=asyncio.get_running_loop()),
    }
    replica = SimpleNamespace(**parts, ask_leader=ask, fill=lambda _: None)
    return JobStepsService(cast("Replica", replica), Access(cast("Replica", replica), cast("Identifier", None)))


async def test_who_may_change_a_job_may_send_heartbeats_and_who_may_read_it_sees_its_steps(machine: AuthMachine) -> None:
    steps = service(machine)
    beat = pb.HeartbeatRequest(job=JOB, node="a", token=1)
    assert not steps.heartbeat(beat, Call("", author=machine.as_("trainer"))).done()
    for user in ("reader", "half"):
        with pytest.raises(PermissionDeniedError):
            steps.heartbeat(beat, Call("", author=machine.as_(user)))
    for user, seen in (("trainer", [JOB]), ("reader", [JOB]), ("half", [])):
        found = await steps.steps(pb.StepsRequest(), Call("", author=machine.as_(user)))
        assert [job.job for job in found.jobs] == seen
    with pytest.raises(PermissionDeniedError):
        await anext(steps.watch(pb.StepsRequest(job="other"), Call("", author=machine.as_("reader"))))
