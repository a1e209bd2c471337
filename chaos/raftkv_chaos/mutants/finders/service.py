"""The services of a cluster, called as clients do: what is decided before the log, and what must not be."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from raftkv.errors import PermissionDeniedError, RequestError, RequestTooLargeError
from raftkv.pb import rpc
from raftkv.rpc.access import Access
from raftkv.rpc.kv import KV, Limits
from raftkv.rpc.method import Call
from raftkv.rpc.watch import Watch, WatchSettings
from raftkv.server.quota import Quota
from raftkv_chaos.mutants.finders.rough import RoughCluster, Tasks
from raftkv_chaos.sim.loop import run
from tests.server.replicas import Cluster, Node

COUNTER = b"counter"
CLIENTS = 4
TURNS = 10
LIMIT_BYTES = 1000


def find(seed: int) -> None:
    """One cluster."""
    run(_scenario(random.Random(seed)))  # noqa: S311 (to be repeated)


async def _scenario(rng: random.Random) -> None:
    async with Tasks() as tasks:
        cluster = RoughCluster(tasks, 3, rng.getrandbits(32))
        cluster.rough.delay_s = 0.003
        await cluster.leader()
        await _counts(cluster, rng)
        _too_large(rng.choice(list(cluster.nodes.values())), rng)
        await _asked_as_it_came(rng.choice(list(cluster.nodes.values())))
        for node in cluster.nodes.values():
            node.replica.stop()
            node.replica.failed.cancel()
        tasks.cancel()


def _service(node: Node) -> KV:
    quota = Quota(None, lambda: 0, lambda: None)
    access = Access(node.replica, None)  # type: ignore[arg-type] # nobody asks for tokens where there is no authentication
    return KV(node.replica, quota, Limits(max_request_bytes=LIMIT_BYTES), access)


async def _counts(cluster: Cluster, rng: random.Random) -> None:
    """Increments by compare and swap, at all nodes at once: each one that succeeded counts once."""
    services = [_service(node) for node in cluster.nodes.values()]
    succeeded = 0

    async def client() -> None:
        nonlocal succeeded
        for _ in range(TURNS):
            await asyncio.sleep(rng.uniform(0, 0.002))
            service = rng.choice(services)
            read = await service.range(rpc.RangeRequest(key=COUNTER), Call("", body=b""))
            before = read.kvs[0].value if read.kvs else b""
            compare = rpc.Compare(key=COUNTER, target=rpc.Compare.VALUE, value=before)
            if not before:
                compare = rpc.Compare(key=COUNTER, target=rpc.Compare.VERSION, version=0)
            put = rpc.RequestOp(request_put=rpc.PutRequest(key=COUNTER, value=b"%d" % (int(before or b"0") + 1)))
            request = rpc.TxnRequest(compare=[compare], success=[put])
            answer = await service.txn(request, Call("", body=request.SerializeToString()))
            succeeded += answer.succeeded

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CLIENTS):
            tasks.create_task(client())
    read = await services[0].range(rpc.RangeRequest(key=COUNTER), Call(""))
    assert int(read.kvs[0].value) == succeeded, f"{succeeded} increments succeeded, the counter is at {int(read.kvs[0].value)}"


def _too_large(node: Node, rng: random.Random) -> None:
    request = rpc.PutRequest(key=b"large", value=rng.randbytes(LIMIT_BYTES))
    try:
        _service(node).put(request, Call("", body=request.SerializeToString()))
    except RequestTooLargeError:
        return
    raise AssertionError("a request above the limit is proposed")


async def _asked_as_it_came(node: Node) -> None:
    """Who may read one key asks to watch from it on."""

    def authorize(request: rpc.WatchCreateRequest, _: Call) -> None:
        if request.range_end:
            raise PermissionDeniedError

    outlet = _Outlet()
    service = Watch(node.replica, WatchSettings(), authorize)

    async def requests() -> AsyncIterator[rpc.WatchRequest]:
        yield rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"a", range_end=b"\0"))

    with suppress(TimeoutError, RequestError):
        async with asyncio.timeout(1):
            async for _ in service.watch(requests(), Call("", outlet=outlet)):
                pass
    assert [answer.canceled for answer in outlet.answers] == [True], (
        "a watch from a key on is granted to who may read that key alone"
    )


class _Outlet:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.answers: list[rpc.WatchResponse] = []
        self.on_drained: Callable[[], None] | None = None
        self.backlog = 0

    def send(self, message: bytes) -> None:
        self.answers.append(rpc.WatchResponse.FromString(message))

    def send_each(self, body: bytes, tails: list[bytes]) -> None:
        for tail in tails:
            self.send(body + tail)

    def end(self, error: RequestError) -> None:
        raise error

    def abandon(self) -> None:
        raise AssertionError("nothing is left uncollected here")
