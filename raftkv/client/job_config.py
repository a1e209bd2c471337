"""The run-wide configuration of a job: keys of its own, which go with it. Any etcd client can read, write and watch them."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from raftkv.client.job_calls import Calls
from raftkv.client.method import RANGE, TXN
from raftkv.client.request import range_request, watch_request
from raftkv.client.session import Session
from raftkv.client.transaction import Delete, ModRevision, Put, txn_request
from raftkv.client.watch import Watch
from raftkv.errors import InvalidArgumentError, RevisionMismatchError, RoundOverError, WatchCompactedError
from raftkv.pb import kv, rpc

PREFIX = "/raftkv/rendezvous/"
OPEN_S = 5.0


@dataclass(frozen=True, slots=True)
class Setting:
    """One value."""

    value: str
    revision: int
    """That last set it."""


class JobConfig:
    """Names and values of one job."""

    def __init__(self, calls: Calls, session: Callable[[], Session], job: str) -> None:
        """For `Rendezvous.config` and `Worker.config`."""
        self._calls = calls
        self._session = session
        self._head = f"{PREFIX}{job}/job"
        self.prefix = f"{PREFIX}{job}/config/"
        """Of its keys."""

    async def get(self, name: str) -> Setting | None:
        """One value; None: it is not set."""
        response = await self._calls.call(RANGE, range_request(self._key(name)))
        return _setting(response.kvs[0]) if response.kvs else None

    async def all(self) -> dict[str, Setting]:
        """All of them, by name, as of one moment."""
        return self._settings(await self._range())

    async def set(self, name: str, value: str, *, revision: int | None = None, token: int = 0) -> int:
        """Sets a value, and answers its revision.

        Args:
            name: May have slashes.
            value: Any text.
            revision: Only if that is its revision now; 0: only if it is not set.
            token: Only while the world with this token is at work; 0: always.

        Raises:
            RevisionMismatchError: It was set, or deleted, meanwhile.
            RoundOverError: Another world is at work, or none.
        """
        return await self._write(name, Put(self._key(name), value), revision=revision, token=token)

    async def delete(self, name: str, *, revision: int | None = None, token: int = 0) -> None:
        """As `set`: it is not set any more."""
        await self._write(name, Delete(self._key(name)), revision=revision, token=token)

    async def watch(self) -> AsyncGenerator[dict[str, Setting], None]:
        """All values as they are, and again whenever that changes; who is slow sees the newest, and may miss what was between."""
        while True:
            response = await self._range()
            settings = self._settings(response)
            yield dict(settings)
            try:
                async for newer in self._follow(settings, response.header.revision + 1):
                    yield dict(newer)
            except WatchCompactedError:
                continue  # too slow even for history: read again

    async def _follow(self, settings: dict[str, Setting], revision: int) -> AsyncIterator[dict[str, Setting]]:
        create = watch_request(self.prefix, prefix=True, start_revision=revision)
        async with Watch(self._session, create, timeout=OPEN_S) as watch:
            async for batch in watch:
                for event in batch.events:
                    name = self._name(event.kv)
                    if event.type == kv.Event.DELETE:
                        settings.pop(name, None)
                    else:
                        settings[name] = _setting(event.kv)
                if batch.events:
                    yield settings

    # --- inside

    async def _range(self) -> rpc.RangeResponse:
        return await self._calls.call(RANGE, range_request(self.prefix, prefix=True))

    def _settings(self, response: rpc.RangeResponse) -> dict[str, Setting]:
        return {self._name(pair): _setting(pair) for pair in response.kvs}

    def _key(self, name: str) -> str:
        if not name:
            raise InvalidArgumentError("raftkv: a setting needs a name")
        return self.prefix + name

    def _name(self, pair: kv.KeyValue) -> str:
        return pair.key.decode(errors="replace").removeprefix(self.prefix)

    async def _write(self, name: str, operation: rpc.RequestOp, *, revision: int | None, token: int) -> int:
        """Fenced by the job's head, which changes whenever a world does: it is read, and must be the same when this is written."""
        own = [] if revision is None else [ModRevision(self._key(name)) == revision]
        while True:
            fence = [ModRevision(self._head) == await self._head_revision(token)] if token else []
            response = await self._calls.call(TXN, txn_request([*own, *fence], [operation], [_get(self._key(name))]))
            if response.succeeded:
                return response.header.revision
            now = response.responses[0].response_range.kvs
            actual = now[0].mod_revision if now else 0
            if revision is not None and actual != revision:
                raise RevisionMismatchError(name, revision, actual)
            await asyncio.sleep(0)  # the head has changed, perhaps for another reason

    async def _head_revision(self, token: int) -> int:
        response = await self._calls.call(RANGE, range_request(self._head))
        head: Mapping[str, object] = json.loads(response.kvs[0].value) if response.kvs else {}
        if head.get("token") != token:
            raise RoundOverError
        return response.kvs[0].mod_revision


def _get(key: str) -> rpc.RequestOp:
    return rpc.RequestOp(request_range=range_request(key))


def _setting(pair: kv.KeyValue) -> Setting:
    return Setting(pair.value.decode(errors="replace"), pair.mod_revision)
