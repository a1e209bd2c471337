"""A torch.distributed.Store over the keys of a round, without a TCPStore in between: for agents and single processes.

C++ reaches it through PrefixStore by the names of its methods: `deleteKey` and `getNumKeys` in that spelling, all others with
underscores. Each call from C++ needs the interpreter, so workers are better served by TCPStore's own client (StoreServer).
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch.distributed as dist

from raftkv.pb.update import Change
from raftkv.tcpstore.space import Namespace, Space, opened
from raftkv.torch.background import Access, Resident, with_client

R = TypeVar("R")
Data = str | bytes

_KEPT: list["Store"] = []
"""C++ keeps no Python object alive: a store that only a PrefixStore still knew would be gone."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Keys in use, by several stores or by a server as well."""

    space: Space
    resident: Resident[Any]
    """What they live in: closed once for all."""


class Store(dist.Store):
    """Keys of one round of a job. It sees what TCPStore's clients at a StoreServer of the same namespace see.

    Any thread may call. A wait for keys ends with `DistStoreError` after the store's timeout, or that of the call.
    """

    def __init__(self, access: Access, namespace: Namespace, *, shared: Shared | None = None) -> None:
        """`shared`: with a clone, or with a StoreServer (`StoreServer.store`); None: a connection to the cluster of its own."""
        super().__init__()
        self._access = access
        self._namespace = namespace
        self._shared = shared or _opened(access, namespace)
        self._resident = self._shared.resident
        self._space = self._shared.space
        _KEPT.append(self)

    def close(self) -> None:
        """Gives up the connection to the cluster, also for those that share it. The keys stay until their time is over."""
        self._resident.close()
        if self in _KEPT:
            _KEPT.remove(self)

    # --- what torch calls

    def set(self, key: str, value: Data) -> None:
        self._change(Change.SET, key, _bytes(value))

    def get(self, key: str) -> bytes:
        return self._wait([key], None)[0]

    def add(self, key: str, amount: int) -> int:
        result = self._change(Change.ADD, key, amount=amount)
        if result.refused:
            raise ValueError(f"{key} holds no number that {amount} can be added to")
        number: int = result.number
        return number

    def compare_set(self, key: str, expected: Data, desired: Data) -> bytes:
        value: bytes = self._change(Change.COMPARE_SET, key, _bytes(desired), expected=_bytes(expected)).value
        return value

    def append(self, key: str, value: Data) -> None:
        self._change(Change.APPEND, key, _bytes(value))

    def wait(self, keys: Sequence[str], timeout: timedelta | None = None) -> None:
        self._wait(keys, timeout)

    def check(self, keys: Sequence[str]) -> bool:
        return all(found.is_there for found in self._run(self._space.read([_name(key) for key in keys])))

    def multi_get(self, keys: Sequence[str]) -> list[bytes]:
        return self._wait(keys, None)

    def multi_set(self, keys: Sequence[str], values: Sequence[Data]) -> None:
        self._run(self._set_all([(_name(key), _bytes(value)) for key, value in zip(keys, values, strict=True)]))

    def delete_key(self, key: str) -> bool:
        return bool(self._change(Change.DELETE, key).number)

    def num_keys(self) -> int:
        return len(self._run(self._space.names()))

    def list_keys(self) -> list[str]:
        return [name.decode(errors="surrogateescape").removeprefix("/") for name in self._run(self._space.names())]

    def queue_push(self, key: str, value: Data) -> None:
        self._change(Change.PUSH, key, _bytes(value))

    def queue_pop(self, key: str, block: bool = True) -> bytes:  # noqa: FBT001, FBT002  # as torch has it
        return self._within(lambda: self._pop(key, block=block), None, [key])

    def queue_len(self, key: str) -> int:
        return self._run(self._space.queue_length(_name(key)))

    def has_extended_api(self) -> bool:
        return True

    def clone(self) -> "Store":
        return Store(self._access, self._namespace, shared=self._shared)

    deleteKey = delete_key  # noqa: N815  # the name that C++ looks up
    getNumKeys = num_keys  # noqa: N815  # as above

    # --- how

    def _run(self, work: Coroutine[Any, Any, R]) -> R:
        failure = self._resident.failure
        if failure is not None:
            work.close()
            raise dist.DistStoreError(f"the keys of {self._namespace.job} cannot be reached any more: {failure}")
        return self._resident.run(work)

    def _change(self, kind: Change.Kind, key: str, value: bytes = b"", **options: Any) -> Any:
        async def change() -> Any:
            return await self._space.result(self._space.write(kind, _name(key), value, **options))

        return self._run(change())

    async def _set_all(self, pairs: list[tuple[bytes, bytes]]) -> None:
        written = [self._space.write(Change.SET, name, value) for name, value in pairs]
        for each in written:
            await self._space.result(each)

    async def _pop(self, key: str, *, block: bool) -> bytes:
        while True:
            popped = await self._space.pop(_name(key))
            if popped is not None:
                return popped.value
            if not block:
                raise dist.QueueEmptyError("queue is empty")
            await self._space.wait([_name(key)])

    def _wait(self, keys: Sequence[str], timeout: timedelta | None) -> list[bytes]:
        found = self._within(lambda: self._space.wait([_name(key) for key in keys]), timeout, keys)
        return [each.value or b"" for each in found]

    def _within(self, work: Callable[[], Coroutine[Any, Any, R]], timeout: timedelta | None, keys: Sequence[str]) -> R:
        # The base class keeps the timeout where Python cannot override it, but a PrefixStore changes it there.
        limit = timeout if timeout is not None else self.timeout

        async def within() -> R:
            async with asyncio.timeout(limit.total_seconds()):
                return await work()

        try:
            return self._run(within())
        except TimeoutError:
            raise dist.DistStoreError(
                f"wait timeout after {limit / timedelta(milliseconds=1):g}ms, keys: {', '.join(keys)}"
            ) from None


def _opened(access: Access, namespace: Namespace) -> Shared:
    resident = Resident(
        lambda: with_client(access, lambda client: opened(client, namespace)),
        f"keys of {namespace.job}, round {namespace.round}",
    )
    return Shared(resident.value, resident)


def _name(key: str) -> bytes:
    """As TCPStore's client sends it."""
    return b"/" + key.encode(errors="surrogateescape")


def _bytes(value: Data) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)
