"""Watches on replicas at work: on every node, over lost leaders, power failures and snapshots."""

import asyncio
from contextlib import suppress
from typing import Any

from raftkv.apply.command import CHANGE_MEMBER, COMPACT, body
from raftkv.errors import RequestError
from raftkv.pb import rpc
from raftkv.pb.command import ChangeMember
from raftkv.rpc.guard import LEARNER_METHODS
from raftkv.server.replica import MANY_WATCHERS
from raftkv.watch import WatchStream
from tests.server.replicas import Cluster, Node, insist, simulate, until

WATCH = "/etcdserverpb.Watch/Watch"


class Watcher:
    """A client of one replica; at each event it looks whether the key can be read."""

    def __init__(self, node: Node, **options: Any) -> None:
        self.node = node
        self.backlog = 0
        self.responses: list[rpc.WatchResponse] = []
        self.events: list[tuple[int, str]] = []
        self.stream = WatchStream(node.replica.watches, self, 600.0)
        self.stream.create(rpc.WatchCreateRequest(key=b"\0", range_end=b"\0", **options))

    def send(self, message: bytes) -> None:
        response = rpc.WatchResponse.FromString(message)
        self.responses.append(response)
        for event in response.events:
            key = event.kv.key.decode()
            self.events.append((event.kv.mod_revision, key))
            store = self.node.replica.store
            assert event.kv.mod_revision <= store.revision
            assert self.node.look(key) == event.kv.value.decode() or store.revision > event.kv.mod_revision

    def send_each(self, message: bytes, tails: list[bytes]) -> None:
        for tail in tails:
            self.send(message + tail)

    def abandon(self) -> None:
        raise AssertionError("it collects everything at once")


def test_every_node_tells_the_same() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.leader()
        watchers = [Watcher(node) for node in cluster.nodes.values()]
        for node in cluster.nodes.values():
            await asyncio.gather(*(node.put(f"k{i}", "v") for i in range(20)))
        await cluster.agree()
        assert [revision for revision, _ in watchers[0].events] == list(range(2, 62))
        assert watchers[0].events == watchers[1].events == watchers[2].events
        assert {response.header.member_id for response in watchers[2].responses} == {3}

    simulate(scenario)


def test_answers_leave_before_many_watchers_are_told() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        watcher = Watcher(leader)
        for _ in range(MANY_WATCHERS):
            watcher.stream.create(rpc.WatchCreateRequest(key=b"k"))
        flushes: list[tuple[bool, int]] = []
        reply = leader.put("k", "v")
        leader.replica.turn_ended = lambda: flushes.append((reply.done(), len(watcher.events)))
        await reply
        await asyncio.sleep(0)
        assert (True, 0) in flushes
        assert (True, MANY_WATCHERS + 1) in flushes

    simulate(scenario)


def test_learners_tell_what_voters_tell() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        member = rpc.Member(ID=4, name="n4", peerURLs=["http://n4:1"], isLearner=True)
        addition = ChangeMember(action=ChangeMember.ADD, member=member)
        await leader.replica.propose_change(body(CHANGE_MEMBER, addition.SerializeToString()))
        await leader.put("before", "v")
        learner = cluster.add(4)
        await until(lambda: learner.replica.is_learner)
        watcher = Watcher(learner, start_revision=1)
        await leader.put("after", "v")
        await cluster.agree()
        assert watcher.events == [(2, "before"), (3, "after")]
        assert WATCH in LEARNER_METHODS

    simulate(scenario)


def test_what_is_not_committed_is_not_told() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await cluster.leader()
        watcher = Watcher(leader)
        cluster.network.isolate(leader.node_id)
        with suppress(RequestError):
            await leader.put("lost", "v")
        assert not watcher.events
        new = await cluster.leader(other_than=leader.node_id)
        await new.put("kept", "v")
        cluster.network.heal()
        await cluster.agree()
        history = Watcher(new, start_revision=1)
        await asyncio.sleep(1)
        assert (2, "kept") in watcher.events
        assert watcher.events == history.events

    simulate(scenario)


def test_watches_outlive_leaders() -> None:
    async def scenario(cluster: Cluster) -> None:
        node = await cluster.follower()
        watcher = Watcher(node)
        for number in range(3):
            for i in range(10):
                await insist(lambda i=i, number=number: node.put(f"k{number}.{i}", "v"))  # type: ignore[misc] # binds the loop's names
            leader = await cluster.leader()
            if leader is not node:
                leader.crash()
                await cluster.leader(other_than=leader.node_id)
                leader.start()
        await cluster.agree()
        late = Watcher(node, start_revision=1)
        await asyncio.sleep(1)
        assert len(watcher.events) >= 30
        assert watcher.events == late.events
        assert len({revision for revision, _ in watcher.events}) == len(watcher.events)

    simulate(scenario)


def test_a_snapshot_makes_no_gap() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, behind = await cluster.leader(), await cluster.follower()
        await leader.put("k0", "v")
        await cluster.agree()
        watcher, future = Watcher(behind), Watcher(behind, start_revision=60)
        cluster.network.isolate(behind.node_id)
        for i in range(100):
            await leader.put(f"k{i}", "v")
        cluster.network.heal()
        await cluster.agree()
        await (await cluster.leader()).put("last", "v")
        await cluster.agree()
        assert [revision for revision, _ in watcher.events] == list(range(3, 104))
        assert future.events == watcher.events[57:]

    simulate(scenario, snapshot_count=20, catch_up_entries=5)


def test_a_snapshot_without_history_cancels() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, behind = await cluster.leader(), await cluster.follower()
        watcher = Watcher(behind)
        cluster.network.isolate(behind.node_id)
        for i in range(100):
            await leader.put(f"k{i}", "v")
        await leader.replica.propose(body(COMPACT, rpc.CompactionRequest(revision=90).SerializeToString()))
        cluster.network.heal()
        await cluster.agree()
        await asyncio.sleep(1)
        assert (watcher.responses[-1].canceled, watcher.responses[-1].compact_revision) == (True, 90)
        resumed = Watcher(behind, start_revision=90)
        await asyncio.sleep(1)
        assert [revision for revision, _ in resumed.events] == list(range(90, 102))

    simulate(scenario, snapshot_count=20, catch_up_entries=5)
