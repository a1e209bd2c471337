"""Who calls, asked of every method while authentication is on."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, nullcontext
from typing import Any

from raftkv.auth.tokens import TokenNotAppliedError
from raftkv.errors import NotAllowedError, PermissionDeniedError, UserEmptyError
from raftkv.rpc.access import Access
from raftkv.rpc.method import Call, Kind, Method
from raftkv.rpc.rights import RIGHTS, Right
from raftkv.server.replica import Replica

Check = Callable[[Any], None]
"""Raises where a request is wrong whoever sends it."""


class Admission:
    """One method, while authentication is on."""

    def __init__(self, method: Method, replica: Replica, access: Access, check: Check | None) -> None:
        self._handler: Callable[[Any, Call], Any] = method.handler
        self._streams = method.kind in {Kind.SERVER_STREAM, Kind.BIDI}
        self._right = RIGHTS.get(method.path, Right.NOBODY)
        self._replica = replica
        self._auth = replica.machine.auth
        self._access = access
        self._check = check

    def call(self, request: Any, call: Call) -> Any:
        """Answers, or refuses."""
        if self._right is Right.OPEN:
            return self._handler(request, call)
        try:
            self._admit(call)
        except TokenNotAppliedError:
            return self._stream_later(request, call) if self._streams else self._answer_later(request, call)
        except NotAllowedError:
            if self._check is not None:
                self._check(request)
            raise
        return self._handler(request, call)

    def _admit(self, call: Call) -> None:
        """Notes who calls. Raises NotAllowedError."""
        if self._right is Right.EACH:
            return
        call.author = author = self._access.author(call)
        if author is None:
            raise UserEmptyError
        if self._right is Right.ROOT:
            self._auth.check_root(author)
        elif self._right is Right.KNOWN:
            self._auth.check_known(author)
        elif self._right is not Right.KEYS:
            raise PermissionDeniedError

    async def _answer_later(self, request: Any, call: Call) -> Any:
        await self._catch_up()
        self._admit(call)
        return await self._handler(request, call)

    async def _stream_later(self, request: Any, call: Call) -> AsyncIterator[Any]:
        await self._catch_up()
        self._admit(call)
        answers = self._handler(request, call)
        async with aclosing(answers) if hasattr(answers, "aclose") else nullcontext():
            async for answer in answers:
                yield answer

    async def _catch_up(self) -> None:
        """The token came through the log: whoever holds it has seen its entry applied, and so will this node."""
        await self._replica.read(lambda: None)
