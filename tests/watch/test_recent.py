"""What is kept of the last events is whole, and bounded."""

import pytest

from raftkv.mvcc import Event
from raftkv.watch.recent import Recent
from tests.mvcc.making import put
from tests.watch.rig import Rig


def event(revision: int) -> Event:
    return Event(b"k", revision, b"v", None)


def test_keeps_the_last_events_of_whole_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raftkv.watch.recent.MAX_EVENTS", 5)
    recent = Recent(1)
    for revision in range(2, 10, 2):
        recent.add([event(revision), event(revision), event(revision + 1)])
    assert recent.begin == 7
    assert [one.revision for batch in recent.between(8, 100, -1) for one in batch] == [8, 8, 9]
    assert [one.revision for batch in recent.between(9, 9, -1) for one in batch] == [9]


def test_large_events_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raftkv.watch.recent.MAX_BYTES", 1000)
    recent = Recent(1)
    for revision in range(2, 10):
        recent.add([Event(b"k", revision, bytes(300), None)])
    assert recent.begin == 7


@pytest.mark.interpreted
def test_who_is_behind_by_a_moment_does_not_ask_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    client = rig.client()
    client.watch(b"a")
    rig.turn(put(b"a", b"1"), put(b"a", b"2"))
    monkeypatch.setattr(rig.store, "changes", None)
    client.watch(b"a", start_revision=3)
    rig.settle([client])
    assert client.seen(1) == [(3, b"a", b"2")]


def test_what_happened_while_nobody_watched_is_read_from_the_store() -> None:
    rig = Rig()
    client = rig.client()
    for start in (1, 2):
        rig.turn(put(b"a"), put(b"a"))
        client.watch(b"a", watch_id=start, start_revision=1)
        rig.settle([client])
        client.stream.cancel(start)
    assert [[revision for revision, _, _ in client.seen(watch_id)] for watch_id in (1, 2)] == [[2, 3], [2, 3, 4, 5]]
