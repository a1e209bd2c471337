"""When a node stands for election."""

import random

import pytest

from raftkv.raft.election_timer import SHORT_TICKS, ElectionTimer

ELECTION_TICKS = 10


def ticks_left(timer: ElectionTimer) -> int:
    """How many ticks until time is up."""
    count = 1
    while not timer.tick():
        count += 1
    return count


@pytest.fixture(params=range(20))
def timer(request: pytest.FixtureRequest) -> ElectionTimer:
    return ElectionTimer(ELECTION_TICKS, random.Random(request.param))


def test_timeout_is_between_one_and_two_election_timeouts(timer: ElectionTimer) -> None:
    assert ELECTION_TICKS <= ticks_left(timer) < 2 * ELECTION_TICKS


def test_word_of_the_leader_starts_it_again(timer: ElectionTimer) -> None:
    for _ in range(5 * ELECTION_TICKS):
        assert not timer.tick()
        timer.hear()
    assert timer.recent()


def test_hurry_ends_it_soon(timer: ElectionTimer) -> None:
    timer.hurry()
    timer.hurry()
    assert not timer.recent()
    assert 1 <= ticks_left(timer) <= SHORT_TICKS


def test_candidacies_in_a_hurry_are_retried_early_and_not_for_ever(timer: ElectionTimer) -> None:
    timer.hurry()
    waits = []
    for _ in range(6):
        timer.stand()
        waits.append(ticks_left(timer))
    assert all(2 <= wait <= ELECTION_TICKS for wait in waits[:3])
    assert all(wait >= ELECTION_TICKS for wait in waits[3:])


def test_word_of_the_leader_ends_the_hurry(timer: ElectionTimer) -> None:
    timer.hurry()
    timer.hear()
    assert timer.recent()
    assert ticks_left(timer) >= ELECTION_TICKS
