"""What is read and encoded by hand is what protobuf reads and encodes."""

from hypothesis import given
from hypothesis import strategies as st

from raftkv.apply.command import PUT, body, plain_put
from raftkv.mvcc.plain import plain_version, read_plain_put, read_varint, varint
from raftkv.mvcc.transaction import next_version
from raftkv.pb.command import Command, RequestId
from raftkv.pb.kv import KeyValue
from raftkv.pb.rpc import PutRequest

keys = st.one_of(st.binary(min_size=1, max_size=40), st.binary(min_size=120, max_size=140))
values = st.one_of(st.binary(max_size=40), st.binary(min_size=120, max_size=140), st.integers(16_000, 17_000).map(bytes))
revisions = st.integers(1, 1 << 62)
numbers = st.integers(0, (1 << 64) - 1)


@given(numbers)
def test_varints_come_back(value: int) -> None:
    encoded = varint(value)
    assert read_varint(encoded + b"\xff", 0) == (value, len(encoded))
    assert (b"\x08" + encoded if value else b"") == RequestId(sequence=value).SerializeToString().replace(b"\x10", b"\x08", 1)


@given(keys, values, revisions)
def test_the_first_version_is_protobufs(key: bytes, value: bytes, revision: int) -> None:
    expected = next_version(PutRequest(key=key, value=value), None, revision)
    assert plain_version(key, value, None, revision) == expected


@given(keys, values, st.lists(revisions, min_size=2, max_size=2).map(sorted), st.integers(0, 1 << 62), st.booleans())
def test_the_next_version_is_protobufs(key: bytes, value: bytes, past: list[int], version: int, leased: bool) -> None:  # noqa: FBT001 (a table)
    before = KeyValue(
        key=key, create_revision=past[0], mod_revision=past[1], version=1 + version, value=value[:2], lease=int(leased)
    )
    previous = before.SerializeToString()
    expected = next_version(PutRequest(key=key, value=value), previous, past[1] + 1)
    assert plain_version(key, value, previous, past[1] + 1) == expected


@given(keys, values)
def test_a_plain_put_is_read(key: bytes, value: bytes) -> None:
    encoded = PutRequest(key=key, value=value).SerializeToString()
    assert read_plain_put(b"before" + encoded, 6) == (key, value)


@given(
    st.builds(
        PutRequest,
        key=st.binary(max_size=3),
        value=st.binary(max_size=3),
        lease=st.integers(0, 2),
        prev_kv=st.booleans(),
        ignore_value=st.booleans(),
        ignore_lease=st.booleans(),
    ),
    numbers,
    numbers,
    st.none() | st.builds(RequestId, client=st.binary(max_size=2), sequence=st.integers(0, 2)),
    st.sampled_from(["", "root"]),
)
def test_a_command_is_plain_where_nothing_else_is_in_it(
    put: PutRequest, proposer: int, proposal: int, request_id: RequestId | None, user: str
) -> None:
    head = Command(proposer=proposer, proposal=proposal, request_id=request_id, user=user).SerializeToString()
    data = head + body(PUT, put.SerializeToString())
    plain = plain_put(data)
    asks_more = put.lease or put.prev_kv or put.ignore_value or put.ignore_lease or request_id is not None or user
    if plain is None:
        assert asks_more or not put.key or not proposer or not proposal
    else:
        assert not asks_more
        assert plain == (proposer, proposal, put.key, put.value)


@given(st.binary(min_size=1, max_size=60), st.integers(0, 60))
def test_bytes_that_are_no_plain_put_are_left_to_protobuf(data: bytes, cut: int) -> None:
    whole = b"\x08\x01\x10\x01" + body(PUT, PutRequest(key=b"key", value=b"value").SerializeToString())
    for damaged in (data, whole[:cut] or b"\0", whole[:cut] + data):
        plain = plain_put(damaged)
        if plain is not None:
            command = Command.FromString(damaged)
            assert plain == (command.proposer, command.proposal, command.put.key, command.put.value)
            assert Command(proposer=plain[0], proposal=plain[1], put=PutRequest(key=plain[2], value=plain[3])) == command
