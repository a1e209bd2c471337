"""A snapshot's rows on their way from a connection to the disk: no more of them wait than the disk is behind by."""

import asyncio
from collections.abc import AsyncIterator

MAX_BYTES_AHEAD = 2 * 1024 * 1024
"""Frames that may wait for the disk before the sender is held back."""


class SnapshotFrames:
    """What a connection brings, to be taken by one reader (`async for`)."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._bytes = 0

    def add(self, frame: bytes) -> None:
        """One frame came."""
        self._frames.put_nowait(frame)
        self._bytes += len(frame)
        if self._bytes >= MAX_BYTES_AHEAD:
            self._transport.pause_reading()

    def end(self) -> None:
        """The connection ended: nothing follows."""
        self._frames.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (frame := await self._frames.get()) is not None:
            self._bytes -= len(frame)
            if self._frames.empty() and not self._transport.is_closing():
                self._transport.resume_reading()
            yield frame
