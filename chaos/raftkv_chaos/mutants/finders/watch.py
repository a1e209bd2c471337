"""A watch hub with everything round it in the finder's hands; the world is that of the tests, with ids that clients choose,
watches that begin in the middle of a turn, and values before that are compared.
"""

import random

from raftkv.pb import rpc
from raftkv.watch import encoding, hub, recent, sweep
from tests.watch.rig import Client, Rig
from tests.watch.test_hub_model import KEYS, RANGES, Watch, World

STEPS = 120
BACKLOG_BYTES = 1000
IDS = (0, 0, 0, 1, 2, 3, 5)


class WatchWorld(World):
    """Clients choose ids now and then, and values before are compared."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._used: set[tuple[Client, int]] = set()
        self._compactions: list[tuple[int, dict[Client, int]]] = []
        """At which revisions, and how many responses each client had been sent by then."""

    def write(self) -> None:
        """Now and then somebody begins to watch when an entry is applied and not yet told."""
        if self.rng.random() < 0.2:
            self.rig.apply(rpc.PutRequest(key=self.rng.choice(KEYS), value=b"turn"))
            self.watch()
        super().write()

    def compact(self) -> None:
        before = self.compacted
        super().compact()
        if self.compacted != before and self.rig.hub._sweep is None:  # noqa: SLF001 (else what was read before may follow)
            self._compactions.append((self.compacted, {client: client.sends for client in self.clients}))

    def watch(self) -> None:
        if not self.clients:
            return
        client = self.rng.choice(self.clients)
        before = dict(client.stream._watchers)  # noqa: SLF001 (which ids are taken is nobody else's business)
        chosen = self.rng.choice(IDS)
        if chosen not in before and (client, chosen) in self._used:
            chosen = 0
        request, start = self._request(chosen)
        client.stream.create(request)
        after = client.stream._watchers  # noqa: SLF001
        assert all(after.get(watch_id) is watcher for watch_id, watcher in before.items()), "an id is given twice"
        new = after.keys() - before.keys()
        compacted = 0 < request.start_revision < self.rig.store.compact_revision  # such a one may end at once
        free = chosen not in before or not chosen
        assert compacted or bool(new) == free, f"a watch with the id {chosen} beside {set(before)}: {set(new)}"
        for watch_id in new:
            self._begin(client, watch_id, request, start)
        if not new:
            self._used.add((client, chosen or client.stream._next_id - 1))  # noqa: SLF001 (it was told of, and is gone)

    def _begin(self, client: Client, watch_id: int, request: rpc.WatchCreateRequest, start: int) -> None:
        """Where an id comes back, its responses cannot be told from those of the watch before; neither is compared then."""
        if (client, watch_id) in self._used:
            self.watches = [watch for watch in self.watches if (watch.client, watch.watch_id) != (client, watch_id)]
        else:
            self._used.add((client, watch_id))
            self.watches.append(Watch(client, watch_id, request, start))

    def _request(self, chosen: int) -> tuple[rpc.WatchCreateRequest, int]:
        rng, revision = self.rng, self.rig.hub.revision
        key, end = rng.choice(RANGES)
        start = rng.choice((0, 0, 1, max(1, revision - rng.randint(0, 20)), revision + rng.randint(1, 5)))
        request = rpc.WatchCreateRequest(
            key=key,
            range_end=end,
            start_revision=start,
            watch_id=chosen,
            prev_kv=rng.random() < 0.5,
            fragment=rng.random() < 0.3,
            progress_notify=rng.random() < 0.5,
            filters=rng.choice(([], [], [rpc.WatchCreateRequest.NOPUT], [rpc.WatchCreateRequest.NODELETE])),
        )
        return request, start or revision + 1

    def check_watch(self, watch: Watch) -> None:
        if sum(response.created for response in watch.client.of(watch.watch_id)) > 1:
            return  # the id came back
        super().check_watch(watch)
        self._check_compacted(watch)
        known = {(event.revision, event.key): event.prev_kv for event in self.rig.events}
        for response in watch.client.of(watch.watch_id):
            for event in response.events:
                place = event.kv.mod_revision, event.kv.key
                told = event.prev_kv if event.HasField("prev_kv") else None
                assert told is None or (watch.request.prev_kv and told == known[place]), f"{place} is told with {told}"

    def _check_compacted(self, watch: Watch) -> None:
        """What is compacted is told to nobody any more, whether it is still in memory or not."""
        for revision, sent in self._compactions:
            for response in watch.client.responses[sent.get(watch.client, 0) :]:
                for event in response.events:
                    kept = event.kv.mod_revision > revision or not event.HasField("prev_kv")
                    assert kept, f"what was before {event.kv.mod_revision} is told after the compaction at {revision}"


def find(seed: int) -> None:
    """One world, with small limits."""
    hub.MAX_BACKLOG_BYTES = BACKLOG_BYTES
    recent.MAX_EVENTS = 10 if seed % 2 else 200
    encoding.MAX_RESPONSE_BYTES = 200 if seed % 3 else 1024 * 1024
    sweep.MAX_RESPONSE_BYTES = encoding.MAX_RESPONSE_BYTES  # type: ignore[attr-defined] # it has the number it was given
    world = WatchWorld(seed)
    for _ in range(STEPS):
        world.step()
    world.check()
    _previous_values(seed)
    _slow_client(seed)


def _previous_values(seed: int) -> None:
    """Whoever is not behind a compaction is told every value before, live or from history."""
    world = World(seed)
    world.open()
    for key, end in RANGES:
        world.clients[0].watch(key, end, prev_kv=True)
    for _ in range(30):
        world.write()
    for key, end in RANGES:
        world.clients[0].watch(key, end, prev_kv=True, start_revision=1)
    world.rig.settle(world.clients)
    before = {(event.revision, event.key): event.prev_kv for event in world.rig.events}
    for response in world.clients[0].responses:
        for event in response.events:
            previous = before[event.kv.mod_revision, event.kv.key]
            told = event.prev_kv if event.HasField("prev_kv") else None
            assert told == previous, f"before revision {event.kv.mod_revision} there was {previous}, told is {told}"


def _slow_client(seed: int) -> None:
    """What waits for a client that does not read is bounded, and nothing of it is lost."""
    rig = Rig()
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    client = rig.client()
    client.watch(b"", b"\0", start_revision=1)
    if seed % 2:
        rig.work()  # it is told as it happens; else from history
    client.reading = False
    for number in range(300):
        rig.turn(rpc.PutRequest(key=KEYS[(seed + number) % len(KEYS)], value=b"v" * 20))
        if rng.random() < 0.2:
            rig.work()
        assert client.backlog <= 4 * BACKLOG_BYTES, f"{client.backlog} bytes wait for a client that does not read"
    rig.settle([client])
    assert len(client.seen(0)) == len(rig.events), "a slow client was not told everything"
