"""The store as simple as it can be said: every version in a dict, every answer by looking at all of them.

It knows ranges, puts, deletions, transactions without nesting, and compaction; what it answers is what etcd's documentation
says. It shares no code with the store.
"""

from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):  # noqa: N818  (a refusal, not a failure)
    """The model's only error; the message is the last words of etcd's."""


@dataclass
class Version:
    create: int
    mod: int
    version: int
    value: bytes | None
    """None: deleted."""


@dataclass
class Model:
    revision: int = 1
    compacted: int = -1
    versions: dict[bytes, list[Version]] = field(default_factory=dict)

    def at(self, key: bytes, revision: int) -> Version | None:
        """The version of a key at a revision, if it existed."""
        found = None
        for version in self.versions.get(key, []):
            if version.mod <= revision:
                found = version
        return found if found is not None and found.value is not None else None

    def selected(self, key: bytes, end: bytes, revision: int) -> list[tuple[bytes, Version]]:
        found = []
        for name in sorted(self.versions):
            version = self.at(name, revision)
            if version is not None and (name == key if not end else name >= key and (end == b"\0" or name < end)):
                found.append((name, version))
        return found

    def range(self, request: Any, seen: int | None = None) -> tuple[list[tuple[Any, ...]], int, bool]:
        """(rows, count, more)."""
        seen = self.revision if seen is None else seen
        revision = request.revision if request.revision > 0 else seen
        if revision > seen:
            raise Refused("future revision")
        if revision < self.compacted:
            raise Refused("compacted")
        found = self.selected(request.key, request.range_end, revision)
        count = len(found)
        if request.count_only:
            return [], count, False
        filtered = bool(request.min_mod_revision or request.max_mod_revision)
        unsorted_cut = request.sort_order == 0 and not filtered and request.limit > 0
        if unsorted_cut:
            found = found[: request.limit + 1]
        if request.min_mod_revision:
            found = [pair for pair in found if pair[1].mod >= request.min_mod_revision]
        if request.max_mod_revision:
            found = [pair for pair in found if pair[1].mod <= request.max_mod_revision]
        by = [
            lambda pair: pair[0],
            lambda pair: pair[1].version,
            lambda pair: pair[1].create,
            lambda pair: pair[1].mod,
            lambda pair: pair[1].value,
        ][request.sort_target]
        found.sort(key=by, reverse=request.sort_order == 2)
        more = 0 < request.limit < len(found)
        if request.limit > 0:
            found = found[: request.limit]
        return (
            [
                (key, version.create, version.mod, version.version, b"" if request.keys_only else version.value)
                for key, version in found
            ],
            count,
            more,
        )

    def put(self, key: bytes, value: bytes, revision: int) -> None:
        before = self.at(key, revision)
        if before is None:
            version = Version(revision, revision, 1, value)
        else:
            version = Version(before.create, revision, before.version + 1, value)
        self.versions.setdefault(key, []).append(version)

    def delete(self, key: bytes, end: bytes, revision: int) -> int:
        doomed = self.selected(key, end, revision)
        for name, _ in doomed:
            self.versions[name].append(Version(0, revision, 0, None))
        return len(doomed)

    def compact(self, revision: int) -> None:
        if revision <= self.compacted:
            raise Refused("compacted")
        if revision > self.revision:
            raise Refused("future revision")
        self.compacted = revision

    def changes(self, first: int, last: int) -> list[tuple[int, bytes, bytes | None]]:
        """(revision, key, value), in order of revisions; several changes of one revision in order of keys."""
        return sorted(
            (
                (version.mod, key, version.value)
                for key, all_ in self.versions.items()
                for version in all_
                if first <= version.mod <= last
            ),
            key=lambda change: change[:2],
        )
