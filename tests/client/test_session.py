"""The retry rules at work, over channels in memory whose answers a test writes down."""

import asyncio
import random
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from raftkv.client import Client, Get, Method, Put, Repeat
from raftkv.client.channel import Metadata, Reply, Stream, UnaryCall
from raftkv.client.endpoint import Endpoint
from raftkv.errors import (
    ClientClosedError,
    Code,
    CompactedError,
    ConnectError,
    ConnectionBrokenError,
    DeadlineExceededError,
    LeaderChangedError,
    LeaseNotFoundError,
    NoLeaderError,
    NoSpaceError,
    OutcomeUnknownError,
    RequestError,
    RequestTimeoutError,
    WriteTimeoutError,
)
from raftkv.pb import rpc

RAFTKV = ((b"raftkv-version", b"1.2.3"),)
MOVE_LEADER = Method("/etcdserverpb.Maintenance/MoveLeader", rpc.MoveLeaderResponse, Repeat.NEVER)
ANSWERS = {
    "/etcdserverpb.KV/Range": rpc.RangeResponse(count=7),
    "/etcdserverpb.KV/Put": rpc.PutResponse(header=rpc.ResponseHeader(revision=9)),
    "/etcdserverpb.KV/Txn": rpc.TxnResponse(succeeded=True),
    "/etcdserverpb.Maintenance/Status": rpc.StatusResponse(version="x"),
}


class Unsent:
    """The connection cannot be opened."""


class Broken:
    """The connection breaks after the request was sent."""


class Silent:
    """The request is sent and nothing comes back."""


class Unconnected:
    """The connection takes for ever to open."""


Event = type[Unsent | Broken | Silent | Unconnected] | RequestError


class Cluster:
    """Endpoints a, b, ...: what happens at each in turn, then OK answers; and what was called where."""

    def __init__(self, *endpoints: str, raftkv: bool) -> None:
        self.endpoints = endpoints
        self.raftkv = raftkv
        self.events: defaultdict[str, deque[Event]] = defaultdict(deque)
        self.calls: list[tuple[str, str, dict[bytes, bytes]]] = []
        self.silent = asyncio.Event()

    def happen(self, endpoint: str, *events: Event) -> None:
        self.events[endpoint].extend(events)

    @asynccontextmanager
    async def client(self, *, deadline: float = 5.0, wait_for_ready: bool = True) -> AsyncIterator[Client]:
        client = Client(
            self.endpoints,
            rng=Eager(),
            timeout=deadline,
            wait_for_ready=wait_for_ready,
            client_id=bytes(16),
            open_channel=lambda endpoint: ScriptedChannel(endpoint, self),
        )
        async with client:
            yield client

    @property
    def places(self) -> list[str]:
        return [f"{endpoint} {path.rpartition('/')[2]}" for endpoint, path, _ in self.calls]

    @property
    def request_ids(self) -> list[bytes | None]:
        return [metadata.get(b"raftkv-request-id") for _, _, metadata in self.calls]


class Eager(random.Random):
    """Starts at the first endpoint and never pauses."""

    def randrange(self, *args: int) -> int:  # type: ignore[override]  # of its forms, the client uses one
        return 0

    def uniform(self, a: float, b: float) -> float:
        return 0.0


class ScriptedChannel:
    """One endpoint of the cluster."""

    def __init__(self, endpoint: Endpoint, cluster: Cluster) -> None:
        self.endpoint = endpoint
        self._cluster = cluster

    async def unary(self, call: UnaryCall) -> Reply:
        self._cluster.calls.append((self.endpoint.host, call.path, dict(call.metadata)))
        events = self._cluster.events[self.endpoint.host]
        event = events.popleft() if events else None
        headers = RAFTKV if self._cluster.raftkv else ()
        if event is None:
            return Reply(0, "", ANSWERS[call.path].SerializeToString(), headers)
        if isinstance(event, RequestError):
            return Reply(event.code, str(event), b"", headers)
        call.connected = event is not Unconnected
        call.sent = event in {Broken, Silent}
        if event in {Silent, Unconnected}:
            self._cluster.silent.set()
            await asyncio.get_running_loop().create_future()
        raise ConnectionBrokenError(str(self.endpoint), "it broke", sent=call.sent)

    async def stream(self, path: str, metadata: Metadata = ()) -> Stream:
        raise AssertionError("no test opens a stream here")

    async def close(self) -> None:
        """There is nothing to close."""


async def test_calls_stay_with_the_endpoint_that_answers() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    async with cluster.client() as client:
        for _ in range(3):
            await client.get("k")
    assert cluster.places == ["a Range"] * 3


@pytest.mark.parametrize("event", [Unsent, Broken, NoLeaderError(), LeaderChangedError(), RequestTimeoutError()])
async def test_read_goes_to_the_next_endpoint_and_stays_there(event: Event) -> None:
    cluster = Cluster("a", "b", raftkv=False)
    cluster.happen("a", event)
    async with cluster.client() as client:
        assert (await client.range("k")).count == 7
        await client.range("k")
    assert cluster.places == ["a Range", "b Range", "b Range"]


async def test_refusal_is_not_retried() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    cluster.happen("a", CompactedError())
    async with cluster.client() as client:
        with pytest.raises(CompactedError):
            await client.get("k", revision=1)
    assert cluster.places == ["a Range"]


@pytest.mark.parametrize("event", [Unsent, NoLeaderError()])
async def test_write_that_was_not_begun_goes_elsewhere_whatever_the_server(event: Event) -> None:
    cluster = Cluster("a", "b", raftkv=False)
    cluster.happen("a", event)
    async with cluster.client() as client:
        await client.put("k")
    assert cluster.places == ["a Put", "b Put"]


@pytest.mark.parametrize("event", [Broken, RequestTimeoutError()])
async def test_write_in_doubt_is_repeated_under_its_id_by_raftkv(event: Event) -> None:
    cluster = Cluster("a", "b", raftkv=True)
    async with cluster.client() as client:
        await client.get("k")  # now the client knows what answers
        cluster.happen("a", event)
        await client.put("k")
        await client.put("k")
    assert cluster.places == ["a Range", "a Put", "b Put", "b Put"]
    assert cluster.request_ids == [None, b"0" * 32 + b"-1", b"0" * 32 + b"-1", b"0" * 32 + b"-2"]


async def test_write_in_doubt_is_not_repeated_by_etcd() -> None:
    cluster = Cluster("a", "b", raftkv=False)
    async with cluster.client() as client:
        await client.get("k")
        cluster.happen("a", Broken)
        with pytest.raises(OutcomeUnknownError, match="a:2379: it broke") as caught:
            await client.put("k")
    assert isinstance(caught.value.__cause__, ConnectionBrokenError)
    assert cluster.places == ["a Range", "a Put"]


async def test_unknown_server_is_asked_what_it_is_before_a_write_is_repeated() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    cluster.happen("a", Broken)
    async with cluster.client() as client:
        await client.put("k")
    assert cluster.places == ["a Put", "b Status", "b Put"]


async def test_unknown_server_that_turns_out_to_be_etcd_gets_no_repeated_write() -> None:
    cluster = Cluster("a", "b", raftkv=False)
    cluster.happen("a", Broken)
    async with cluster.client() as client:
        with pytest.raises(OutcomeUnknownError):
            await client.put("k")
    assert cluster.places == ["a Put", "b Status"]


async def test_server_that_cannot_say_what_it_is_gets_no_repeated_write() -> None:
    cluster = Cluster("a", raftkv=False)
    cluster.happen("a", Broken, NoSpaceError())
    async with cluster.client() as client:
        with pytest.raises(OutcomeUnknownError, match="it broke"):
            await client.put("k")


async def test_request_without_a_request_id_in_the_log_is_never_repeated() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    async with cluster.client() as client:
        await client.get("k")
        cluster.happen("a", Broken)
        with pytest.raises(OutcomeUnknownError):
            await client.call(MOVE_LEADER, rpc.MoveLeaderRequest(targetID=1))
    assert cluster.places == ["a Range", "a MoveLeader"]


async def test_transaction_that_only_reads_is_repeated_everywhere() -> None:
    cluster = Cluster("a", "b", raftkv=False)
    cluster.happen("a", Broken)
    async with cluster.client() as client:
        assert (await client.txn(success=[Get("k")])).succeeded
        cluster.happen("b", Broken)
        with pytest.raises(OutcomeUnknownError):
            await client.txn(success=[Put("k")])


async def test_refusal_of_a_repeated_write_leaves_its_outcome_unknown() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    async with cluster.client() as client:
        await client.get("k")
        cluster.happen("a", Broken)
        cluster.happen("b", LeaseNotFoundError())
        with pytest.raises(OutcomeUnknownError, match="lease not found"):
            await client.put("k", lease=5)


async def test_error_of_a_proxy_without_our_header_does_not_make_the_cluster_foreign() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    async with cluster.client() as client:
        await client.get("k")
        cluster.raftkv = False
        cluster.happen("a", NoLeaderError())
        cluster.happen("b", NoLeaderError())
        cluster.happen("a", CompactedError())
        with pytest.raises(CompactedError):
            await client.get("k")
        cluster.raftkv = True
        cluster.happen("a", Broken)
        await client.put("k")
    assert cluster.places[-2:] == ["a Put", "b Put"]


async def test_read_that_is_not_answered_ends_at_its_deadline() -> None:
    cluster = Cluster("a", raftkv=True)
    cluster.happen("a", Silent)
    async with cluster.client(deadline=0.01) as client:
        with pytest.raises(DeadlineExceededError, match="no answer from a:2379 within"):
            await client.get("k")


async def test_write_that_is_not_answered_ends_with_its_outcome_unknown() -> None:
    cluster = Cluster("a", raftkv=True)
    cluster.happen("a", Silent)
    async with cluster.client() as client:
        with pytest.raises(WriteTimeoutError, match="may have been applied"):
            await client.put("k", timeout=0.01)


async def test_after_a_call_that_is_not_answered_the_next_one_goes_elsewhere() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    cluster.happen("a", Silent)
    async with cluster.client() as client:
        with pytest.raises(DeadlineExceededError):
            await client.get("k", timeout=0.01)
        await client.get("k")
        await client.get("k")
    assert cluster.places == ["a Range", "b Range", "b Range"]


async def test_endpoints_that_cannot_be_reached_are_named_at_the_deadline() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    cluster.happen("a", Unsent)
    cluster.happen("b", Unconnected)
    async with cluster.client(deadline=0.01) as client:
        with pytest.raises(ConnectError) as caught:
            await client.put("k")
    assert caught.value.reasons == {"a:2379": "it broke", "b:2379": "no connection within 0.01 s"}


async def test_client_that_does_not_wait_tries_each_endpoint_once() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    cluster.happen("a", Unsent)
    cluster.happen("b", Unsent)
    async with cluster.client(wait_for_ready=False) as client:
        with pytest.raises(ConnectError, match="no endpoint answers: a:2379: it broke; b:2379: it broke"):
            await client.get("k")
    assert cluster.places == ["a Range", "b Range"]


async def test_client_that_waits_goes_round_until_one_answers() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    cluster.happen("a", Unsent, Unsent, Unsent)
    cluster.happen("b", Unsent, Unsent)
    async with cluster.client() as client:
        await client.get("k")
    assert cluster.places == ["a Range", "b Range"] * 2 + ["a Range", "b Range"]


async def test_call_at_one_endpoint_never_goes_elsewhere() -> None:
    cluster = Cluster("a", "b", raftkv=True)
    cluster.happen("b", Unsent, Unsent)
    async with cluster.client() as client:
        assert (await client.status("b")).version == "x"
        await client.get("k")
    assert cluster.places == ["b Status"] * 3 + ["a Range"]


async def test_what_another_cluster_answers_at_a_named_endpoint_says_nothing_of_this_one() -> None:
    cluster = Cluster("a", raftkv=True)
    async with cluster.client() as client:
        await client.status("elsewhere")
        cluster.raftkv = False
        cluster.happen("a", Broken)
        with pytest.raises(OutcomeUnknownError):
            await client.put("k")


async def test_closed_client_refuses_calls() -> None:
    cluster = Cluster("a", raftkv=True)
    async with cluster.client() as client:
        await client.get("k")
    with pytest.raises(ClientClosedError):
        await client.get("k")


async def test_client_that_was_closed_before_it_was_used_refuses_calls() -> None:
    client = Client()
    await client.close()
    with pytest.raises(ClientClosedError):
        await client.get("k")


async def test_cancelled_write_gives_its_place_in_the_window_back() -> None:
    cluster = Cluster("a", raftkv=True)
    async with cluster.client() as client:
        for _ in range(200):
            cluster.happen("a", Silent)
            cluster.silent.clear()
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(client.put("k"))
                await cluster.silent.wait()
                task.cancel()
        await client.put("k")
    assert cluster.request_ids[-1] == b"0" * 32 + b"-201"


async def test_answer_that_does_not_parse_is_an_error_of_its_own() -> None:
    cluster = Cluster("a", raftkv=True)
    async with cluster.client() as client:
        method = Method("/etcdserverpb.Maintenance/Status", rpc.MemberListResponse, Repeat.ALWAYS)
        with pytest.raises(RequestError, match="the answer is no MemberListResponse") as caught:
            await client.call(method, rpc.StatusRequest())
    assert caught.value.code is Code.INTERNAL


def test_client_in_a_second_loop_is_refused_by_name() -> None:
    cluster = Cluster("a", raftkv=True)
    client = Client("a", open_channel=lambda endpoint: ScriptedChannel(endpoint, cluster))
    asyncio.run(get(client))
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(get(client))


async def get(client: Client) -> None:
    await client.get("k")
