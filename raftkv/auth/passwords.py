"""Passwords as bcrypt hashes. Hashing is meant to be slow, so it happens beside the event loop, on one thread, with a bounded
queue: a flood of wrong passwords costs one core at most and holds up no other request.

To check takes as long for a user that does not exist as for one that does: who asks must not learn which names there are.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt

from raftkv.errors import RequestError, TooManyRequestsError

T = TypeVar("T")

DEFAULT_COST = 10
MAX_PASSWORD_BYTES = 72
"""What bcrypt takes in; more would be cut off without a word."""
MAX_WAITING = 64
"""Hashes that may wait for the thread: three seconds of work at the default cost."""


class PasswordTooLongError(RequestError):
    """Longer than bcrypt can tell apart; in etcd's words, and with its code."""

    text = "bcrypt: password length exceeds 72 bytes"


class Passwords:
    """Makes and checks hashes."""

    def __init__(self, cost: int = DEFAULT_COST) -> None:
        self._cost = cost
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")
        self._waiting = 0
        self._nobodys: bytes | None = None
        """A hash that no password has, of the same cost as all others."""

    async def hash(self, password: str) -> str:
        """The hash as requests carry it.

        Raises:
            PasswordTooLongError: bcrypt takes no more than 72 bytes.
            TooManyRequestsError: too many wait already.
        """
        secret = password.encode()
        if len(secret) > MAX_PASSWORD_BYTES:
            raise PasswordTooLongError
        return b64encode(await self._beside_loop(lambda: bcrypt.hashpw(secret, bcrypt.gensalt(self._cost)))).decode()

    async def matches(self, password: str, hashed: bytes) -> bool:
        """Whether this is the password; `hashed` may be empty: then nothing is, and it takes as long to say so.

        Raises:
            TooManyRequestsError: too many wait already.
        """
        secret = password.encode()
        right = await self._beside_loop(lambda: self._check(secret[:MAX_PASSWORD_BYTES], hashed))
        return right and len(secret) <= MAX_PASSWORD_BYTES

    def stop(self) -> None:
        """Ends the thread; what waits is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _check(self, secret: bytes, hashed: bytes) -> bool:
        if self._nobodys is None:
            self._nobodys = bcrypt.hashpw(b"", bcrypt.gensalt(self._cost))
        try:
            right = bcrypt.checkpw(secret, hashed or self._nobodys)
        except ValueError:  # no hash at all: written by something else than this server
            return False
        return right and bool(hashed)

    async def _beside_loop(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooManyRequestsError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1
