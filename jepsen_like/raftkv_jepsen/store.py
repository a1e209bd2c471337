"""etcd's store as simple as it can be said: what a request does to it, and what it answers. No code of the server is in here.

A `Store` is a value: `apply` answers the next one and leaves the old as it was. Keys and values are text.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import freeze

Answer = dict[str, Any]
FROM_KEY_ON = "\0"
TARGETS = frozenset({"value", "create", "mod", "version", "lease"})


class Row(NamedTuple):
    """What etcd tells of a key; revisions of creation and last change, and how often it was put since."""

    key: str
    value: str
    create: int
    mod: int
    version: int
    lease: int


@dataclass(frozen=True, slots=True)
class Range:
    """`revision` 0 is now. A `serializable` read may be of the past; `max_staleness_s` bounds how far."""

    key: str
    range_end: str = ""
    revision: int = 0
    limit: int = 0
    count_only: bool = False
    serializable: bool = False
    max_staleness_s: float | None = None


@dataclass(frozen=True, slots=True)
class Put:
    """Writes a key."""

    key: str
    value: str = ""
    lease: int = 0
    ignore_value: bool = False
    ignore_lease: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Removes a key or a range."""

    key: str
    range_end: str = ""


@dataclass(frozen=True, slots=True)
class Compare:
    """One condition: target is value, create, mod, version or lease; result is one of = != < >."""

    key: str
    target: str
    result: str
    operand: Any
    range_end: str = ""


@dataclass(frozen=True, slots=True)
class Txn:
    """If all conditions hold the first list, else the second, at one revision."""

    compare: tuple[Compare, ...]
    success: "tuple[Request, ...]"
    failure: "tuple[Request, ...]"


@dataclass(frozen=True, slots=True)
class Compact:
    """Forgets what was before a revision."""

    revision: int


@dataclass(frozen=True, slots=True)
class LeaseGrant:
    """Makes a lease."""

    id: int
    ttl: float = 0


@dataclass(frozen=True, slots=True)
class LeaseRevoke:
    """Ends a lease, by request or because its time is up; its keys go with it, at one revision."""

    id: int


Request = Range | Put | Delete | Txn | Compact | LeaseGrant | LeaseRevoke
KINDS: dict[str, type[Any]] = {
    "range": Range,
    "put": Put,
    "delete": Delete,
    "compact": Compact,
    "lease_grant": LeaseGrant,
    "lease_revoke": LeaseRevoke,
    "lease_expire": LeaseRevoke,
}


def parse_request(f: str, value: Any) -> Request:
    """A request from its name and its fields (a mapping, or the pairs that `freeze` makes of one).

    Raises:
        HistoryError: there is no such request, or no such field.
    """
    try:
        fields = {str(name): freeze(each) for name, each in dict(value).items()}
        if f != "txn":
            request: Request = KINDS[f](**fields)
            return request
        branches = [tuple(_nested(step) for step in fields.pop(name, ())) for name in ("success", "failure")]
        compare = tuple(Compare(*condition) for condition in fields.pop("compare", ()))
        return Txn(compare, *branches, **fields)
    except (TypeError, ValueError, KeyError) as error:
        raise HistoryError(f"no request: {f} {value!r:.80} ({error})") from error


def _nested(step: tuple[str, Any]) -> Request:
    """An operation of a transaction is a pair of a name and fields."""
    f, value = step
    return parse_request(f, value)


def writes(request: Request) -> bool:
    """Whether the request can change anything."""
    if isinstance(request, Txn):
        return any(writes(step) for step in (*request.success, *request.failure))
    return not isinstance(request, Range)


class Store:
    """The state: revision, compacted revision, rows by key, leases that live. Never changed once made."""

    __slots__ = ("_hash", "compacted", "leases", "revision", "rows")

    def __init__(self, revision: int, compacted: int, rows: Mapping[str, Row], leases: frozenset[int]) -> None:
        self.revision = revision
        self.compacted = compacted
        self.rows = rows
        self.leases = leases
        self._hash = 0

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Store)
            and self.revision == other.revision
            and self.compacted == other.compacted
            and self.leases == other.leases
            and self.rows == other.rows
        )

    def __hash__(self) -> int:
        if not self._hash:
            self._hash = hash((self.revision, self.compacted, frozenset(self.rows.values()), self.leases))
        return self._hash


EMPTY = Store(1, 0, {}, frozenset())


def within(key: str, begin: str, end: str) -> bool:
    """Whether a key is in a range as etcd writes it: no end is one key, a zero byte is everything from `begin` on."""
    if not end:
        return key == begin
    return key >= begin and (end == FROM_KEY_ON or key < end)


def select(rows: Mapping[str, Row], begin: str, end: str) -> list[Row]:
    """The rows in a range, by key."""
    if not end:
        return [rows[begin]] if begin in rows else []
    return [rows[key] for key in sorted(rows) if within(key, begin, end)]


def apply(store: Store, request: Request) -> tuple[Store, Answer]:
    """The store after the request, and the answer. A refusal is an answer with `error`, and changes nothing."""
    if isinstance(request, Compact):
        return _compact(store, request)
    if isinstance(request, LeaseGrant):
        if request.id in store.leases:
            return store, {"error": "lease exists"}
        granted = Store(store.revision, store.compacted, store.rows, store.leases | {request.id})
        return granted, {"revision": store.revision, "id": request.id}
    if isinstance(request, LeaseRevoke):
        return _revoke(store, request)
    draft = Draft(store)
    try:
        answer = draft.run(request)
    except Refused as refused:
        return store, {"error": str(refused)}
    after = draft.finished()
    answer["revision"] = after.revision
    return after, answer


def _compact(store: Store, request: Compact) -> tuple[Store, Answer]:
    if request.revision <= store.compacted:
        return store, {"error": "compacted"}
    if request.revision > store.revision:
        return store, {"error": "future revision"}
    return Store(store.revision, request.revision, store.rows, store.leases), {"revision": store.revision}


def _revoke(store: Store, request: LeaseRevoke) -> tuple[Store, Answer]:
    if request.id not in store.leases:
        return store, {"error": "lease not found"}
    left = {key: row for key, row in store.rows.items() if row.lease != request.id}
    revision = store.revision + (len(left) < len(store.rows))
    return Store(revision, store.compacted, left, store.leases - {request.id}), {"revision": revision}


class Refused(Exception):  # noqa: N818  (a refusal is an answer, not an error of ours)
    """The request is answered with an error."""


class Draft:
    """One request being applied: all its writes have one revision, and its reads see them."""

    def __init__(self, store: Store) -> None:
        self._before = store
        self._rows = store.rows
        self._changed = False
        self._path: dict[int, bool] = {}

    def finished(self) -> Store:
        """The store afterwards; the revision moves only if something changed."""
        if not self._changed:
            return self._before
        return Store(self._before.revision + 1, self._before.compacted, self._rows, self._before.leases)

    def run(self, request: Request) -> Answer:
        if isinstance(request, Range):
            return self._range(request)
        if isinstance(request, Put):
            return self._put(request)
        if isinstance(request, Delete):
            return self._delete(request)
        if isinstance(request, Txn):
            self._choose(request)
            return self._txn(request)
        raise Refused("not allowed in a transaction")

    def _change(self) -> dict[str, Row]:
        if not self._changed:
            self._rows = dict(self._rows)
            self._changed = True
        assert isinstance(self._rows, dict)
        return self._rows

    def _range(self, request: Range) -> Answer:
        before = self._before
        if request.revision > before.revision + self._changed:
            raise Refused("future revision")
        if 0 < request.revision < before.compacted:
            raise Refused("compacted")
        if 0 < request.revision < before.revision:
            return {"past": True}
        was = before.rows if request.revision == before.revision else self._rows  # which may have changed in this very request
        rows = select(was, request.key, request.range_end)
        kept = [] if request.count_only else rows[: request.limit or None]
        return {"kvs": tuple(kept), "count": len(rows), "more": not request.count_only and len(kept) < len(rows)}

    def _put(self, request: Put) -> Answer:
        old = self._rows.get(request.key)
        if (request.ignore_value or request.ignore_lease) and old is None:
            raise Refused("key not found")
        value = old.value if request.ignore_value and old is not None else request.value
        lease = old.lease if request.ignore_lease and old is not None else request.lease
        if request.lease and request.lease not in self._before.leases:
            raise Refused("lease not found")
        revision = self._before.revision + 1
        create, version = (revision, 1) if old is None else (old.create, old.version + 1)
        self._change()[request.key] = Row(request.key, value, create, revision, version, lease)
        return {"prev": old}

    def _delete(self, request: Delete) -> Answer:
        gone = select(self._rows, request.key, request.range_end)
        if gone:
            rows = self._change()
            for row in gone:
                del rows[row.key]
        return {"deleted": len(gone), "prev": tuple(gone)}

    def _choose(self, request: Txn) -> None:
        """All conditions, of inner transactions too, look at the store as it was before."""
        holds = all(self._holds(condition) for condition in request.compare)
        self._path[id(request)] = holds
        for step in request.success if holds else request.failure:
            if isinstance(step, Txn):
                self._choose(step)

    def _holds(self, condition: Compare) -> bool:
        rows: Iterable[Row] = select(self._before.rows, condition.key, condition.range_end)
        if not rows:
            if condition.target == "value":
                return False
            rows = [Row(condition.key, "", 0, 0, 0, 0)]
        return all(_compared(getattr(row, condition.target), condition) for row in rows)

    def _txn(self, request: Txn) -> Answer:
        holds = self._path[id(request)]
        steps = request.success if holds else request.failure
        answers = tuple(self._txn(step) if isinstance(step, Txn) else self.run(step) for step in steps)
        return {"succeeded": holds, "responses": answers}


def _compared(found: Any, condition: Compare) -> bool:
    if condition.result == "=":
        return bool(found == condition.operand)
    if condition.result == "!=":
        return bool(found != condition.operand)
    return bool(found < condition.operand if condition.result == "<" else found > condition.operand)


def matches(expected: Answer, recorded: Any) -> bool:
    """Whether everything that was recorded of an answer is as expected. What was not recorded is not compared."""
    if "past" in expected:
        return True
    if recorded is None:
        return "error" not in expected
    told = dict(recorded)
    if ("error" in told) != ("error" in expected):
        return False
    return all(_matches(name, expected.get(name), value) for name, value in told.items())


def _matches(name: str, expected: Any, recorded: Any) -> bool:
    if name == "responses":
        return len(expected) == len(recorded) and all(map(matches, expected, recorded))
    return bool(expected == recorded)


def changes(before: Store, after: Store) -> Iterator[tuple[str, Row | None, Row | None]]:
    """(key, new row or None, old row or None) for every key that changed, by key."""
    for key in sorted(before.rows.keys() | after.rows.keys()):
        old, new = before.rows.get(key), after.rows.get(key)
        if old != new:
            yield key, new, old
