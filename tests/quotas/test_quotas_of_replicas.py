"""Quotas on a cluster: equal on all replicas, also on one that began with a snapshot."""

import asyncio

from raftkv.apply.command import CHANGE_MEMBER, SET_QUOTA, body
from raftkv.errors import QuotaExceededError
from raftkv.mvcc.steps import finish
from raftkv.pb.command import ChangeMember
from raftkv.pb.quota import Quota, SetQuotaRequest
from raftkv.pb.rpc import Member
from tests.server.replicas import Cluster, Node, simulate, until


async def set_up(cluster: Cluster) -> Node:
    leader = await cluster.leader()
    quota = Quota(prefix=b"k", max_keys=30, max_bytes=400)
    await leader.replica.propose(body(SET_QUOTA, SetQuotaRequest(quota=quota).SerializeToString()))
    return leader


def test_all_replicas_refuse_and_count_alike_and_have_the_same_hash() -> None:
    async def scenario(cluster: Cluster) -> None:
        await set_up(cluster)
        replies = [node.put(f"k{number}", "value") for number in range(50) for node in cluster.nodes.values()]
        answers = await asyncio.gather(*(answer(reply) for reply in replies), return_exceptions=True)
        assert any(isinstance(answer, QuotaExceededError) for answer in answers)
        await cluster.agree()
        for node in cluster.nodes.values():
            node.replica.machine.record_progress()
        books = [node.replica.machine.quotas for node in cluster.nodes.values()]
        assert {(book.usage[b"k"].keys, book.usage[b"k"].bytes) for book in books} == {(30, 30 * 7 + 20)}
        assert len({finish(node.replica.store.hash_all()) for node in cluster.nodes.values()}) == 1

    simulate(scenario)


def test_a_newcomer_gets_the_quotas_with_its_snapshot() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await set_up(cluster)
        for number in range(20):
            await leader.put(f"k{number}", "value")
        member = Member(ID=4, name="n4", peerURLs=["http://n4:1"])
        change = ChangeMember(action=ChangeMember.ADD, member=member)
        await leader.replica.propose_change(body(CHANGE_MEMBER, change.SerializeToString()))
        newcomer = cluster.add(4)
        await until(lambda: newcomer.replica.machine.quotas.counting)
        await cluster.agree()
        usage = newcomer.replica.machine.quotas.usage[b"k"]
        assert (usage.keys, usage.bytes) == (20, 10 * 7 + 10 * 8)

    simulate(scenario)


async def answer(reply: object) -> object:
    return await reply  # type: ignore[misc] # a Reply
