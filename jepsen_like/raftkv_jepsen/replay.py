"""The committed log, replayed: what the store held at every revision, so that reads and watches can be checked exactly.

A log is a file of JSON lines, `{"f": "put", "value": {"key": "a", "value": "1"}}`, in the order of the log of the node that
has the longest one; `lease_expire` is what the cluster itself proposes when a lease runs out. A torn last line is left out.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.store import (
    EMPTY,
    Compact,
    LeaseRevoke,
    Request,
    Row,
    apply,
    changes,
    parse_request,
    within,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One committed request. `expired` marks a lease that ended because its time was up."""

    request: Request
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a key at a revision. `row` is None for a deletion; `by_lease` where a lease took the key along."""

    revision: int
    key: str
    row: Row | None
    previous: Row | None
    by_lease: bool

    @property
    def is_create(self) -> bool:
        """Whether the key was not there before."""
        return self.previous is None


@dataclass(frozen=True, slots=True)
class Compaction:
    """A compaction to `compacted` that was applied while the store was at `revision`."""

    revision: int
    compacted: int


def read_log(path: Path) -> list[Entry]:
    """Reads a log.

    Raises:
        HistoryError: it cannot be read, or a line before the last is no request.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise HistoryError(f"{path}: {error}") from error
    torn = lines.pop()
    entries = [_entry(line, f"{path}: line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if torn.strip():
        try:
            entries.append(_entry(torn, str(path)))
        except HistoryError:
            return entries
    return entries


def _entry(line: str, where: str) -> Entry:
    try:
        fields = json.loads(line)
        f, value = fields["f"], fields["value"]
    except (ValueError, KeyError, TypeError) as error:
        raise HistoryError(f"{where} is no request: it needs f and value") from error
    try:
        return Entry(parse_request(f, value), expired=f == "lease_expire")
    except HistoryError as error:
        raise HistoryError(f"{where}: {error}") from error


class Replay:
    """The log, applied from the empty store on."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)
        self.answers: list[dict[str, Any]] = []
        self.changes: list[Change] = []
        self.compactions: list[Compaction] = []
        self._revisions: list[int] = []
        self._versions: dict[str, tuple[list[int], list[Row | None]]] = {}
        store = EMPTY
        for entry in self.entries:
            after, answer = apply(store, entry.request)
            self.answers.append(answer)
            by_lease = isinstance(entry.request, LeaseRevoke)
            for key, row, previous in changes(store, after) if after.revision != store.revision else ():
                self._add(Change(after.revision, key, row, previous, by_lease))
            if isinstance(entry.request, Compact) and "error" not in answer:
                self.compactions.append(Compaction(after.revision, after.compacted))
            store = after
        self.store = store

    def _add(self, change: Change) -> None:
        self.changes.append(change)
        self._revisions.append(change.revision)
        revisions, rows = self._versions.setdefault(change.key, ([], []))
        revisions.append(change.revision)
        rows.append(change.row)

    @property
    def revision(self) -> int:
        """The last revision."""
        return self.store.revision

    def between(self, first: int, last: int) -> list[Change]:
        """The changes at revisions first to last, both included, in order."""
        return self.changes[bisect_left(self._revisions, first) : bisect_right(self._revisions, last)]

    def at(self, key: str, revision: int) -> Row | None:
        """A key as it was at a revision."""
        if key not in self._versions:
            return None
        revisions, rows = self._versions[key]
        place = bisect_right(revisions, revision)
        return rows[place - 1] if place else None

    def range(self, begin: str, end: str, revision: int) -> list[Row]:
        """A range as it was at a revision, by key."""
        names = [begin] if not end else sorted(key for key in self._versions if within(key, begin, end))
        found = (self.at(key, revision) for key in names)
        return [row for row in found if row is not None]

    def deleted_at(self, key: str, create: int) -> int | None:
        """At which revision this incarnation of the key went; None where it is still there, or never was."""
        revisions, rows = self._versions.get(key, ([], []))
        lived = False
        for revision, row in zip(revisions, rows, strict=True):
            if row is not None and row.create == create:
                lived = True
            elif lived:
                return revision
        return None

    def holders(self, prefix: str, revision: int) -> list[Row]:
        """The rows below a prefix at a revision, oldest first: the first one holds the lock, or leads."""
        rows = (self.at(key, revision) for key in self._versions if key.startswith(prefix))
        return sorted((row for row in rows if row is not None), key=lambda row: (row.create, row.mod))
