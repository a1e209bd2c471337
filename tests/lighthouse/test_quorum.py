"""Who is in the next quorum: the pure question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftkv.errors import InvalidArgumentError
from raftkv.lighthouse import Caller, Decision, QuorumOptions, decide, parse_options

NOW = 1000.0
OPTIONS = QuorumOptions(min_replicas=2, join_timeout_ms=60_000, heartbeat_timeout_ms=5_000)


def asked(
    callers: str,
    *,
    silent: str = "",
    previous: str = "",
    waited: float = 0.0,
    shrink: str = "",
    options: QuorumOptions = OPTIONS,
) -> Decision:
    """Callers and silent ones are alive; each letter is a group."""
    return decide(
        NOW,
        {group: Caller(NOW - waited, group in shrink) for group in callers},
        dict.fromkeys(callers + silent, NOW - 1),
        tuple(previous),
        options,
    )


def test_all_living_groups_form_a_quorum_in_order() -> None:
    assert asked("bca").groups == ("a", "b", "c")


def test_quorum_waits_for_the_living_that_do_not_ask_until_the_join_timeout() -> None:
    assert asked("ab", silent="c", waited=59.9).groups == ()
    assert asked("ab", silent="c", waited=60.0).groups == ("a", "b")


def test_last_quorum_comes_together_again_at_once_and_takes_newcomers_with_it() -> None:
    assert asked("ab", silent="cd", previous="ab").groups == ("a", "b")
    assert asked("abn", silent="cd", previous="ab").groups == ("a", "b", "n")
    assert asked("a", silent="b", previous="ab", waited=30).groups == ()


def test_last_quorum_comes_together_again_though_it_is_smaller_than_wanted() -> None:
    assert asked("a", previous="a", options=QuorumOptions(min_replicas=3)).groups == ("a",)


def test_quorum_needs_min_replicas() -> None:
    assert asked("a", waited=99).groups == ()
    assert asked("a", waited=99).reason == "1 of 1 living groups ask, and 2 are needed"


def test_quorum_needs_more_than_half_of_the_living() -> None:
    assert asked("ab", silent="cd", waited=99).groups == ()
    assert asked("abe", silent="cd", waited=99).groups == ("a", "b", "e")


def test_group_that_was_not_heard_of_is_dead_whether_it_asks_or_not() -> None:
    callers = {group: Caller(NOW) for group in "abc"}
    heartbeats = {"a": NOW, "b": NOW - 4.9, "c": NOW - 5, "d": NOW - 60}
    assert decide(NOW, callers, heartbeats, ("a", "b", "c"), OPTIONS).groups == ("a", "b")


def test_newcomers_wait_where_a_group_wants_to_shrink_only() -> None:
    assert asked("abn", previous="abc", shrink="a").groups == ("a", "b")
    assert asked("abn", shrink="a").groups == ("a", "b", "n"), "there is nothing to shrink"


def test_newcomers_that_are_left_out_do_not_count_and_nobody_is_no_quorum() -> None:
    assert asked("an", previous="abc", shrink="a").groups == ()
    assert asked("nm", previous="abc", shrink="n").groups == ()
    assert decide(NOW, {}, {"a": NOW}, (), OPTIONS).groups == ()


groups = st.sets(st.sampled_from("abcdefg"))


@given(callers=groups, silent=groups, previous=groups, shrink=groups, waited=st.floats(0, 120), low=st.integers(1, 5))
def test_quorum_is_of_callers_only_and_two_of_them_share_a_group_where_there_was_none(
    *, callers: set[str], silent: set[str], previous: set[str], shrink: set[str], waited: float, low: int
) -> None:
    living = callers | silent
    decision = asked(
        "".join(sorted(callers)),
        silent="".join(sorted(silent)),
        previous="".join(sorted(previous)),
        waited=waited,
        shrink="".join(sorted(shrink)),
        options=QuorumOptions(min_replicas=low),
    )
    chosen = set(decision.groups)
    assert chosen <= callers
    assert decision.groups == tuple(sorted(chosen))
    if chosen and not previous:
        assert len(chosen) >= low
        assert 2 * len(chosen) > len(living)
    if callers and previous <= callers:
        assert previous <= chosen


def test_options_say_what_is_wrong_with_them() -> None:
    assert parse_options(b'{"min_replicas": 3}') == QuorumOptions(min_replicas=3)
    assert parse_options(b"{}") == QuorumOptions(1, 60_000, 5_000)
    for wrong in (b"", b"[]", b'{"min": 1}', b'{"min_replicas": 0}', b'{"min_replicas": true}', b'{"join_timeout_ms": "1"}'):
        with pytest.raises(InvalidArgumentError):
            parse_options(wrong)
