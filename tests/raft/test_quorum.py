"""The questions about majorities, against the plain answers."""

from hypothesis import given
from hypothesis import strategies as st

from raftkv.raft.quorum import Outcome, agreed, has_majority, majority, outcome

voters = st.lists(st.integers(1, 9), min_size=1, max_size=9, unique=True)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=9))
def test_agreed_is_the_largest_value_that_a_majority_has_reached(values: list[int]) -> None:
    plain = max(value for value in range(21) if 2 * sum(v >= value for v in values) > len(values))
    assert agreed(values) == plain


@given(voters, st.dictionaries(st.integers(1, 12), st.booleans()))
def test_outcome_is_that_of_counting_voters(members: list[int], votes: dict[int, bool]) -> None:
    granted = [voter for voter in members if votes.get(voter) is True]
    refused = [voter for voter in members if votes.get(voter) is False]
    needed = len(members) // 2 + 1
    if len(granted) >= needed:
        assert outcome(votes, members) == Outcome.WON
    elif len(members) - len(refused) < needed:
        assert outcome(votes, members) == Outcome.LOST
    else:
        assert outcome(votes, members) == Outcome.PENDING


@given(st.integers(1, 9), st.integers(0, 9))
def test_two_majorities_share_a_voter(count: int, present: int) -> None:
    assert 2 * majority(count) > count
    assert has_majority(present, range(count)) == (2 * present > count)


def test_nobody_is_a_majority_of_nobody() -> None:
    assert not has_majority(0, ())
    assert outcome({1: True}, ()) == Outcome.LOST
