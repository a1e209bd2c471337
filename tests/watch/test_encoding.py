"""What is written by hand reads as what protobuf would have written."""

from hypothesis import given
from hypothesis import strategies as st

from raftkv.mvcc import Event
from raftkv.pb.kv import Event as EventMessage
from raftkv.pb.kv import KeyValue
from raftkv.pb.rpc import ResponseHeader, WatchResponse
from raftkv.watch.encoding import batches, bodies, event_piece, tail, varint

HEAD = WatchResponse(header=ResponseHeader(cluster_id=7, revision=9)).SerializeToString()
KVS = st.builds(KeyValue, key=st.binary(max_size=300), value=st.binary(max_size=300), mod_revision=st.integers(0, 2**62))


@given(st.integers(-(2**63), 2**63 - 1))
def test_watch_ids_of_all_sizes(watch_id: int) -> None:
    assert WatchResponse.FromString(tail(watch_id)) == WatchResponse(watch_id=watch_id)
    assert len(tail(watch_id)) <= 11


@given(KVS, st.none() | KVS, st.booleans(), st.booleans(), st.integers(0, 300))
def test_events(kv: KeyValue, before: KeyValue | None, deleted: bool, previous: bool, watch_id: int) -> None:  # noqa: FBT001 (hypothesis)
    encoded = None if deleted else kv.SerializeToString()
    event = Event(kv.key, kv.mod_revision, encoded, None if before is None else before.SerializeToString())
    (body,) = bodies(HEAD, [event_piece(event, previous=previous)] * 2, 0)
    plain = EventMessage(type=EventMessage.DELETE if deleted else EventMessage.PUT, kv=event.kv)
    if previous and before is not None:
        plain.prev_kv.CopyFrom(before)
    expected = WatchResponse(header=ResponseHeader(cluster_id=7, revision=9), watch_id=watch_id, events=[plain, plain])
    assert WatchResponse.FromString(body + tail(watch_id)) == expected


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.integers(100, 1000))
def test_fragments_are_below_the_limit_and_lose_nothing(sizes: list[int], limit: int) -> None:
    events = [
        Event(b"k", number, KeyValue(key=b"k", value=bytes(size)).SerializeToString(), None)
        for number, size in enumerate(sizes)
    ]
    parts = [
        WatchResponse.FromString(body) for body in bodies(HEAD, [event_piece(event, previous=False) for event in events], limit)
    ]
    assert [len(event.kv.value) for part in parts for event in part.events] == sizes
    assert [part.fragment for part in parts] == [True] * (len(parts) - 1) + [False]
    assert all(part.header.revision == 9 for part in parts)
    assert all(part.ByteSize() < limit or len(part.events) == 1 for part in parts)


def test_batches_end_between_revisions_only() -> None:
    piece = bytes(400_000)
    told = [(revision, piece) for revision in (1, 1, 1, 1, 2, 3, 3, 3, 4)]
    assert [len(batch) for batch in batches(told)] == [4, 4, 1]


def test_varints() -> None:
    assert [varint(number) for number in (0, 1, 127, 128, 300)] == [b"\0", b"\1", b"\x7f", b"\x80\1", b"\xac\2"]
