"""A bidirectional stream against a server: the watch."""

from raftkv.client import Client
from raftkv.client.channel import Stream
from raftkv.client.connection import ConnectionOptions
from raftkv.client.endpoint import parse_endpoint
from raftkv.client.http2 import DialOptions, Http2Channel
from raftkv.pb import rpc
from tests.client.targets import at_etcd

WATCH = "/etcdserverpb.Watch/Watch"
OPTIONS = DialOptions(
    timeout=5.0,
    tls=None,
    server_name=None,
    connection=ConnectionOptions(max_message_bytes=1 << 24, keepalive_after=1.0, keepalive_timeout=5.0),
)


async def receive(stream: Stream) -> rpc.WatchResponse:
    message = await stream.receive()
    assert message is not None
    return rpc.WatchResponse.FromString(message)


@at_etcd
async def test_watch_sees_changes_in_order_until_it_is_cancelled(client: Client, endpoint: str, prefix: str) -> None:
    channel = Http2Channel(parse_endpoint(endpoint, tls=False), OPTIONS)
    stream = await channel.stream(WATCH)
    create = rpc.WatchCreateRequest(key=f"{prefix}k".encode())
    await stream.send(rpc.WatchRequest(create_request=create).SerializeToString())
    assert (await receive(stream)).created
    for number in range(100):
        await client.put(f"{prefix}k", str(number))
    seen: list[bytes] = []
    while len(seen) < 100:
        seen += [event.kv.value for event in (await receive(stream)).events]
    assert seen == [b"%d" % number for number in range(100)]
    stream.cancel()
    assert await stream.receive() is None
    await channel.close()


@at_etcd
async def test_watch_with_much_to_catch_up_gets_all_of_it(client: Client, endpoint: str, prefix: str) -> None:
    first = (await client.put(f"{prefix}k", bytes(100_000))).header.revision
    for _ in range(99):
        await client.put(f"{prefix}k", bytes(100_000))
    channel = Http2Channel(parse_endpoint(endpoint, tls=False), OPTIONS)
    stream = await channel.stream(WATCH)
    create = rpc.WatchCreateRequest(key=f"{prefix}k".encode(), start_revision=first)
    await stream.send(rpc.WatchRequest(create_request=create).SerializeToString())
    events = 0
    while events < 100:
        events += len((await receive(stream)).events)
    stream.cancel()
    await channel.close()
