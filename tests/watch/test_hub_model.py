"""Random writes, watches, slow clients, compactions and snapshots; every watch is compared with all that ever happened.

The guarantees are etcd's (learning/api_guarantees): ordered, unique, reliable, atomic, resumable, bookmarkable.
"""

import random
from typing import NamedTuple

import pytest

from raftkv.pb import rpc
from tests.mvcc.making import compact, delete, put, txn
from tests.watch.rig import Client, Rig

KEYS = (b"a", b"a/1", b"a/2", b"b", b"b/1", b"c")
RANGES = ((b"a", b""), (b"a/", b"a0"), (b"b", b"\0"), (b"", b"\0"), (b"a/1", b"b/1"))
SEEDS = 40
STEPS = 120


class Watch(NamedTuple):
    """What was asked for."""

    client: Client
    watch_id: int
    request: rpc.WatchCreateRequest
    start: int


class World:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.rig = Rig(fragment_bytes=300)
        self.clients: list[Client] = []
        self.watches: list[Watch] = []
        self.compacted = -1

    def step(self) -> None:
        act = self.rng.choices(
            (
                self.write,
                self.watch,
                self.open,
                self.slow,
                self.work,
                self.cancel,
                self.compact,
                self.tell,
                self.snapshot,
                self.close,
            ),
            (30, 12, 4, 10, 15, 4, 1, 8, 1, 1),
        )[0]
        act()

    def write(self) -> None:
        for _ in range(self.rng.randint(1, 3)):
            key, value = self.rng.choice(KEYS), bytes(self.rng.randint(0, 60))
            kind = self.rng.randrange(6)
            if kind == 0:
                self.rig.apply(delete(key, self.rng.choice((b"", b"z"))))
            elif kind == 1:
                self.rig.apply(txn(put(key, value), txn(delete(self.rng.choice(KEYS))), put(key + b"+")))
            else:
                self.rig.apply(put(key, value))
        self.rig.hub.publish()

    def watch(self) -> None:
        if not self.clients:
            return
        client, revision = self.rng.choice(self.clients), self.rig.hub.revision
        key, end = self.rng.choice(RANGES)
        start = self.rng.choice((0, 0, 1, max(1, revision - self.rng.randint(0, 20)), revision + self.rng.randint(1, 5)))
        request = rpc.WatchCreateRequest(
            key=key,
            range_end=end,
            start_revision=start,
            prev_kv=self.rng.random() < 0.4,
            fragment=self.rng.random() < 0.3,
            progress_notify=self.rng.random() < 0.5,
            filters=self.rng.choice(([], [], [rpc.WatchCreateRequest.NOPUT], [rpc.WatchCreateRequest.NODELETE])),
        )
        watch_id = client.stream._next_id
        client.stream.create(request)
        self.watches.append(Watch(client, watch_id, request, start or revision + 1))

    def open(self) -> None:
        if len(self.clients) < 5:
            self.clients.append(self.rig.client())

    def slow(self) -> None:
        if self.clients:
            client = self.rng.choice(self.clients)
            if client.reading:
                client.reading = False
            else:
                client.read()

    def work(self) -> None:
        self.rig.work(self.rng.randint(1, 5))

    def cancel(self) -> None:
        if self.watches:
            watch = self.rng.choice(self.watches)
            watch.client.stream.cancel(watch.watch_id)

    def close(self) -> None:
        if len(self.clients) > 3:
            self.clients.pop(0).stream.close()

    def compact(self) -> None:
        target = self.rig.store.revision - self.rng.randint(0, 10)
        if target > max(1, self.compacted):
            compact(self.rig.store, target)
            self.compacted = target

    def tell(self) -> None:
        self.rig.timers.fire()
        if self.clients:
            self.rng.choice(self.clients).stream.progress()

    def snapshot(self) -> None:
        """The state jumps, as when a snapshot of a leader is installed."""
        self.rig.hub.hold()
        for _ in range(self.rng.randint(0, 4)):
            written = self.rig.store.put(put(self.rng.choice(KEYS), b"leader's"))
            self.rig.events += written.events
        self.watch()
        self.rig.work(1)
        self.rig.hub.resume()

    # --- what must hold -------------------------------------------------------------------------------------------

    def check(self) -> None:
        self.rig.settle(self.clients)
        for client in self.clients:
            revisions = [response.header.revision for response in client.responses]
            assert revisions == sorted(revisions)
        for watch in self.watches:
            if watch.client in self.clients:
                self.check_watch(watch)

    def check_watch(self, watch: Watch) -> None:
        responses = watch.client.of(watch.watch_id)
        assert [response.created for response in responses] == [True] + [False] * (len(responses) - 1)
        told = self.told(responses)
        expected = self.expected(watch)
        assert told == expected[: len(told)]
        cancelled = [response for response in responses if response.canceled]
        if not cancelled:
            assert told == expected
        else:
            assert cancelled[0].compact_revision <= max(0, self.compacted)
        assert not cancelled or responses[-1] is cancelled[0]
        self.check_atomic(responses)
        self.check_bookmarks(watch, expected)

    def told(self, responses: list[rpc.WatchResponse]) -> list[tuple[int, bytes, bytes | None]]:
        told = []
        for response in responses:
            for event in response.events:
                assert event.kv.mod_revision <= response.header.revision
                told.append((event.kv.mod_revision, event.kv.key, None if event.type else event.kv.value))
        return told

    def expected(self, watch: Watch) -> list[tuple[int, bytes, bytes | None]]:
        key, end, filters = watch.request.key or b"\0", watch.request.range_end, watch.request.filters
        return [
            (event.revision, event.key, None if event.encoded is None else event.kv.value)
            for event in self.rig.events
            if event.revision >= watch.start
            and (event.key == key if not end else event.key >= key and (end == b"\0" or event.key < end))
            and int(event.encoded is None) not in filters
        ]

    def check_atomic(self, responses: list[rpc.WatchResponse]) -> None:
        last, whole = 0, True
        for response in responses:
            if response.events:
                first = response.events[0].kv.mod_revision
                assert first > last or (first == last and not whole)
                last, whole = response.events[-1].kv.mod_revision, not response.fragment

    def check_bookmarks(self, watch: Watch, expected: list[tuple[int, bytes, bytes | None]]) -> None:
        seen = 0
        for response in watch.client.responses:
            if response.watch_id == watch.watch_id:
                seen += len(response.events)
                if response.canceled:
                    return
            mine = response.watch_id in {watch.watch_id, -1} and not response.created and not response.events
            if mine and (response.watch_id == watch.watch_id or self.created_before(watch, response)):
                assert seen == sum(revision <= response.header.revision for revision, _, _ in expected)

    def created_before(self, watch: Watch, response: rpc.WatchResponse) -> bool:
        for one in watch.client.responses:
            if one is response:
                return False
            if one.watch_id == watch.watch_id:
                return True
        return False


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_watch_is_told_what_happened(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raftkv.watch.hub.MAX_BACKLOG_BYTES", 1000)
    monkeypatch.setattr("raftkv.watch.recent.MAX_EVENTS", 10 if seed % 2 else 200)
    world = World(seed)
    for _ in range(STEPS):
        world.step()
    world.check()


def test_previous_values_are_those_before_the_revision() -> None:
    world = World(1)
    world.open()
    for key, end in RANGES:
        world.clients[0].watch(key, end, prev_kv=True)
    for _ in range(100):
        world.write()
    for key, end in RANGES:
        world.clients[0].watch(key, end, prev_kv=True, start_revision=1)
    world.rig.settle(world.clients)
    before = {(event.revision, event.key): event.prev_kv for event in world.rig.events}
    events = [event for response in world.clients[0].responses for event in response.events]
    assert len(events) > 200
    for event in events:
        previous = before[event.kv.mod_revision, event.kv.key]
        assert (event.prev_kv if event.HasField("prev_kv") else None) == previous
