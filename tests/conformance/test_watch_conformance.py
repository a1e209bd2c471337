"""The same requests on a watch stream, to a real etcd 3.5.1 and to raftkv, get the same responses."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import grpc
import pytest

from raftkv.pb import rpc
from tests.conformance.watching import RawWatch
from tests.conftest import StartCluster
from tests.harness.calls import Caller
from tests.harness.cluster import Cluster
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

NOPUT, NODELETE = rpc.WatchCreateRequest.NOPUT, rpc.WatchCreateRequest.NODELETE
OPTIONS = {"max-request-bytes": "100000"}
Scenario = Callable[["Server"], Any]


class Server:
    """One of the two."""

    def __init__(self, cluster: Cluster) -> None:
        self.caller: Caller = cluster.nodes[0].caller
        self.endpoint = cluster.endpoints[0]
        self._streams: list[RawWatch] = []

    def stream(self, **metadata: str) -> RawWatch:
        self._streams.append(RawWatch(self.endpoint, metadata))
        return self._streams[-1]

    def put(self, key: bytes, value: bytes = b"", **options: Any) -> int:
        revision: int = self.caller.ask(rpc.PutRequest(key=key, value=value, **options)).header.revision
        return revision

    def delete(self, key: bytes, range_end: bytes = b"") -> int:
        revision: int = self.caller.ask(rpc.DeleteRangeRequest(key=key, range_end=range_end)).header.revision
        return revision

    def txn(self, *puts: rpc.PutRequest) -> int:
        ops = [rpc.RequestOp(request_put=put) for put in puts]
        revision: int = self.caller.ask(rpc.TxnRequest(success=ops)).header.revision
        return revision

    def close(self) -> None:
        for stream in self._streams:
            stream.close()


@pytest.fixture
def both(start_cluster: StartCluster) -> Iterator[list[Server]]:
    etcd = start_cluster(EtcdCluster, options={"unsafe-no-fsync": "true", **OPTIONS})
    servers = [Server(etcd), Server(start_cluster(RaftkvCluster, options=OPTIONS))]
    yield servers
    for server in servers:
        server.close()


def compare(both: list[Server], *scenarios: Scenario) -> None:
    for scenario in scenarios:
        expected, actual = (scenario(server) for server in both)
        assert actual == expected, scenario.__name__


def live_events(server: Server) -> Any:
    stream = server.stream()
    stream.create(b"live")
    stream.create(b"live", b"livf", prev_kv=True)
    created = stream.take(2)
    server.put(b"live", b"1")
    server.put(b"live", b"2")
    server.delete(b"live")
    both = stream.take(6)
    server.delete(b"live")  # of nothing: no event
    server.txn(rpc.PutRequest(key=b"live/2"), rpc.PutRequest(key=b"live/1"), rpc.PutRequest(key=b"other"))
    return created, sorted(both, key=lambda response: (response.header.revision, response.watch_id)), stream.take()


def history(server: Server) -> Any:
    first = server.put(b"history", b"1")
    server.put(b"history", b"2")
    server.txn(rpc.PutRequest(key=b"history/2"), rpc.PutRequest(key=b"history/1"))
    server.delete(b"history", b"historz")
    stream = server.stream()
    stream.create(b"history", start_revision=first)
    one = stream.take(2)
    stream.create(b"history", b"historz", start_revision=first + 1, prev_kv=True)
    two = stream.take(2)
    stream.create(b"history", start_revision=first + 3)
    return one, two, stream.take(2)


def filters(server: Server) -> Any:
    answers = []
    stream = server.stream()
    for chosen in ([NOPUT], [NODELETE], [NOPUT, NODELETE], []):
        stream.create(b"filters", filters=chosen)
        answers += stream.take()
    server.put(b"filters")
    server.delete(b"filters")
    told = stream.events(4)
    return answers, sorted(told, key=lambda response: (response.watch_id, response.header.revision))


def ids_and_refusals(server: Server) -> Any:
    stream = server.stream()
    for watch_id in (0, 5, 5, 0, 1, 1, 0, 0, 0, 0, 6):
        stream.create(b"ids", watch_id=watch_id)
    ids = stream.take(11)
    stream.create(b"b", b"a")
    stream.create(b"b", b"b")
    refused = stream.take(2)
    for response in refused:  # etcd 3.5.1 does not take -1 for all of them; later ones do
        response.ClearField("watch_id")
    stream.cancel(77)
    stream.cancel(5)
    stream.create(b"ids", watch_id=5)
    stream.send(rpc.WatchRequest())
    stream.cancel(5)
    return ids, refused, stream.take(3)


def ranges(server: Server) -> Any:
    stream = server.stream()
    for key, end in ((b"", b""), (b"", b"\0"), (b"range", b"\0"), (b"range", b"rangf"), (b"\0", b"range")):
        stream.create(key, end)
    created = stream.take(5)
    for key in (b"range", b"zzz", b"\0", b"range/1", b"a"):
        server.put(key)
    told = stream.events(5 + 3 + 2 + 2 + 1)
    return created, sorted(told, key=lambda response: (response.watch_id, response.header.revision))


def compacted(server: Server) -> Any:
    for value in (b"1", b"2", b"3"):
        last = server.put(b"compacted", value)
    server.caller.ask(rpc.CompactionRequest(revision=last - 1))
    stream = server.stream()
    stream.create(b"compacted", start_revision=last - 2)
    gone = stream.take(2)
    gone[-1].header.ClearField("revision")  # etcd 3.5.1 says 0
    stream.create(b"compacted", start_revision=last - 1, prev_kv=True)
    kept = stream.take(2)
    stream.create(b"compacted")
    return gone, kept, stream.take()


def future(server: Server) -> Any:
    now = server.put(b"future", b"now")
    stream = server.stream()
    stream.create(b"future", start_revision=now + 3)
    created = stream.take()
    for value in (b"1", b"2", b"3", b"4"):
        server.put(b"future", value)
    return created, stream.take(2)


def fragments(server: Server) -> Any:
    for number in range(8):
        server.put(b"fragments/%d" % number, bytes(90_000))
    first = server.delete(b"nothing") - 7
    server.txn(rpc.PutRequest(key=b"fragments/t", value=b"last"))
    stream = server.stream()
    stream.create(b"fragments/", b"fragments0", start_revision=first, fragment=True)
    (created,) = stream.take()
    parts = stream.events(9)
    return created, [(part.fragment, len(part.events), part.watch_id) for part in parts]


def progress(server: Server) -> Any:
    stream = server.stream()
    stream.create(b"progress")
    stream.take()
    server.put(b"progress")
    told = stream.take()
    server.put(b"elsewhere")
    stream.progress()
    return told, stream.take()


def listening_only(server: Server) -> Any:
    stream = server.stream()
    stream.create(b"listening")
    stream.take()
    stream.half_close()
    server.put(b"listening")
    return stream.take()


def test_streams_are_answered_as_by_etcd(both: list[Server]) -> None:
    compare(both, live_events, history, filters, ids_and_refusals, ranges, compacted, future, progress, listening_only)


def test_large_responses_come_in_the_same_parts(both: list[Server]) -> None:
    compare(both, fragments)


def test_progress_comes_by_itself(start_cluster: StartCluster) -> None:
    etcd = start_cluster(EtcdCluster, options={"experimental-watch-progress-notify-interval": "200ms"})
    raftkv = start_cluster(RaftkvCluster, options={"watch-progress-notify-interval": "200ms"})

    def quiet(server: Server) -> Any:
        stream = server.stream()
        stream.create(b"quiet", progress_notify=True)
        stream.create(b"quiet")
        stream.take(2)
        server.put(b"elsewhere")
        return stream.take(3)[-1]

    servers = [Server(etcd), Server(raftkv)]
    compare(servers, quiet)
    for server in servers:
        server.close()


def test_random_histories_are_told_alike(both: list[Server]) -> None:
    """Each watch's events, whatever responses they come in."""

    def scenario(server: Server) -> Any:
        rng = Random(7)
        keys = [b"r/%d" % number for number in range(5)]
        stream = server.stream()
        ends: list[tuple[bytes, bool]] = []
        revision = 1
        for _ in range(150):
            kind, key = rng.randrange(8), rng.choice(keys)
            if kind == 0:
                first, end, start = rng.choice(keys), rng.choice((b"", b"\0", b"r0")), max(1, revision - rng.randrange(12))
                filters = rng.choice(([], [NOPUT], [NODELETE]))
                stream.create(first, end, start_revision=start, prev_kv=rng.random() < 0.5, filters=filters)
                ends.append((keys[-1] if end else first, NOPUT in filters))
            elif kind == 1:
                revision = server.delete(key, rng.choice((b"", b"r/3", b"\0")))
            else:
                revision = server.put(key, b"%d" % rng.randrange(100))
        marks = {key: (server.put(key), server.delete(key), server.put(key)) for key in keys}
        return told_until(stream, [marks[key][1 if no_put else 2] for key, no_put in ends])

    compare(both, scenario)


def told_until(stream: RawWatch, last: list[int]) -> dict[int, list[Any]]:
    """The events of each watch, until it has been told of its last revision."""
    told: dict[int, list[Any]] = {number: [] for number in range(len(last))}
    open_watches = set(told)
    while open_watches:
        (response,) = stream.take()
        told[response.watch_id] += response.events
        if response.events and response.events[-1].kv.mod_revision >= last[response.watch_id]:
            open_watches.discard(response.watch_id)
    return told


def test_without_a_leader_streams_that_need_one_end(start_cluster: StartCluster) -> None:
    options = {"heartbeat-interval": "20", "election-timeout": "200"}
    for target in (EtcdCluster, RaftkvCluster):
        cluster = start_cluster(target, size=3, options=options)
        leader = cluster.leader()
        node = next(node for node in cluster.nodes if node is not leader)
        stream, patient = RawWatch(node.endpoint, {"hasleader": "true"}), RawWatch(node.endpoint)
        for each in (stream, patient):
            each.create(b"a")
            each.take()
        for other in cluster.nodes:
            if other is not node:
                other.kill()
        with pytest.raises(grpc.RpcError) as caught:
            stream.take()
        error: Any = caught.value
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "etcdserver: no leader")
        assert patient.call.is_active()
        stream.close()
        patient.close()
