"""Members look at each other, under virtual time."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from raftkv.metrics.sources import Sources
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.server.measured import Histogram
from raftkv.ui.cluster import PATIENCE_S, SILENT_S, ClusterView
from raftkv_chaos.sim.loop import LoopClock
from tests.server.replicas import Cluster, Node, simulate


def looking(node: Node) -> ClusterView:
    """A node's view, over a node in memory."""
    sources = SimpleNamespace(
        replica=node.replica,
        own=f"{node.node_id:x}",
        version="1",
        quota_bytes=None,
        size_on_disk=lambda: 1000,
        probes=SimpleNamespace(match_indexes={}, last={}),
        peers=SimpleNamespace(connected=[]),
        lag=SimpleNamespace(seconds=Histogram([1.0])),
    )
    view = ClusterView(cast("Sources", sources), LoopClock(asyncio.get_running_loop()))
    view.start()
    return view


async def answer(view: ClusterView) -> dict[str, Any]:
    picture = await view.answer(cast("Any", None), cast("Any", None))
    return {member["name"]: member for member in picture["members"]} | {"picture": picture}


def test_every_member_tells_how_it_is() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        views = {node.node_id: looking(node) for node in cluster.nodes.values()}
        await leader.put("k", "v")
        await cluster.agree()
        found = await answer(views[leader.node_id])
        assert all(found[f"n{number}"]["answers"] for number in (1, 2, 3))
        assert len({found[f"n{number}"]["applied"] for number in (1, 2, 3)}) == 1
        assert found["n1"]["keys"] == found["n2"]["keys"] == 1
        assert found["picture"]["leader"] == f"{leader.node_id:x}"
        assert found["picture"]["findings"] == []

    simulate(scenario)


def test_a_dead_member_costs_a_moment_and_is_shown_as_it_was_last() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        view, *_ = [looking(leader), *(looking(node) for node in cluster.nodes.values() if node is not leader)]
        await answer(view)
        dead = await cluster.follower()
        dead.crash()
        loop = asyncio.get_running_loop()
        for _ in range(4):
            await asyncio.sleep(1.0)
            began = loop.time()
            found = await answer(view)
            assert loop.time() - began <= PATIENCE_S + 0.01
        member = found[f"n{dead.node_id}"]
        assert not member["answers"]
        assert member["silent_s"] >= SILENT_S
        assert member["term"] == leader.replica.term  # as it was
        assert found["picture"]["findings"][0]["subject"] == f"n{dead.node_id}"

    simulate(scenario)


def test_however_many_look_members_are_asked_once_in_a_second() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        view = looking(leader)
        asked = 0

        def count(question: bytes, source: int) -> Reply[bytes]:
            nonlocal asked
            asked += 1
            reply: Reply[bytes] = Reply()
            reply.set_result(b"[]" if asked % 2 else b'{"term":1}')
            return reply

        for node in cluster.nodes.values():
            if node is not leader:
                node.replica.asks.serve(Kind.OVERVIEW, count)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(answer(view))
        assert asked == 2
        found = await answer(view)
        assert asked == 2
        errors = [member["error"] for member in found["picture"]["members"]]
        assert "says nothing that can be understood" in errors

    simulate(scenario)
