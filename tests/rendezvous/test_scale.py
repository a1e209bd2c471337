"""Many nodes: what a join costs does not depend on how many are there, and 10,000 form a round."""

import asyncio
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from raftkv.apply.command import LEASE_GRANT, RENDEZVOUS, body
from raftkv.pb import rendezvous as pb
from raftkv.pb import rpc
from raftkv.reply import Reply
from raftkv_chaos.sim.loop import LoopClock
from tests.rendezvous.jobs import JOB, Jobs, settings
from tests.server.replicas import Cluster, simulate

MANY = 10_000
SEVERAL = 500


def test_join_writes_one_key_however_many_are_there() -> None:
    jobs = Jobs(settings(SEVERAL, SEVERAL))
    sizes = []
    for number in range(SEVERAL - 1):
        lease = jobs.lease(f"{number:04}")
        request = pb.JoinRequest(job=JOB, node=f"{number:04}", lease=lease, settings=jobs.settings)
        outcome = jobs.log.apply(rendezvous=pb.JobChange(join=request))
        sizes.append((len(outcome.events), sum(len(event.encoded or b"") for event in outcome.events)))
    assert {count for count, _ in sizes[1:]} == {1}
    assert max(size for _, size in sizes[1:]) < 400


def lines_of(work: Callable[[], object]) -> int:
    """How many lines of the rendezvous run, each turn of a loop counted."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if "/raftkv/" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def test_join_takes_as_much_work_however_many_are_there() -> None:
    jobs = Jobs(settings(2 * SEVERAL, 2 * SEVERAL))
    work = []
    for number in range(2 * SEVERAL - 1):
        jobs.lease(f"{number:04}")
        work.append(lines_of(lambda name=f"{number:04}": jobs.join(name)) if number % 50 == 1 else 0)  # type: ignore[misc] # bound now
        if number % 50 != 1:
            jobs.join(f"{number:04}")
    measured = [lines for lines in work if lines]
    assert len(measured) == 20
    assert max(measured) <= min(measured) * 1.05


def test_round_of_many_is_written_once_and_each_rejoin_is_one_key() -> None:
    jobs = Jobs(settings(SEVERAL, SEVERAL))
    names = [f"{number:04}" for number in range(SEVERAL)]
    token = jobs.join_all(*names).token
    jobs.join("spare")
    deaths = jobs.die("0007")
    assert [event.key.rsplit(b"/", 1)[1] for event in deaths.events] == [b"0007", b"job"]
    before = jobs.log.machine.store.key_count
    jobs.join_all(*(name for name in names if name != "0007"), after=token)
    assert jobs.world()[7] == "spare"
    assert jobs.log.machine.store.key_count == before + 1


def test_ten_thousand_nodes_form_a_round() -> None:
    async def scenario(cluster: Cluster) -> None:
        replica = (await cluster.leader()).replica
        clock = LoopClock(asyncio.get_running_loop())
        chosen = settings(MANY, MANY)

        async def all_of(entries: list[bytes]) -> list[Reply[object]]:
            replies = [replica.propose(entry) for entry in entries]
            for reply in replies:
                await reply
            return replies

        for first in range(0, MANY, 1000):
            numbers = range(first + 1, first + 1001)
            grants = [rpc.LeaseGrantRequest(ID=number, TTL=600) for number in numbers]
            joins = [pb.JoinRequest(job=JOB, node=f"n{number}", lease=number, settings=chosen) for number in numbers]
            await all_of([body(LEASE_GRANT, grant.SerializeToString()) for grant in grants])
            begun = clock.now()
            await all_of([body(RENDEZVOUS, pb.JobChange(join=join).SerializeToString()) for join in joins])
        assert clock.now() - begun < 2.0
        await cluster.agree()
        worlds = [node.replica.machine.rendezvous.jobs[JOB].world for node in cluster.nodes.values()]
        for world in worlds:
            assert world is not None
            assert len(world.ranks) == MANY

    simulate(scenario)
