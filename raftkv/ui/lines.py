r"""Locks, elections and semaphores: who holds, under which fencing token, and who waits.

There is no list of them: a lock is nothing but keys that stand in line (raftkv.recipes.line). They are known by their names,
which end in the lease that they hang on:

    NAME/694d81                       a lock; where the value is not empty, an election (or a party, which looks the same)
    NAME/read/694d81  NAME/write/...  a read-write lock
    NAME/held/694d81  NAME/line/...   a semaphore; NAME/line/ alone: a queue, or a semaphore that nobody holds

Locks of etcd's own clients have the same names. All leased keys are looked through, in slices, at most once a second however
many look at the page; what is shown of a line is read for the lines of one page only.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from raftkv.mvcc.steps import SLICE_ROWS, Steps, finish
from raftkv.pb.kv import KeyValue
from raftkv.pb.rpc import RangeRequest
from raftkv.rpc.method import Call
from raftkv.server.replica import Replica
from raftkv.ui.leases import LeasesView
from raftkv.ui.question import Gate, Json, Parameters, encoded, prefix_end

REMEMBERED_S: Final = 1.0
MAX_IN_LINE: Final = 100
"""Places of one line that are shown."""
MAX_TIMES: Final = 10
"""Of them, those whose leases are asked for."""
PREVIEW_BYTES: Final = 256

LOCK, ELECTION, READ_WRITE, SEMAPHORE, QUEUE = "lock", "election", "read-write lock", "semaphore", "queue"
_SIDES: Final = {b"read": READ_WRITE, b"write": READ_WRITE, b"held": SEMAPHORE, b"line": SEMAPHORE}


class Line(NamedTuple):
    """One lock, election or the like."""

    name: bytes
    """Its keys' prefix, with the slash."""
    kind: str
    size: int
    """Keys in it."""


class LinesView:
    """Answers about locks and elections."""

    def __init__(self, replica: Replica, gate: Gate, leases: LeasesView, now: Callable[[], float]) -> None:
        self._replica = replica
        self._gate = gate
        self._leases = leases
        self._now = now
        self._found: list[Line] = []
        self._found_at = float("-inf")

    async def page(self, call: Call, parameters: Parameters) -> Json:
        """`limit` lines from `offset` on, by name; `find`: with this in their name."""
        limit, offset, find = parameters.limit(50), parameters.number("offset", 0, most=2**31), parameters.text("find").encode()
        lines = [line for line in await self._lines() if find in line.name]
        readable: list[Line] = await self._replica.read_local(lambda: self._readable(call, lines))
        return {
            "found": len(readable),
            "hidden": len(lines) - len(readable),
            "lines": [self._row(line) for line in readable[offset : offset + limit]],
        }

    async def one(self, call: Call, parameters: Parameters) -> Json:
        """The line of this `name`, with its first places in order."""
        name = parameters.data("name")
        line = next((line for line in await self._lines() if line.name == name), None)
        self._gate.check_range(call, name, prefix_end(name))
        if line is None:
            return {"line": None}
        kind = self._exact_kind(line)
        key_values = self._oldest(name, MAX_IN_LINE)
        holders = holding(kind, name, key_values)
        left = await self._leases.times_left([found.lease for found in key_values[:MAX_TIMES]])
        places = [{**_place(found), "holds": found.key in holders, "left": left.get(found.lease)} for found in key_values]
        return {"line": {**self._row(line), "places": places}}

    # --- finding --------------------------------------------------------------------------------------------------------

    async def _lines(self) -> list[Line]:
        if self._now() - self._found_at > REMEMBERED_S:
            self._found = await self._replica.read_local(self._search)
            self._found_at = self._now()
        return self._found

    def _search(self) -> Steps[list[Line]]:
        """All of them. What comes and goes meanwhile may be among them or not."""
        kinds: dict[bytes, str] = {}
        sizes: dict[bytes, int] = {}
        for number, (key, lease) in enumerate(list(self._replica.machine.lessor.by_key.items()), start=1):
            if number % SLICE_ROWS == 0:
                yield
            belongs = line_of(key, lease)
            if belongs is not None:
                name, kind = belongs
                kinds[name] = kind
                sizes[name] = sizes.get(name, 0) + 1
        return [Line(name, kinds[name], sizes[name]) for name in sorted(sizes)]

    def _readable(self, call: Call, lines: list[Line]) -> Steps[list[Line]]:
        """Those that who asks may read."""
        readable: list[Line] = []
        for number, line in enumerate(lines, start=1):
            if self._gate.may_read(call, line.name, prefix_end(line.name)):
                readable.append(line)
            if number % SLICE_ROWS == 0:
                yield
        return readable

    # --- telling --------------------------------------------------------------------------------------------------------

    def _row(self, line: Line) -> Json:
        oldest = self._oldest(line.name, 1)
        kind = self._exact_kind(line, oldest)
        row: Json = {"name": encoded(line.name), "kind": kind, "size": line.size, "holder": None, "held": 1}
        if kind == SEMAPHORE:
            row["held"] = self._count(line.name + b"held/")
            oldest = self._oldest(line.name + b"held/", 1)
        elif kind == QUEUE:
            row["held"], oldest = 0, []
        elif kind == READ_WRITE:
            row["held"] = self._count_readers(line.name)
        if oldest:
            row["holder"] = _place(oldest[0])
        return {**row, "waiting": max(0, line.size - row["held"])}

    def _exact_kind(self, line: Line, oldest: "list[KeyValue] | None" = None) -> str:
        if line.kind == SEMAPHORE and not self._count(line.name + b"held/") and self._count(line.name + b"items/"):
            return QUEUE
        if line.kind == LOCK:
            first = oldest if oldest is not None else self._oldest(line.name, 1)
            return ELECTION if first and first[0].value else LOCK
        return line.kind

    def _count_readers(self, name: bytes) -> int:
        """Readers that hold together: all that came before the first writer. One where a writer holds."""
        writers = self._oldest(name + b"write/", 1)
        if not writers:
            return self._count(name + b"read/")
        readers = self._oldest(name + b"read/", MAX_IN_LINE)
        return max(1, sum(reader.create_revision < writers[0].create_revision for reader in readers))

    def _count(self, prefix: bytes) -> int:
        return self._replica.store.sight().count(prefix, prefix_end(prefix))

    def _oldest(self, prefix: bytes, limit: int) -> list[KeyValue]:
        """Of the keys with a prefix, those that were created first."""
        request = RangeRequest(
            key=prefix,
            range_end=prefix_end(prefix),
            sort_target=RangeRequest.CREATE,
            sort_order=RangeRequest.ASCEND,
            limit=limit,
        )
        return list(finish(self._replica.store.range(request)).kvs)


def line_of(key: bytes, lease: int) -> tuple[bytes, str] | None:
    """The line in which a key stands that hangs on this lease, and of what kind it seems to be."""
    prefix, slash, place = key.rpartition(b"/")
    own = b"%x" % lease
    if not slash or not (place == own or place.startswith(own + b"-")):
        return None
    base, between, side = prefix.rpartition(b"/")
    if between and base and side in _SIDES:
        return base + b"/", _SIDES[side]
    return prefix + b"/", LOCK


def holding(kind: str, name: bytes, in_line: Iterable[KeyValue]) -> set[bytes]:
    """The keys of those who hold, of a line in the order of creation."""
    keys = [found.key for found in in_line]
    if kind == SEMAPHORE:
        return {key for key in keys if key.startswith(name + b"held/")}
    if kind == QUEUE:
        return set()
    if kind == READ_WRITE and keys and keys[0].startswith(name + b"read/"):
        writer = next((place for place, key in enumerate(keys) if not key.startswith(name + b"read/")), len(keys))
        return set(keys[:writer])
    return set(keys[:1])


def _place(found: KeyValue) -> Json:
    return {
        "key": encoded(found.key),
        "token": found.create_revision,
        "lease": f"{found.lease:x}",
        "value": encoded(found.value[:PREVIEW_BYTES]),
    }
