"""A TCPStore client for tests: requests in, answers as the protocol has them, each thing that torch's client does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from struct import unpack

from raftkv.tcpstore import wire
from raftkv.tcpstore.wire import Query, Request


class WireClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    def send(self, query: Query, *keys: bytes, values: tuple[bytes, ...] = (), number: int = 0) -> None:
        self._writer.write(wire.encode(Request(query, keys, values, number)))

    async def byte(self) -> int:
        return (await self.reader.readexactly(1))[0]

    async def number(self) -> int:
        value: int = unpack("<q", await self.reader.readexactly(8))[0]
        return value

    async def data(self) -> bytes:
        return await self.reader.readexactly(await self.number())

    async def ping(self, nonce: int) -> int:
        self.send(Query.PING, number=nonce)
        answer: int = unpack("<I", await self.reader.readexactly(4))[0]
        return answer

    def set(self, key: bytes, value: bytes) -> None:
        self.send(Query.SET, key, values=(value,))

    async def get(self, key: bytes) -> bytes:
        self.send(Query.WAIT, key)
        assert await self.byte() == wire.STOP_WAITING[0]
        self.send(Query.GET, key)
        return await self.data()

    async def add(self, key: bytes, amount: int) -> int:
        self.send(Query.ADD, key, number=amount)
        return await self.number()

    async def push(self, key: bytes, value: bytes) -> int:
        self.send(Query.QUEUE_PUSH, key, values=(value,))
        return await self.length(key)

    async def pop(self, key: bytes) -> bytes | None:
        self.send(Query.QUEUE_POP, key)
        return await self.data() if await self.number() else None

    async def length(self, key: bytes) -> int:
        self.send(Query.QUEUE_LEN, key)
        return await self.number()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[WireClient]:
    """A client that has said hello."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = WireClient(reader, writer)
    client.send(Query.VALIDATE, number=wire.MAGIC)
    assert await client.ping(7) == 7
    try:
        yield client
    finally:
        writer.close()
