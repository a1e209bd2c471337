"""Every method and option, against servers."""

import asyncio

import pytest

from raftkv.client import Client, CreateRevision, Delete, Get, Lease, Method, ModRevision, Put, Repeat, Txn, Value, Version
from raftkv.errors import (
    Code,
    CompactedError,
    DeadlineExceededError,
    DuplicateKeyError,
    EmptyKeyError,
    FutureRevisionError,
    KeyNotFoundError,
    LeaseNotFoundError,
    LeaseProvidedError,
    RequestError,
    RequestTooLargeError,
    UnimplementedError,
    ValueProvidedError,
)
from raftkv.pb import rpc
from tests.client.targets import at_etcd

LEASE_GRANT = Method("/etcdserverpb.Lease/LeaseGrant", rpc.LeaseGrantResponse, Repeat.BY_ID)
MIB = 1024 * 1024


async def fill(client: Client, prefix: str, values: str) -> list[int]:
    """One key for each letter; the revisions that put them."""
    return [(await client.put(f"{prefix}{letter}", letter)).header.revision for letter in values]


def names(response: rpc.RangeResponse) -> str:
    """The last letters of the keys, in the order of the answer."""
    return "".join(key_value.key.decode()[-1] for key_value in response.kvs)


async def test_put_and_get(client: Client, prefix: str) -> None:
    revision = (await client.put(f"{prefix}k", "ä")).header.revision
    found = await client.get(f"{prefix}k")
    assert found is not None
    assert (found.value, found.version, found.create_revision, found.mod_revision) == ("ä".encode(), 1, revision, revision)


async def test_get_of_nothing_is_none(client: Client, prefix: str) -> None:
    assert await client.get(f"{prefix}k") is None


async def test_bytes_that_are_no_text_come_back_unchanged(client: Client, prefix: str) -> None:
    key = prefix.encode() + b"\xff\x00"
    await client.put(key, bytes(range(256)))
    found = await client.get(key)
    assert found is not None
    assert found.value == bytes(range(256))


async def test_put_answers_what_was_there_before(client: Client, prefix: str) -> None:
    assert not (await client.put(f"{prefix}k", "1", prev_kv=True)).HasField("prev_kv")
    assert (await client.put(f"{prefix}k", "2", prev_kv=True)).prev_kv.value == b"1"


@at_etcd
async def test_put_can_keep_the_value_or_the_lease(client: Client, prefix: str) -> None:
    lease = (await client.call(LEASE_GRANT, rpc.LeaseGrantRequest(TTL=600))).ID
    await client.put(f"{prefix}k", "1")
    await client.put(f"{prefix}k", lease=lease, ignore_value=True)
    await client.put(f"{prefix}k", "2", ignore_lease=True)
    found = await client.get(f"{prefix}k")
    assert found is not None
    assert (found.value, found.lease) == (b"2", lease)


async def test_get_of_an_old_revision(client: Client, prefix: str) -> None:
    first = (await client.put(f"{prefix}k", "1")).header.revision
    await client.put(f"{prefix}k", "2")
    found = await client.get(f"{prefix}k", revision=first, serializable=True)
    assert found is not None
    assert found.value == b"1"


async def test_ranges(client: Client, prefix: str) -> None:
    await fill(client, prefix, "abcd")
    assert names(await client.range(f"{prefix}b")) == "b"
    assert names(await client.range(f"{prefix}b", f"{prefix}d")) == "bc"
    assert names(await client.range(prefix, prefix=True)) == "abcd"
    assert names(await client.range(f"{prefix}c", from_key=True)).startswith("cd")
    assert (await client.range("", prefix=True, count_only=True)).count >= 4


async def test_limit_says_whether_it_cut(client: Client, prefix: str) -> None:
    await fill(client, prefix, "abcd")
    cut = await client.range(prefix, prefix=True, limit=3)
    assert (names(cut), cut.more, cut.count) == ("abc", True, 4)


async def test_order(client: Client, prefix: str) -> None:
    for key, value in [("a", "2"), ("b", "3"), ("c", "1"), ("a", "2")]:
        await client.put(f"{prefix}{key}", value)
    assert names(await client.range(prefix, prefix=True, order="descend")) == "cba"
    assert names(await client.range(prefix, prefix=True, sort_by="key")) == "abc"
    assert names(await client.range(prefix, prefix=True, sort_by="value")) == "cab"
    assert names(await client.range(prefix, prefix=True, sort_by="version", order="descend"))[0] == "a"
    assert names(await client.range(prefix, prefix=True, sort_by="create", order="descend")) == "cba"
    assert names(await client.range(prefix, prefix=True, sort_by="mod")) == "bca"
    assert names(await client.range(prefix, prefix=True, sort_by="mod", limit=1)) == "b"


async def test_filters_by_revision(client: Client, prefix: str) -> None:
    a, b, c, d = await fill(client, prefix, "abcd")
    assert names(await client.range(prefix, prefix=True, min_mod_revision=b, max_mod_revision=c)) == "bc"
    assert names(await client.range(prefix, prefix=True, min_create_revision=c)) == "cd"
    assert names(await client.range(prefix, prefix=True, max_create_revision=a)) == "a"
    assert d > c


async def test_keys_only_and_count_only(client: Client, prefix: str) -> None:
    await fill(client, prefix, "ab")
    keys = await client.range(prefix, prefix=True, keys_only=True)
    assert [(key_value.key, key_value.value) for key_value in keys.kvs] == [(f"{prefix}{key}".encode(), b"") for key in "ab"]
    count = await client.range(prefix, prefix=True, count_only=True)
    assert (len(count.kvs), count.count) == (0, 2)


async def test_reads_may_be_stale(client: Client, prefix: str) -> None:
    await client.put(f"{prefix}k", "v")
    assert await client.get(f"{prefix}k", serializable=True) is not None
    assert await client.get(f"{prefix}k", max_staleness_ms=60_000) is not None


async def test_delete(client: Client, prefix: str) -> None:
    await fill(client, prefix, "abcde")
    one = await client.delete(f"{prefix}a", prev_kv=True)
    assert (one.deleted, one.prev_kvs[0].value) == (1, b"a")
    assert (await client.delete(f"{prefix}b", f"{prefix}d")).deleted == 2
    assert (await client.delete(prefix, prefix=True)).deleted == 2
    assert (await client.delete(f"{prefix}a")).deleted == 0
    await client.put("\xff" + prefix)
    assert (await client.delete("\xff" + prefix, from_key=True)).deleted == 1


async def test_transaction_takes_one_branch(client: Client, prefix: str) -> None:
    await client.put(f"{prefix}k", "v")

    async def run(*compare: rpc.Compare) -> bool:
        return (await client.txn(compare, [Put(f"{prefix}yes")], [Put(f"{prefix}no")])).succeeded

    assert await run(Value(f"{prefix}k") == "v", Version(f"{prefix}k") > 0)
    assert await run()
    assert not await run(Value(f"{prefix}k") == "v", Version(f"{prefix}k") > 1)
    assert not await run(Value(f"{prefix}absent") != "v")
    assert await run(CreateRevision(f"{prefix}absent") == 0, ModRevision(f"{prefix}k") < 1 << 62, Lease(f"{prefix}k") == 0)
    assert await run(Version(prefix, prefix=True) > 0)


async def test_transaction_answers_each_operation(client: Client, prefix: str) -> None:
    await client.put(f"{prefix}a", "1")
    response = await client.txn(
        success=[
            Get(f"{prefix}a"),
            Put(f"{prefix}b", "2", prev_kv=True),
            Delete(f"{prefix}a"),
            Txn(success=[Get(f"{prefix}b")]),
        ]
    )
    found, put, deleted, nested = response.responses
    assert found.response_range.kvs[0].value == b"1"
    assert put.response_put.header.revision == response.header.revision
    assert deleted.response_delete_range.deleted == 1
    assert nested.response_txn.responses[0].response_range.kvs[0].value == b"2"


async def test_compaction(client: Client, prefix: str) -> None:
    first = (await client.put(f"{prefix}k", "1")).header.revision
    last = (await client.put(f"{prefix}k", "2")).header.revision
    await client.compact(last, physical=True)
    with pytest.raises(CompactedError):
        await client.get(f"{prefix}k", revision=first)
    with pytest.raises(CompactedError):
        await client.compact(first)
    with pytest.raises(FutureRevisionError):
        await client.compact(1 << 40)


async def test_errors_come_as_their_classes(client: Client, prefix: str) -> None:
    for error, call in {
        EmptyKeyError: client.put("", "v"),
        KeyNotFoundError: client.put(f"{prefix}absent", ignore_value=True),
        ValueProvidedError: client.put(f"{prefix}k", "v", ignore_value=True),
        LeaseProvidedError: client.put(f"{prefix}k", lease=5, ignore_lease=True),
        LeaseNotFoundError: client.put(f"{prefix}k", lease=12345),
        FutureRevisionError: client.get(f"{prefix}k", revision=1 << 40),
        DuplicateKeyError: client.txn(success=[Put(f"{prefix}k"), Put(f"{prefix}k")]),
        RequestTooLargeError: client.put(f"{prefix}k", bytes(1536 * 1024)),
    }.items():
        with pytest.raises(error) as caught:
            await call
        assert str(caught.value) == error.text


async def test_value_near_the_limit_passes_and_one_above_the_transports_is_refused(client: Client, prefix: str) -> None:
    value = bytes(range(256)) * (1530 * 4)
    await client.put(f"{prefix}k", value)
    found = await client.get(f"{prefix}k")
    assert found is not None
    assert found.value == value
    with pytest.raises(RequestError) as caught:
        await client.put(f"{prefix}k", bytes(3 * MIB))
    assert caught.value.code in {Code.RESOURCE_EXHAUSTED, Code.INVALID_ARGUMENT}


async def test_answer_of_many_large_values(client: Client, prefix: str) -> None:
    for number in range(8):
        await client.put(f"{prefix}{number}", bytes(MIB))
    response = await client.range(prefix, prefix=True)
    assert sum(len(key_value.value) for key_value in response.kvs) == 8 * MIB


async def test_many_calls_at_once(client: Client, prefix: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(500):
            tasks.create_task(client.put(f"{prefix}{number}", str(number)))
    assert (await client.range(prefix, prefix=True, count_only=True)).count == 500


async def test_deadline_is_kept_and_told(client: Client) -> None:
    await client.get("k", timeout=float("inf"))
    with pytest.raises(DeadlineExceededError):
        await client.get("k", timeout=1e-6)


async def test_status_and_members(client: Client, endpoint: str) -> None:
    status = await client.status()
    assert status.leader == status.header.member_id
    assert (await client.status(endpoint)).header.member_id == status.leader
    for linearizable in (True, False):
        members = (await client.members(linearizable=linearizable)).members
        assert [(member.ID, *member.clientURLs) for member in members] == [(status.leader, f"http://{endpoint}")]


async def test_endpoints_from_the_members(endpoint: str) -> None:
    async with Client([endpoint, "127.0.0.1:1"], timeout=20.0) as client:
        assert await client.sync_endpoints() == (endpoint,)
        assert client.endpoints == (endpoint,)
        await client.get("k")


async def test_alarms_are_listed_and_lowered(client: Client) -> None:
    member = (await client.status()).leader
    activate = rpc.AlarmRequest(action=rpc.AlarmRequest.ACTIVATE, memberID=member, alarm=rpc.AlarmType.NOSPACE)
    await client.call(Method("/etcdserverpb.Maintenance/Alarm", rpc.AlarmResponse), activate)
    assert [alarm.memberID for alarm in (await client.alarms()).alarms] == [member]
    assert await client.alarm_disarm(member + 1) == []
    assert await client.alarm_disarm(alarm=rpc.AlarmType.CORRUPT) == []
    assert [alarm.alarm for alarm in await client.alarm_disarm()] == [rpc.AlarmType.NOSPACE]
    assert not (await client.alarms()).alarms


async def test_method_that_the_server_lacks(client: Client) -> None:
    with pytest.raises(UnimplementedError):
        await client.call(Method("/no.Such/Method", rpc.StatusResponse), rpc.StatusRequest())
