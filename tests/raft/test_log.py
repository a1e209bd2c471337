"""The log in memory over the log on disk, against a plain list; and the runs of terms that answer for both."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from raftkv.errors import CompactedLogError, StorageError, UnavailableLogError
from raftkv.raft import MemoryLog
from raftkv.raft.log import Log, limit_bytes
from raftkv.raft.messages import Entry, EntryKind, Membership, Snapshot
from raftkv.raft.terms import TermRuns

term_steps = st.lists(st.integers(0, 2), min_size=1, max_size=30)


def rising(steps: list[int]) -> list[int]:
    """Terms that never fall."""
    terms, term = [], 0
    for step in steps:
        term += step
        terms.append(term)
    return terms


@given(term_steps, st.integers(0, 40))
def test_runs_tell_every_term_and_are_found_by_bisection(steps: list[int], start: int) -> None:
    terms = rising(steps)
    calls: list[int] = []

    def term_at(index: int) -> int:
        calls.append(index)
        return terms[index - start]

    runs = TermRuns.read(term_at, start, start + len(terms) - 1)
    assert [runs.at(start + offset) for offset in range(len(terms))] == terms
    assert len(calls) <= 2 + 8 * len(set(terms))


@given(term_steps, st.integers(0, 40), st.integers(0, 60))
def test_last_at_most_is_the_last_index_whose_term_is_not_above(steps: list[int], index: int, term: int) -> None:
    terms = rising(steps)
    runs = TermRuns.read(lambda i: terms[i], 0, len(terms) - 1)
    index = min(index, len(terms) - 1)
    plain = [i for i in range(index + 1) if terms[i] <= term]
    assert runs.last_at_most(index, term) == (plain[-1] if plain else -1)


@given(st.lists(st.binary(max_size=5)), st.integers(0, 20))
def test_limit_takes_at_least_one_and_then_what_fits(data: list[bytes], limit: int) -> None:
    entries = [Entry(index, 1, EntryKind.NORMAL, item) for index, item in enumerate(data, 1)]
    count = limit_bytes(entries, limit)
    assert count == len(data) or sum(map(len, data[: count + 1])) > limit
    assert count <= 1 or sum(map(len, data[:count])) <= limit
    assert bool(count) == bool(data)


class LogMachine(RuleBasedStateMachine):
    """A log with its disk, and the list that it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = MemoryLog()
        self.log = Log(self.disk, commit=0, applied=0, max_cached_entries=2, max_cached_bytes=8)
        self.start, self.start_term = 0, 0
        self.plain: list[Entry] = []
        self.flight: list[Entry] | None = None

    @rule(count=st.integers(1, 5), later=st.integers(0, 1), size=st.integers(0, 6))
    def append(self, count: int, later: int, size: int) -> None:
        term = max(self.log.last_term, 1) + later
        first = self.log.last_index + 1
        entries = [Entry(index, term, EntryKind.NORMAL, b"x" * size) for index in range(first, first + count)]
        self.log.append(entries, count * size)
        self.plain += entries

    @precondition(lambda self: self.log.last_index > self.log.commit)
    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(self.log.commit + 1, self.log.last_index))
        term = self.log.last_term + 1
        self.log.truncate(index)
        del self.plain[index - self.start - 1 :]
        entry = Entry(index, term, EntryKind.NORMAL, b"new")
        self.log.append([entry], 3)
        self.plain.append(entry)

    @precondition(lambda self: self.flight is None)
    @rule()
    def hand_over(self) -> None:
        self.flight = self.log.hand_over()

    @precondition(lambda self: self.flight is not None)
    @rule()
    def persisted(self) -> None:
        assert self.flight is not None
        if self.flight:
            self.disk.append(self.flight)
        self.log.persisted()
        self.flight = None
        on_disk = self.disk.entries(self.start + 1, self.log.stable + 1, 1 << 30) if self.log.stable > self.start else []
        assert on_disk == self.plain[: self.log.stable - self.start], "what is stable is on disk"

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        self.log.commit_to(data.draw(st.integers(0, self.log.last_index)))

    @rule(limit=st.integers(1, 20))
    def apply(self, limit: int) -> None:
        before = self.log.applying
        entries = self.log.take_committed(limit)
        assert entries == self.plain[before - self.start : before - self.start + len(entries)]
        assert self.log.applying <= min(self.log.commit, self.log.stable)

    @rule()
    def applied(self) -> None:
        self.log.applied_to(self.log.applying)

    @precondition(lambda self: self.flight is None and self.log.applied > self.start)
    @rule()
    def compact(self) -> None:
        index, term = self.log.applied, self.log.term(self.log.applied)
        self.log.compact(index)
        self.disk.compact(index)
        del self.plain[: index - self.start]
        self.start, self.start_term = index, term

    @precondition(lambda self: self.flight is None)
    @rule(ahead=st.integers(1, 5))
    def install(self, ahead: int) -> None:
        snapshot = Snapshot(self.log.commit + ahead, self.log.last_term + 1, Membership((1,)))
        self.log.reset(snapshot)
        assert not self.log.has_committed()
        self.disk.install(snapshot)
        self.log.pending_snapshot = None
        self.start, self.start_term, self.plain = snapshot.index, snapshot.term, []

    @invariant()
    def equals_the_plain_list(self) -> None:
        log = self.log
        log.check()
        assert (log.start_index, log.last_index) == (self.start, self.start + len(self.plain))
        assert log.term(self.start) == self.start_term
        assert [log.term(entry.index) for entry in self.plain] == [entry.term for entry in self.plain]
        assert log._cache_bytes == sum(len(entry.data) for entry in log._cache)
        index = self.start + 1
        while index <= log.last_index:
            entries = log.slice(index, log.last_index + 1, 4)
            assert entries == self.plain[index - self.start - 1 :][: len(entries)]
            index += len(entries)


LogMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None, derandomize=True, database=None)
TestLogMachine = LogMachine.TestCase


def make(terms: list[int], *, commit: int = 0, applied: int = 0) -> Log:
    disk = MemoryLog()
    if terms:
        disk.append([Entry(index, term, EntryKind.NORMAL, b"") for index, term in enumerate(terms, 1)])
    return Log(disk, commit=commit, applied=applied, max_cached_entries=100, max_cached_bytes=100)


def test_terms_outside_the_log_are_errors_that_say_why() -> None:
    log = make([1, 1, 2], commit=2, applied=2)
    log.compact(2)
    with pytest.raises(CompactedLogError):
        log.term(1)
    with pytest.raises(UnavailableLogError):
        log.term(4)
    with pytest.raises(CompactedLogError):
        log.slice(2, 4, 10)


def test_log_that_ends_before_its_commit_index_is_damaged() -> None:
    with pytest.raises(StorageError):
        make([1, 1], commit=3)
    with pytest.raises(StorageError):
        make([1, 1], applied=3)


def test_committed_entries_are_never_replaced() -> None:
    log = make([1, 1], commit=1)
    with pytest.raises(AssertionError):
        log.truncate(1)


def test_memory_log_refuses_what_is_not_there() -> None:
    disk = MemoryLog(5, 2)
    assert (disk.first_index(), disk.last_index(), disk.term(5)) == (6, 5, 2)
    with pytest.raises(CompactedLogError):
        disk.term(4)
    with pytest.raises(UnavailableLogError):
        disk.term(6)
    with pytest.raises(UnavailableLogError):
        disk.append([Entry(8, 3, EntryKind.NORMAL, b"")])
