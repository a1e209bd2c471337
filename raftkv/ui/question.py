"""What a page asks, and what is true of every question: who asks, what it may read, how much it may ask for at once."""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp.web import BaseRequest, Response

from raftkv.auth.tokens import TokenNotAppliedError
from raftkv.errors import InvalidArgumentError, NotAllowedError, RequestError, UserEmptyError
from raftkv.gateway.headers import check_origin, metadata
from raftkv.gateway.status import HTTP_STATUS, error_body
from raftkv.pb.rpc import RangeRequest
from raftkv.rpc.access import Access
from raftkv.rpc.method import Call
from raftkv.server.replica import Replica
from raftkv.ui.assets import SAFE_HEADERS

Json = dict[str, Any]
MAX_PAGE: Final = 200
"""Rows of one answer: what a person looks at, and what a browser shows without a pause."""
ANSWER_HEADERS: Final = {**SAFE_HEADERS, "Cache-Control": "no-store"}


class Parameters:
    """The query of a question. Each method raises InvalidArgumentError where it says something that cannot be."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._query = query

    def text(self, name: str, default: str = "") -> str:
        """As it stands there."""
        return self._query.get(name, default)

    def number(self, name: str, default: int, *, most: int) -> int:
        """From 0 to `most`; more counts as `most`."""
        text = self._query.get(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 19:
            raise InvalidArgumentError(f"raftkv: {name} is a number")
        return min(int(text), most)

    def limit(self, default: int = 100) -> int:
        """How many rows are wanted."""
        return max(1, self.number("limit", default, most=MAX_PAGE))

    def data(self, name: str) -> bytes:
        """Bytes, as base64 that URLs can hold."""
        text = self._query.get(name, "")
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise InvalidArgumentError(f"raftkv: {name} is base64 for URLs") from None


Question = Callable[[Call, Parameters], Awaitable[Json]]


def encoded(data: bytes) -> str:
    """Bytes, as answers have them."""
    return base64.b64encode(data).decode()


def prefix_end(prefix: bytes) -> bytes:
    """The end of the range of all keys that begin so, as requests name it."""
    rest = prefix.rstrip(b"\xff")
    return rest[:-1] + bytes((rest[-1] + 1,)) if rest else b"\0"


class Gate:
    """Lets questions through."""

    def __init__(self, replica: Replica, access: Access) -> None:
        self._replica = replica
        self._access = access
        self._auth = replica.machine.auth

    async def admit(self, request: BaseRequest) -> Call:
        """Who asks.

        Raises:
            NotAllowedError: nobody that may, or a page of another site.
        """
        check_origin(request.headers)
        call = Call(request.path, metadata(request.headers))
        try:
            self.recheck(call)
        except TokenNotAppliedError:
            await self._replica.read(lambda: None)  # whoever holds the token has seen its entry applied
            self.recheck(call)
        return call

    def recheck(self, call: Call) -> None:
        """Whether who asked may go on asking."""
        if not self._auth.enabled:
            return
        call.author = self._access.author(call)
        if call.author is None:
            raise UserEmptyError
        self._auth.check_known(call.author)

    def check_range(self, call: Call, key: bytes, range_end: bytes = b"") -> None:
        """Refuses who may not read these keys. Raises NotAllowedError."""
        self._access.check(call, RangeRequest(key=key or b"\0", range_end=range_end))

    def may_read(self, call: Call, key: bytes, range_end: bytes = b"") -> bool:
        """Whether who asks may read these keys."""
        if not self._auth.enabled:
            return True
        try:
            self.check_range(call, key, range_end)
        except NotAllowedError:
            return False
        return True


def json_response(answer: Json) -> Response:
    """An answer."""
    return Response(body=to_json(answer), headers={**ANSWER_HEADERS, "Content-Type": "application/json"})


def error_response(error: RequestError) -> Response:
    """A refusal, as the gateway words it."""
    return Response(
        body=error_body(error).encode(),
        status=HTTP_STATUS[error.code],
        headers={**ANSWER_HEADERS, "Content-Type": "application/json"},
    )


def to_json(answer: Json) -> bytes:
    """Compact, in ASCII."""
    return json.dumps(answer, separators=(",", ":")).encode()
