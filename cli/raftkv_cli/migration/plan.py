"""What is to be put in which order: pure.

Of each key that is there the old cluster knows two revisions, that of its creation and that of its last change, and programs rely on
the order of both: who holds a lock is decided by the create revisions, what is newest by the mod revisions. So a key that was changed
since its creation is put twice, at the places of both. What it was in between, and its version, are not copied.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from raftkv.pb import kv

MAX_OPERATIONS = 100
"""In one transaction; raftkv takes 128 by default, and the marker is one of them."""
MAX_BYTES = 1024 * 1024
"""In one transaction, where it has more than one operation."""


class Known(NamedTuple):
    """What is known of a key without its value."""

    key: bytes
    create_revision: int
    mod_revision: int


class Step(NamedTuple):
    """The keys that are to be put because of one revision of the old cluster."""

    revision: int
    keys: Sequence[bytes]


class Change(NamedTuple):
    """A key as it is to be; no KeyValue: deleted."""

    key: bytes
    kv: kv.KeyValue | None


def steps(keys: Iterable[Known], after: int = 0) -> Iterator[Step]:
    """The order in which keys are to be put, from behind a revision on."""
    places = [(known.mod_revision, known.key) for known in keys]
    places += [(known.create_revision, known.key) for known in keys if known.create_revision != known.mod_revision]
    places = sorted(place for place in places if place[0] > after)
    for revision, group in groupby(places, key=lambda place: place[0]):
        yield Step(revision, [key for _, key in group])


def revisions(events: Iterable[kv.Event]) -> Iterator[tuple[int, list[Change]]]:
    """What a watch said, by revision."""
    for revision, group in groupby(events, key=lambda event: event.kv.mod_revision):
        yield revision, [Change(event.kv.key, event.kv if event.type == kv.Event.PUT else None) for event in group]


def portions(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Changes in pieces that a transaction may have; one alone may be larger than MAX_BYTES, there is nothing to be done."""
    portion: list[Change] = []
    size = 0
    for change in changes:
        cost = len(change.key) + (len(change.kv.value) if change.kv is not None else 0)
        if portion and (len(portion) == MAX_OPERATIONS or size + cost > MAX_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(change)
        size += cost
    if portion:
        yield portion
