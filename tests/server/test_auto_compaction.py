"""Automatic compaction: what is kept, and for how long."""

from raftkv.clock import ManualClock
from raftkv.server.compaction import PeriodicCompactor, RevisionCompactor


def test_revision_mode_keeps_so_many_revisions() -> None:
    revision = 50
    compactor = RevisionCompactor(100, lambda: revision)
    assert compactor.look() == 0
    revision = 1234
    assert compactor.look() == 1134


def test_periodic_mode_keeps_what_is_younger() -> None:
    clock, revision = ManualClock(), 0
    compactor = PeriodicCompactor(100.0, lambda: revision, clock)
    assert compactor.period_s == 10.0
    compacted = []
    for revision in range(0, 200, 10):  # noqa: B007 (the compactor reads it)
        compacted.append(compactor.look())
        clock.advance(10.0)
    assert compacted == [0] * 11 + list(range(10, 100, 10))
