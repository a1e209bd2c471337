"""Requests as they come in: one body with one message, or a stream of JSON values with one message each."""

import asyncio
import re
from collections import deque
from typing import Any, Final

from aiohttp.web import BaseRequest, RequestPayloadError

from raftkv.errors import MessageTooLargeError

BODY_SECONDS: Final = 30.0
"""How long a client may take to send a body."""

_STRUCTURE: Final = re.compile(rb'["\\{}\[\]]')
_SPACE: Final = b" \t\r\n"
_OPENING, _CLOSING = b"{[", b"}]"


class NoBodyError(ConnectionError):
    """The client does not send its request, or not in time; there is nobody to answer."""


async def greet(request: BaseRequest) -> None:
    """Tells a client that waits for permission (RFC 9110, 10.1.1) to go on."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def whole_body(request: BaseRequest, limit: int) -> bytes:
    """The body, of at most `limit` bytes.

    Raises:
        MessageTooLargeError: it is longer.
        NoBodyError: it does not come.
    """
    announced = request.content_length or 0
    if announced > limit:
        raise too_large(announced, limit)
    await greet(request)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > limit:
                    raise too_large(size, limit)
                chunks.append(chunk)
    except (TimeoutError, RequestPayloadError):
        raise NoBodyError from None
    return b"".join(chunks)


def too_large(size: int, limit: int) -> MessageTooLargeError:
    """As grpc-go words it."""
    return MessageTooLargeError(f"grpc: received message larger than max ({size} vs. {limit})")


class Texts:
    """The JSON texts of a body, each as soon as it is complete; what is left at the end comes as it is."""

    def __init__(self, request: BaseRequest, limit: int) -> None:
        """`limit`: the bytes of one text."""
        self._content = request.content
        self._limit = limit
        self._splitter = Splitter()
        self._complete: deque[bytes] = deque()

    async def take(self) -> bytes | None:
        """The next text; None after the last.

        Raises:
            MessageTooLargeError: it is too long.
            NoBodyError: the client is gone.
        """
        while not self._complete:
            try:
                chunk = await self._content.readany()
            except RequestPayloadError:
                raise NoBodyError from None
            if not chunk:
                return self._splitter.rest() or None
            self._complete.extend(self._splitter.feed(chunk))
            if self._splitter.kept > self._limit:
                raise too_large(self._splitter.kept, self._limit)
        return self._complete.popleft()


class Splitter:
    """Cuts a stream of bytes after each JSON object or array, in time that is linear in what it is fed.

    It does not read JSON: it only counts brackets outside of strings. What is neither object nor array stays with what
    follows, and is refused by who reads it.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self._depth = 0
        self._in_string = False
        self._escaped = -1
        """The offset of the byte after a backslash."""

    @property
    def kept(self) -> int:
        """Bytes of what is not complete."""
        return len(self._kept)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The texts that are complete now."""
        texts: list[bytes] = []
        begin, kept = 0, self._kept
        offset = len(kept)
        kept += chunk
        for found in _STRUCTURE.finditer(kept, offset):
            if self._ends_value(found):
                texts.append(bytes(kept[begin : found.end()]))
                begin = found.end()
        del kept[:begin]
        self._escaped -= begin
        return texts

    def rest(self) -> bytes:
        """What came after the last complete text, without space."""
        rest = bytes(self._kept).strip(_SPACE)
        self._kept.clear()
        return rest

    def _ends_value(self, found: "re.Match[bytes]") -> bool:
        byte: Any = found[0]
        if self._in_string:
            if found.start() == self._escaped:
                return False
            if byte == b"\\":
                self._escaped = found.end()
            elif byte == b'"':
                self._in_string = False
        elif byte == b'"':
            self._in_string = True
        elif byte in _OPENING:
            self._depth += 1
        elif byte in _CLOSING:
            self._depth = max(self._depth - 1, 0)
            return self._depth == 0
        return False
