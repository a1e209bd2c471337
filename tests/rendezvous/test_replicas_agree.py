"""A replica that starts anew before every entry writes what one writes that never did: the same rows, in the same order."""

from raftkv.pb import rendezvous as pb
from raftkv.raft.messages import Entry
from tests.apply.commands import Machine
from tests.rendezvous.jobs import JOB, Jobs, settings

BACKWARDS = ["d", "c", "b", "a"]


def eventful_life() -> list[Entry]:
    """Whatever stands in an order of its own comes in another one."""
    jobs = Jobs(settings(2, 4, gather_timeout_ms=9000, max_node_failures=1, cool_down_ms=1000, keep_checkpoints=1))
    jobs.join_all(*BACKWARDS)
    token = jobs.look().token
    jobs.change(preempt=pb.PreemptRequest(job=JOB))
    for node in BACKWARDS[:3]:
        jobs.change(acknowledge_preemption=pb.AcknowledgePreemptionRequest(job=JOB, node=node, token=token, step=3))
        for barrier in ("z", "m", "a"):
            jobs.change(barrier=pb.BarrierRequest(job=JOB, node=node, token=token, name=barrier, timeout_ms=5))
        for step in (30, 20):
            jobs.change(announce=pb.AnnounceRequest(job=JOB, node=node, token=token, step=step))
    for worker in (2, 1):
        answer = pb.AcknowledgePreemptionRequest(job=JOB, node="a", token=token, step=4 + worker, worker=worker, workers=3)
        jobs.change(acknowledge_preemption=answer)
    jobs.hang("c", "b")
    jobs.report("d", "SUCCESS")
    jobs.report("a", "SUCCESS")
    jobs.ring("BARRIER", subject="m")
    jobs.die("b", "a")
    jobs.join_all("f", "e", "b")
    jobs.ring("LAST_CALL")
    jobs.report(jobs.world()[0], "FAILURE")
    for node in ("z", "y"):
        jobs.change(exclude=pb.ExcludeRequest(job=JOB, node=node, cool_down_ms=5))
    jobs.change(close=pb.CloseRequest(job=JOB))
    return jobs.log.fed


def test_replicas_write_the_same_whenever_they_started() -> None:
    entries = eventful_life()
    steady, restless = Machine(), Machine()
    for entry in entries:
        steady.apply_entry(entry)
        restless = restless.restarted()
        restless.apply_entry(entry)
    assert restless.rows() == steady.rows()
