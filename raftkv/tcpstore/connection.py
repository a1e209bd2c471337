"""One client of an endpoint: its requests in their order, its answers, and what it may still cancel.

    bytes -> requests (inbox) -> one after the other: writes are submitted at once; an answer waits for all writes before it

A client waits for each answer before it asks again, with two exceptions: requests without an answer, of which thousands may
come in a row and are submitted as they come, and CANCEL_WAIT while a WAIT is open.

A client that sets a key and waits for another, as in every hand-over, is looked after at once: the wait begins while the set is on
its way, for mostly the other key is yet to come. What was seen as of a revision before the set is looked at again after it.

Every `get` of torch is a WAIT and a GET. So what WAIT has found answers the GET right behind it: both are one operation to
whoever called, and the value was read in the middle of it.

A push wakes one waiter, in torch. Here those who wait for a queue are on many nodes and see the push all at once. So whoever is
to be woken pops the item first, and keeps it for the QUEUE_POP that follows; if anything else follows, the item goes back to
where it was.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from raftkv.errors import RaftKVError
from raftkv.pb.update import Change, ChangeResult, UpdateResponse
from raftkv.tcpstore import wire
from raftkv.tcpstore.batches import Batch
from raftkv.tcpstore.space import Found, Item, Space, Written
from raftkv.tcpstore.wire import Decoder, ProtocolError, Query, Request

MAX_INBOX = 1024
"""Requests that are read ahead of the one at work."""
MAX_UNSETTLED = 4096
"""Writes of one client that may be on their way."""

log = structlog.get_logger()


class Connection(asyncio.Protocol):
    """Its requests are worked off by `run`, which ends when the client is gone."""

    def __init__(self, space: Space, started: "Callable[[Connection], None]") -> None:
        self._space = space
        self._started = started
        self._decoder = Decoder()
        self._inbox: deque[Request] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._paused = False
        self._gone = False
        self._transport: asyncio.Transport
        self._validated = False
        self._flying: list[Batch[Change, UpdateResponse]] = []
        """What carries writes that nobody has waited for."""
        self._unsettled = 0
        """How many writes these are."""
        self._own: set[bytes] = set()
        """The keys that they write."""
        self._patience: asyncio.Timeout | None = None
        """Of the WAIT at work."""
        self._found: dict[bytes, Found] = {}
        """What the request before this one, a WAIT, has found."""
        self._reserved: tuple[bytes, Item] | None = None
        """A queue, and what was popped from it for the QUEUE_POP to come."""
        self._handlers: dict[Query, Callable[[Request], Awaitable[None]]] = {
            Query.VALIDATE: self._validate,
            Query.SET: self._set,
            Query.COMPARE_SET: self._compare_set,
            Query.GET: self._get,
            Query.ADD: self._add,
            Query.CHECK: self._check,
            Query.WAIT: self._wait,
            Query.GETNUMKEYS: self._count,
            Query.DELETE_KEY: self._delete,
            Query.APPEND: self._append,
            Query.MULTI_GET: self._get,
            Query.MULTI_SET: self._set,
            Query.CANCEL_WAIT: self._cancel_wait,
            Query.PING: self._ping,
            Query.QUEUE_PUSH: self._push,
            Query.QUEUE_POP: self._pop,
            Query.QUEUE_LEN: self._queue_length,
            Query.LIST_KEYS: self._list,
        }

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._started(self)

    def data_received(self, data: bytes) -> None:
        self._decoder.feed(data)
        try:
            while (request := self._decoder.next()) is not None:
                self._inbox.append(request)
        except ProtocolError as error:
            self._refuse(error)
        if len(self._inbox) > MAX_INBOX and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._news.set()
        if self._gives_up():
            self._end_wait()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (how a client left makes no difference)
        self._gone = True
        self._room.set()
        self._news.set()
        self._end_wait()

    # --- the work

    async def run(self) -> None:
        """Works off what comes."""
        try:
            while (request := await self._next()) is not None:
                await self._handle(request)
                await self._room.wait()
        except RaftKVError as error:
            self._refuse(error)
        finally:
            self._put_back()
            self._transport.close()

    async def _next(self) -> Request | None:
        """The next request; None when there will be none."""
        while not self._inbox:
            if self._gone or self._transport.is_closing():
                return None
            self._news.clear()
            await self._news.wait()
        request = self._inbox.popleft()
        if self._paused and len(self._inbox) <= MAX_INBOX // 2:
            self._paused = False
            self._transport.resume_reading()
        return request

    async def _handle(self, request: Request) -> None:
        if not self._validated and request.query is not Query.VALIDATE:
            raise ProtocolError("a client begins with VALIDATE")
        if self._reserved is not None and (request.query, *request.keys) != (Query.QUEUE_POP, self._reserved[0]):
            self._put_back()
        await self._handlers[request.query](request)
        if request.query is not Query.WAIT:
            self._found = {}

    def _refuse(self, error: RaftKVError) -> None:
        """The protocol has no errors: a client learns that something is wrong by losing its connection, as in torch."""
        log.warning("store.client.refused", error=str(error), client=self._transport.get_extra_info("peername"))
        self._inbox.clear()
        self._transport.abort()

    def _put_back(self) -> None:
        if self._reserved is not None:
            (_, item), self._reserved = self._reserved, None
            self._note(self._space.put_back(item))

    # --- writes without an answer

    async def _set(self, request: Request) -> None:
        await self._write(Change.SET, request)

    async def _append(self, request: Request) -> None:
        await self._write(Change.APPEND, request)

    async def _push(self, request: Request) -> None:
        await self._write(Change.PUSH, request)

    async def _write(self, kind: Change.Kind, request: Request) -> None:
        for key, value in zip(request.keys, request.values, strict=True):
            self._note(self._space.write(kind, key, value))
            self._own.add(key)
            if self._unsettled >= MAX_UNSETTLED:
                await self._settle()

    def _note(self, written: Written) -> None:
        if not self._flying or self._flying[-1] is not written[0]:
            self._flying.append(written[0])
        self._unsettled += 1

    async def _settle(self) -> int:
        """Waits until all writes of this client are committed: as of which revision. Raises what became of the first that was not."""
        revision = 0
        for batch in self._flying:
            revision = (await batch.answered()).header.revision
        self._flying.clear()
        self._own.clear()
        self._unsettled = 0
        return revision

    async def _result(self, written: Written) -> ChangeResult:
        """What came of a write with an answer. The writes before it are committed as well then, or have failed."""
        result = await self._space.result(written)
        await self._settle()
        return result

    # --- writes with an answer: they are behind all others, so their results come after them

    async def _add(self, request: Request) -> None:
        written = self._space.write(Change.ADD, request.keys[0], amount=request.number)
        result = await self._result(written)
        if result.refused:
            raise ProtocolError(f"{request.keys[0]!r} holds no number that {request.number} can be added to")
        self._send(wire.encode_number(result.number))

    async def _compare_set(self, request: Request) -> None:
        expected, value = request.values
        written = self._space.write(Change.COMPARE_SET, request.keys[0], value, expected=expected)
        self._send(wire.encode_bytes((await self._result(written)).value))

    async def _delete(self, request: Request) -> None:
        written = self._space.write(Change.DELETE, request.keys[0])
        self._send(wire.encode_number((await self._result(written)).number))

    async def _pop(self, request: Request) -> None:
        if self._reserved is not None:
            (_, item), self._reserved = self._reserved, None
            self._send(wire.encode_number(1) + wire.encode_bytes(item.value))
            return
        popped = await self._space.pop(request.keys[0])
        await self._settle()
        self._send(wire.encode_number(0) if popped is None else wire.encode_number(1) + wire.encode_bytes(popped.value))

    # --- reads: what was written before has to be committed before

    async def _get(self, request: Request) -> None:
        await self._settle()
        names = list(request.keys)
        known = [self._found[name] for name in names if name in self._found]
        found = known if len(known) == len(names) else await self._space.read(names)
        answer = []
        for name, held in zip(names, found, strict=True):
            if held.value is None:
                raise ProtocolError(f"{name!r} is not there: clients wait for what they get")
            answer.append(wire.encode_bytes(held.value))
        self._send(b"".join(answer))

    async def _check(self, request: Request) -> None:
        await self._settle()
        found = await self._space.read(request.keys)
        self._send(wire.READY if all(held.is_there for held in found) else wire.NOT_READY)

    async def _count(self, request: Request) -> None:  # noqa: ARG002 (a handler's shape)
        await self._settle()
        self._send(wire.encode_number(len(await self._space.names())))

    async def _list(self, request: Request) -> None:  # noqa: ARG002 (as above)
        await self._settle()
        self._send(wire.encode_list(await self._space.names()))

    async def _queue_length(self, request: Request) -> None:
        await self._settle()
        self._send(wire.encode_number(await self._space.queue_length(request.keys[0])))

    # --- waiting

    async def _wait(self, request: Request) -> None:
        try:
            async with asyncio.timeout(None) as self._patience:
                if self._gives_up():
                    return
                found = await self._present(request.keys)
        except TimeoutError:
            if not self._gives_up():
                await self._settle()  # a write has failed, and this says why
            return
        finally:
            self._patience = None
        if len(found) == 1 and found[0].value is None and not await self._reserve(request):
            await self._wait(request)
            return
        self._found = dict(zip(request.keys, found, strict=True))
        self._send(wire.STOP_WAITING)

    async def _present(self, names: tuple[bytes, ...]) -> list[Found]:
        """What the keys hold when they are there, as of a moment when all writes before are committed."""
        if self._flying and self._own.isdisjoint(names):
            for batch in self._flying:
                batch.answer.add_done_callback(self._written)
            found = await self._space.wait(names)
            if min((each.revision for each in found), default=0) >= await self._settle():
                return found
        await self._settle()
        return await self._space.wait(names)

    def _written(self, answer: "asyncio.Future[UpdateResponse]") -> None:
        """Nobody waits any longer for what others do where a write of its own has failed."""
        if answer.cancelled() or answer.exception() is not None:
            self._end_wait()

    def _end_wait(self) -> None:
        if self._patience is not None:
            self._patience.reschedule(0.0)
            self._patience = None

    def _gives_up(self) -> bool:
        return self._gone or (bool(self._inbox) and self._inbox[0].query is Query.CANCEL_WAIT)

    async def _reserve(self, request: Request) -> bool:
        """Takes the front of a queue, if nobody was faster."""
        item = await self._space.pop(request.keys[0])
        if item is not None:
            self._reserved = request.keys[0], item
        return item is not None

    async def _cancel_wait(self, request: Request) -> None:  # noqa: ARG002 (a handler's shape)
        """There is nothing to cancel: a WAIT before this one has ended, by its answer or because this one came."""
        self._send(wire.WAIT_CANCELED)

    # --- the rest

    async def _validate(self, request: Request) -> None:
        if request.number != wire.MAGIC:
            raise ProtocolError(f"{request.number:#x} is not what a client of a TCPStore begins with")
        self._validated = True

    async def _ping(self, request: Request) -> None:
        await self._settle()
        self._send(wire.encode_nonce(request.number))

    def _send(self, answer: bytes) -> None:
        self._transport.write(answer)
