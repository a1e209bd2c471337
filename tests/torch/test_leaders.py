"""Jobs of torchrun while leaders of the cluster are killed -9."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

from torch.distributed.elastic.rendezvous import RendezvousInfo, RendezvousParameters

from raftkv.client import BlockingClient
from raftkv.pb import rendezvous as pb
from raftkv.torch.handler import RaftkvRendezvous, create_handler
from tests.harness.cluster import Cluster
from tests.torch.agents import PATIENCE_S, agents, kill_leader, losses, registered, wait_until

CROWD = 64


def test_job_does_not_notice_that_three_leaders_die(cluster: Cluster, endpoints: str, tmp_path: Path) -> None:
    calm = registered("a", endpoints, "calm", tmp_path, nodes="1", workers=4)
    with agents(calm):
        assert calm.wait() == 0
    shaken = [registered(node, endpoints, "shaken", tmp_path, nodes="2") for node in ("a", "b")]
    with agents(*shaken):
        for progress in ("begins", "step 50 ", "step 200 "):
            wait_until(lambda progress=progress: any(agent.said(progress) for agent in shaken), shaken[0])  # type: ignore[misc] # a default binds
            kill_leader(cluster)
        assert [agent.wait() for agent in shaken] == [0, 0]
        assert losses(*shaken) == losses(calm)
        assert len(losses(calm)) == 1
        assert sum(len(agent.begun(4)) for agent in shaken) == 4, "no worker was started again"
    with BlockingClient(cluster.endpoints) as client:
        job = client.rendezvous("shaken")
        standing, latest = job.look(), job.latest()
        assert (standing.phase, standing.outcome, standing.round) == (pb.CLOSED, pb.SUCCEEDED, 1)
        assert latest is not None
        assert (latest.step, [shard.node for shard in latest.shards]) == (300, [node.node for node in job.world(1).nodes])
        assert len(job.checkpoints()) == 30


@patch.dict(os.environ)  # agents leave word for their workers there
def test_sixty_four_agents_form_a_round_while_the_leader_dies(cluster: Cluster, endpoints: str) -> None:
    made = [_handler(endpoints, number) for number in range(CROWD)]
    with ThreadPoolExecutor(CROWD) as threads:
        joining = [threads.submit(handler.next_rendezvous) for handler in made[: CROWD // 2]]
        kill_leader(cluster)
        joining += [threads.submit(handler.next_rendezvous) for handler in made[CROWD // 2 :]]
        worlds: list[RendezvousInfo] = [each.result(PATIENCE_S) for each in joining]
        assert sorted(world.rank for world in worlds) == list(range(CROWD))
        assert {world.world_size for world in worlds} == {CROWD}
        assert worlds[0].store.add("here", 1) == 1
        assert worlds[-1].store.add("here", 1) == 2, "they share a store"
        assert all(threads.map(lambda handler: handler.shutdown(), made))
    with BlockingClient(cluster.endpoints) as client:
        standing = client.rendezvous("crowd").look()
    assert (standing.round, standing.outcome) == (1, pb.SUCCEEDED)


def _handler(endpoints: str, number: int) -> RaftkvRendezvous:
    return create_handler(RendezvousParameters("raftkv", endpoints, "crowd", CROWD, CROWD, node=f"node-{number}"))
