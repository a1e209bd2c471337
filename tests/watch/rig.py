"""A hub over a real store, with everything round it in the test's hands: turns, slices, timers, and clients that read or do not."""

import random
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any

from raftkv.mvcc import Event
from raftkv.pb import rpc
from raftkv.reply import Reply
from raftkv.watch import Hub, Surroundings, WatchStream
from tests.mvcc.making import new_store, written

INTERVAL_S = 600.0


class Timer:
    """What call_later returns."""

    def __init__(self, delay: float, callback: Callable[[], None]) -> None:
        self.delay = delay
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Timers:
    """An event loop with nothing but timers, which fire when they are told to."""

    def __init__(self) -> None:
        self.set: list[Timer] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        self.set.append(Timer(delay, callback))
        return self.set[-1]

    def fire(self) -> None:
        due, self.set = self.set, []
        for timer in due:
            if not timer.cancelled:
                timer.callback()


class Client:
    """A sink that is read only while it is `reading`, and the stream behind it."""

    def __init__(self, hub: Hub, *, reading: bool = True) -> None:
        self.responses: list[rpc.WatchResponse] = []
        self.reading = reading
        self.sends = 0
        self.abandoned = False
        self._waiting: list[bytes] = []
        self.stream = WatchStream(hub, self, INTERVAL_S)

    @property
    def backlog(self) -> int:
        return sum(map(len, self._waiting))

    def send(self, message: bytes) -> None:
        self.sends += 1
        if self.reading:
            self.responses.append(rpc.WatchResponse.FromString(message))
        else:
            self._waiting.append(message)

    def send_each(self, body: bytes, tails: list[bytes]) -> None:
        assert len(set(map(len, tails))) == 1
        for tail in tails:
            self.send(body + tail)

    def abandon(self) -> None:
        self.abandoned = True
        self._waiting.clear()
        self.stream.close()

    def read(self) -> None:
        """Collects what is there, and reads from now on."""
        self.reading = True
        waiting, self._waiting = self._waiting, []
        self.responses += map(rpc.WatchResponse.FromString, waiting)
        self.stream.drained()

    def watch(self, key: bytes = b"a", range_end: bytes = b"", *, denied: str = "", **options: Any) -> int:
        """Creates a watch; its id, as far as can be seen."""
        self.stream.create(rpc.WatchCreateRequest(key=key, range_end=range_end, **options), denied)
        return self.responses[-1].watch_id if self.responses else 0

    def of(self, watch_id: int) -> list[rpc.WatchResponse]:
        return [response for response in self.responses if response.watch_id == watch_id]

    def seen(self, watch_id: int = 0) -> list[tuple[int, bytes, bytes]]:
        """Revision, key and value of the events of one watch; the value of a deletion is `-`."""
        return [
            (event.kv.mod_revision, event.kv.key, b"-" if event.type else event.kv.value)
            for response in self.of(watch_id)
            for event in response.events
        ]


class Rig:
    """The node round the hub."""

    def __init__(self, *, fragment_bytes: int = 2 * 1024 * 1024) -> None:
        self.store = new_store()
        self.timers = Timers()
        self.errors: list[BaseException] = []
        self.events: list[Event] = []
        """All that ever happened."""
        self._work: deque[tuple[Generator[None, None, Any], Reply[Any]]] = deque()
        self.hub = Hub(
            Surroundings(
                store=self.store,
                loop=self.timers,  # type: ignore[arg-type]  # the part of a loop that is used
                rng=random.Random(1),
                head=lambda revision: rpc.WatchResponse(header=rpc.ResponseHeader(revision=revision)).SerializeToString(),
                slices=self._slices,
                failed=self.errors.append,
            ),
            fragment_bytes=fragment_bytes,
        )

    def client(self, *, reading: bool = True) -> Client:
        return Client(self.hub, reading=reading)

    def apply(self, request: Any) -> None:
        """Applies an entry; the turn goes on."""
        match request:
            case rpc.PutRequest():
                done = self.store.put(request)
            case rpc.DeleteRangeRequest():
                done = written(self.store.delete_range(request))
            case rpc.CompactionRequest():
                done = self.store.compact(request)
            case _:
                done = written(self.store.txn(request))
        self.events += done.events
        if done.events:
            self.hub.add(done.events)

    def turn(self, *requests: Any) -> None:
        """One turn of the node."""
        for request in requests:
            self.apply(request)
        self.hub.publish()

    def work(self, slices: int = 10**6) -> None:
        """Lets history be read."""
        while self._work and slices:
            slices -= 1
            steps, reply = self._work.popleft()
            if reply.cancelled():
                continue
            try:
                next(steps)
            except StopIteration as end:
                reply.set_result(end.value)
            else:
                self._work.append((steps, reply))

    def settle(self, clients: Sequence[Client]) -> None:
        """Everybody reads, until nothing is left to tell."""
        for client in clients:
            client.read()
        self.work()
        assert not self.errors
        assert not self._work
        assert self.hub.slow_watchers == self.hub.pending_events == 0

    def _slices(self, work: Callable[[], Any], reply: Reply[Any]) -> None:
        steps = work()
        assert isinstance(steps, Generator)
        self._work.append((steps, reply))
