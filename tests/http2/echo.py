"""Methods of all four kinds that do what the request says. The key is the deed, the value its object."""

import asyncio
from collections.abc import AsyncIterator

from raftkv.errors import LeaseNotFoundError, NoSpaceError, UnavailableError
from raftkv.pb.rpc import PutRequest
from raftkv.rpc.method import Answer, Call, Kind, Method

SERVICE = "/test.Echo/"


class Echo:
    """A service under test, and what its handlers went through."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()
        self.go_on = asyncio.Event()
        self.calls: list[Call] = []
        self.sent = 0

    def methods(self) -> list[Method]:
        shapes = (
            ("Unary", Kind.UNARY, self.unary),
            ("Future", Kind.UNARY, self.future),
            ("Later", Kind.UNARY, self.later),
            ("Now", Kind.UNARY, self.now),
            ("Down", Kind.SERVER_STREAM, self.down),
            ("Up", Kind.CLIENT_STREAM, self.up),
            ("Both", Kind.BIDI, self.both),
            ("Deaf", Kind.SERVER_STREAM, self.deaf),
        )
        return [Method(SERVICE + name, kind, PutRequest, PutRequest, handler) for name, kind, handler in shapes]

    async def act(self, request: PutRequest) -> None:
        """What a request may make a handler do before it answers."""
        match request.key:
            case b"fail":
                raise LeaseNotFoundError
            case b"fail with":
                raise UnavailableError(request.value.decode())
            case b"crash":
                raise ValueError("a bug")
            case b"wait":
                await self.wait(request.value.decode())

    async def wait(self, name: str) -> None:
        self.begun.put_nowait(name)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.put_nowait(name)
            raise

    async def unary(self, request: PutRequest, call: Call) -> Answer:
        self.calls.append(call)
        await self.act(request)
        return request

    def future(self, request: PutRequest, call: Call) -> asyncio.Future[Answer]:
        """Done already."""
        outcome: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if request.key == b"fail":
            outcome.set_exception(LeaseNotFoundError())
        else:
            outcome.set_result(request.SerializeToString())
        return outcome

    def later(self, request: PutRequest, call: Call) -> asyncio.Future[Answer]:
        """Done in the next turn, or never, but for a cancel."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Answer] = loop.create_future()
        if request.key == b"fail":
            loop.call_soon(_settle, outcome, NoSpaceError())
        elif request.key == b"wait":
            self.begun.put_nowait("later")
            outcome.add_done_callback(lambda done: self.cancelled.put_nowait("later") if done.cancelled() else None)
        else:
            loop.call_soon(_settle, outcome, request)
        return outcome

    def now(self, request: PutRequest, call: Call) -> asyncio.Future[Answer]:
        """Raises before there is anything to wait for."""
        raise LeaseNotFoundError

    async def down(self, request: PutRequest, call: Call) -> AsyncIterator[Answer]:
        """`lease` answers, and then what the request says."""
        self.calls.append(call)
        try:
            for number in range(request.lease):
                self.sent += 1
                yield PutRequest(value=request.value, lease=number)
            await self.act(request)
        finally:
            if request.key == b"tell":
                self.cancelled.put_nowait("down")

    async def up(self, requests: AsyncIterator[PutRequest], call: Call) -> Answer:
        """All values in one."""
        self.calls.append(call)
        whole = PutRequest()
        async for request in requests:
            await self.act(request)
            whole.value += request.value
            whole.lease += 1
            if request.key == b"enough":
                break
        return whole

    async def both(self, requests: AsyncIterator[PutRequest], call: Call) -> AsyncIterator[Answer]:
        """Each request comes back."""
        self.calls.append(call)
        async for request in requests:
            await self.act(request)
            yield request
            if request.key == b"enough":
                return

    async def deaf(self, request: PutRequest, call: Call) -> AsyncIterator[Answer]:
        """Goes on after it was cancelled."""
        try:
            await self.wait("deaf")
        except asyncio.CancelledError:
            yield request


def _settle(outcome: asyncio.Future[Answer], what: Answer | Exception) -> None:
    """Unless the client has cancelled meanwhile."""
    if outcome.done():
        return
    if isinstance(what, Exception):
        outcome.set_exception(what)
    else:
        outcome.set_result(what)
