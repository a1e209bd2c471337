"""Questions to the leader under virtual time: wherever it is, and while it moves."""

from raftkv.errors import LeaderFailureTimeoutError, NotLeaderError, RequestTimeoutError, TooManyRequestsError
from raftkv.reply import Reply
from raftkv.server.replica import Replica
from tests.server.replicas import Cluster, simulate

KIND = 900


def serve(replica: Replica) -> None:
    """The leader answers with its id, others say that they are not it."""

    def answer(body: bytes, source: int) -> Reply[bytes]:
        if not replica.is_leader:
            raise NotLeaderError
        reply: Reply[bytes] = Reply()
        reply.set_result(b"%d" % replica.settings.node_id)
        return reply

    replica.asks.serve(KIND, answer)


def prepared(cluster: Cluster) -> Cluster:
    for node in cluster.nodes.values():
        serve(node.replica)
    return cluster


def test_every_node_reaches_the_leader() -> None:
    async def scenario(cluster: Cluster) -> None:
        prepared(cluster)
        answers = [await node.replica.ask_leader(KIND, b"") for node in cluster.nodes.values()]
        assert answers == [b"%d" % (await cluster.leader()).node_id] * 3

    simulate(scenario)


def test_a_question_outlives_the_leader() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await prepared(cluster).leader()
        follower = await cluster.follower()
        leader.crash()
        reply = follower.replica.ask_leader(KIND, b"")
        assert await reply == b"%d" % (await cluster.leader(other_than=leader.node_id)).node_id

    simulate(scenario)


def test_a_leader_that_never_answers_is_left_for_the_next() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader = await prepared(cluster).leader()
        follower = await cluster.follower()
        cluster.network.isolate(leader.node_id)  # silence: no connection breaks
        reply = follower.replica.ask_leader(KIND, b"")
        assert await reply == b"%d" % (await cluster.leader(other_than=leader.node_id)).node_id

    simulate(scenario)


def test_patience_ends_where_there_is_no_leader() -> None:
    async def scenario(cluster: Cluster) -> None:
        follower = await prepared(cluster).follower()
        for node in cluster.nodes.values():
            cluster.network.isolate(node.node_id)
        try:
            await follower.replica.ask_leader(KIND, b"")
        except (LeaderFailureTimeoutError, RequestTimeoutError):
            return
        raise AssertionError("answered without a leader")

    simulate(scenario)


def test_an_error_of_the_leader_is_not_asked_again() -> None:
    async def scenario(cluster: Cluster) -> None:
        leader, follower = await cluster.leader(), await cluster.follower()
        asked: list[int] = []

        def refuse(body: bytes, source: int) -> Reply[bytes]:
            asked.append(source)
            raise TooManyRequestsError

        leader.replica.asks.serve(KIND, refuse)
        try:
            await follower.replica.ask_leader(KIND, b"")
        except TooManyRequestsError:
            assert asked == [follower.node_id]
        else:
            raise AssertionError("not refused")

    simulate(scenario)
