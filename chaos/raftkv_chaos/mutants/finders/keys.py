"""Two replicas of the state and a model of etcd's store, fed with one random log.

The replicas restart, lose rows that were not on disk, and tidy up at their own pace; the model is raftkv_jepsen's, which shares no
code with the store. Answers, events, reads of the past and checksums are compared after every entry, and between the slices of
the long ones.
"""

import random
from collections.abc import Generator, Iterator
from typing import Any

from raftkv.mvcc import finish
from raftkv.pb import kv, rpc
from raftkv.raft.messages import Entry, EntryKind
from raftkv_chaos.mutants.finders.log_maker import LogMaker, Step
from raftkv_chaos.mutants.finders.twin import Twin, small_slices
from raftkv_jepsen import store as model

ENTRIES = 80
ORDERS = (rpc.RangeRequest.NONE, rpc.RangeRequest.ASCEND, rpc.RangeRequest.DESCEND)
TARGETS = (
    rpc.RangeRequest.KEY,
    rpc.RangeRequest.KEY,
    rpc.RangeRequest.VERSION,
    rpc.RangeRequest.CREATE,
    rpc.RangeRequest.MOD,
    rpc.RangeRequest.VALUE,
)


def find(seed: int) -> None:
    """One log."""
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    small_slices(tiny=seed % 4 != 0)
    world = _World(rng)
    for _ in range(ENTRIES):
        world.step()
    world.end()


class _World:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.maker = LogMaker(rng)
        self.first, self.second = Twin(), Twin()
        self.log: list[Entry] = []
        self.states: dict[int, model.Store] = {1: model.EMPTY}
        """What the model was at every revision."""
        self.now = model.EMPTY
        self.told = model.EMPTY.revision
        """The last revision of which there was an event."""

    def step(self) -> None:
        step = self.maker.next(self.now)
        entry = Entry(len(self.log) + 1, 1, EntryKind.NORMAL, step.data)
        self.log.append(entry)
        reading = self._begin_read()
        self._checksums_agree()
        one, other = self._apply_slowly(entry), self.second.apply(entry)
        assert _told(one) == _told(other), f"replicas answer {step.name} with {_told(one)} and {_told(other)}"
        self._model_agrees(step, one)
        self._history_agrees(one)
        self._end_read(reading)
        for _ in range(self.rng.randint(0, 2)):
            self._read()
        for twin in (self.first, self.second):
            for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
                self._disturb(twin)

    def end(self) -> None:
        for twin in (self.first, self.second):
            twin.scrub_all()
            twin.restart()
        assert self.first.hash_all() == self.second.hash_all(), "replicas of the same log differ"
        assert self.first.counts() == self.second.counts(), "replicas of the same log have different sizes"
        for _ in range(20):
            self._read()

    # --- applying --------------------------------------------------------------------------------------------------------

    def _apply_slowly(self, entry: Entry) -> Any:
        """The first replica may need many slices, between which others read."""
        outcome = self.first.machine.apply(entry)
        if not isinstance(outcome, Generator):
            return self.first.applied(outcome)
        while True:
            try:
                next(outcome)
            except StopIteration as end:
                return self.first.applied(end.value)
            if self.rng.random() < 0.3:
                self._read()

    def _model_agrees(self, step: Step, outcome: Any) -> None:
        for request in step.requests:
            self.now, answer = model.apply(self.now, request)
            self.states[self.now.revision] = self.now
            step.answers.append(answer)
        step.check(outcome)
        revision = self.first.machine.store.revision
        assert revision == self.now.revision, f"after {step.name} the revision is {revision} and should be {self.now.revision}"

    def _history_agrees(self, outcome: Any) -> None:
        """What is told of a change is what history says of it."""
        if not outcome.events:
            assert self.now.revision == self.told, f"nothing is told of revision {self.now.revision}"
            return
        self.told = self.now.revision
        store = self.first.machine.store
        first, last = outcome.events[0].revision, outcome.events[-1].revision
        if first - 1 < store.compact_revision:
            return
        history = [event for batch in store.changes(first, last, previous=True) for event in batch]
        assert list(outcome.events) == history, f"told is {outcome.events}, history says {history}"
        gone = {key for key, row, _ in model.changes(self.states[first - 1], self.states[last]) if row is None}
        assert gone <= {event.key.decode("latin-1") for event in outcome.events if event.encoded is None}, (
            "a deletion is not told"
        )

    def _disturb(self, twin: Twin) -> None:
        match self.rng.randrange(12):
            case 0:
                twin.restart()
            case 1:
                for entry in twin.crash(self.rng, self.log):
                    twin.apply(entry)
            case 2 | 3 | 4:
                twin.scrub(self.rng.randint(1, 3))
            case 5 | 6:
                twin.seal()
            case 7 | 8:
                twin.flush()
            case _:
                pass

    # --- reading ---------------------------------------------------------------------------------------------------------

    def _request(self) -> rpc.RangeRequest:
        rng = self.rng
        key, end = self.maker.bounds()
        request = rpc.RangeRequest(
            key=key,
            range_end=end,
            revision=rng.choice((0, 0, self.now.revision - rng.randint(-1, 12))),
            limit=rng.choice((0, 0, 1, 2, 3)),
            sort_order=rng.choice(ORDERS),
            sort_target=rng.choice(TARGETS),
            count_only=rng.random() < 0.2,
            keys_only=rng.random() < 0.1,
        )
        if rng.random() < 0.2:
            request.min_mod_revision = max(1, self.now.revision - rng.randint(0, 12))
        return request

    def _read(self) -> None:
        twin, request = self.rng.choice((self.first, self.second)), self._request()
        if twin.machine.store.revision == self.now.revision:
            _compare(request, self.states, self.now, lambda: finish(twin.machine.store.range(request)))

    def _begin_read(self) -> Any:
        """A long read goes on while the next entry is applied, and does not see it."""
        request = self._request()
        now = self.now
        steps = self.second.machine.store.range
        begun: Any = None
        try:
            begun = steps(request)
            if isinstance(begun, Generator):
                next(begun)
        except Exception as error:  # noqa: BLE001 (compared with what the model refuses)
            begun = error
        return request, now, begun

    def _end_read(self, reading: Any) -> None:
        request, now, begun = reading

        def end() -> Any:
            if isinstance(begun, StopIteration):
                return begun.value
            if isinstance(begun, Exception):
                raise begun
            return finish(begun) if isinstance(begun, Generator) else begun

        _compare(request, self.states, now, end)

    def _checksums_agree(self) -> None:
        """Of one revision, on replicas of which one may be further, and has tidied up or not."""
        store = self.second.machine.store
        revision = self.rng.randint(max(1, store.compact_revision), store.revision)
        one, other = finish(self.first.machine.store.hash(revision)), finish(store.hash(revision))
        assert one == other, f"checksums of revision {revision} differ: {one} and {other}"
        known = self.maker.checksums.setdefault((revision, store.compact_revision), one)
        assert known == one, f"the checksum of revision {revision} was {known} and is {one}"


def _told(outcome: Any) -> tuple[Any, ...]:
    response = None if outcome.response is None else outcome.response.SerializeToString(deterministic=True)
    return response, None if outcome.error is None else str(outcome.error), list(outcome.events)


def _compare(request: rpc.RangeRequest, states: dict[int, model.Store], now: model.Store, read: Any) -> None:
    expected = _expected(request, states, now)
    try:
        response = read()
    except Exception as error:  # noqa: BLE001 (the kinds are compared)
        answer: Any = "compacted" if "compacted" in str(error) else "future" if "future" in str(error) else repr(error)
    else:
        rows = [_row(each) for each in response.kvs]
        answer = (rows, response.count, response.more, response.header.revision)
    assert answer == expected, f"range {_shown(request)} answers {answer}, expected {expected}"


def _shown(request: rpc.RangeRequest) -> str:
    return " ".join(str(request).split())


def _row(each: kv.KeyValue) -> tuple[Any, ...]:
    key, value = each.key.decode("latin-1"), each.value.decode("latin-1")
    return key, value, each.create_revision, each.mod_revision, each.version, each.lease


def _expected(request: rpc.RangeRequest, states: dict[int, model.Store], now: model.Store) -> Any:
    at = request.revision if request.revision > 0 else now.revision
    if at > now.revision:
        return "future"
    if at < now.compacted:
        return "compacted"
    rows = model.select(states[at].rows if at < now.revision else now.rows, *_texts(request))
    count = len(rows)
    if request.count_only:
        return [], count, False, now.revision
    return *_chosen(request, rows, count), now.revision


def _texts(request: rpc.RangeRequest) -> Iterator[str]:
    return (text.decode("latin-1") for text in (request.key, request.range_end))


def _chosen(request: rpc.RangeRequest, rows: list[model.Row], count: int) -> tuple[Any, int, bool]:
    """Etcd cuts before it sorts where no order is asked for and nothing is filtered."""
    one_key = not request.range_end
    if request.min_mod_revision:
        rows = [row for row in rows if row.mod >= request.min_mod_revision]
    elif request.sort_order == 0 and request.limit > 0:
        rows = rows[: request.limit + 1]
    by = ("key", "version", "create", "mod", "value")[request.sort_target]
    rows = sorted(rows, key=lambda row: getattr(row, by), reverse=request.sort_order == rpc.RangeRequest.DESCEND)
    more = 0 < request.limit < len(rows) and not one_key
    if request.limit > 0:
        rows = rows[: request.limit]
    if request.keys_only:
        rows = [row._replace(value="") for row in rows]
    return [tuple(row) for row in rows], count, more
