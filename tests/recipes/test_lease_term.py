"""How long a lease can be relied on, by the clock alone."""

from raftkv.recipes.lease_term import Act, LeaseState, LeaseTerm


def test_lease_is_alive_at_risk_and_lost_in_thirds() -> None:
    term = LeaseTerm(sent_at=100.0, ttl=30)
    assert [term.state(now) for now in (100.0, 119.9, 120.0, 129.9, 130.0)] == [
        LeaseState.ALIVE,
        LeaseState.ALIVE,
        LeaseState.AT_RISK,
        LeaseState.AT_RISK,
        LeaseState.LOST,
    ]


def test_term_counts_from_the_sending_of_the_renewal_not_from_its_answer() -> None:
    term = LeaseTerm(sent_at=0.0, ttl=30)
    term.asked(10.0)
    term.renewed(30)  # whenever that came
    assert term.ends_at == 40.0


def test_renewal_is_due_after_a_third_and_answered_within_a_sixth() -> None:
    term = LeaseTerm(sent_at=0.0, ttl=30)
    assert (term.act(9.9), term.act(10.0)) == (Act.NOTHING, Act.RENEW)
    term.asked(10.0)
    assert (term.act(14.9), term.act(15.0)) == (Act.NOTHING, Act.LEAVE)
    term.unasked()
    assert term.act(15.0) is Act.RENEW


def test_answer_of_a_stream_that_was_left_renews_nothing() -> None:
    term = LeaseTerm(sent_at=0.0, ttl=30)
    term.asked(10.0)
    term.unasked()
    term.renewed(30)
    assert term.ends_at == 30.0


def test_server_may_change_the_time_to_live() -> None:
    term = LeaseTerm(sent_at=0.0, ttl=30)
    term.asked(10.0)
    term.renewed(60)
    assert (term.ttl, term.ends_at) == (60, 70.0)


def test_next_look_is_always_ahead() -> None:
    """What is overdue, for there is no stream, must not be looked at again and again."""
    term = LeaseTerm(sent_at=0.0, ttl=30)
    looks = [0.0]
    while looks[-1] < term.ends_at:
        looks.append(term.look_again_at(looks[-1]))
    assert looks == [0.0, 10.0, 20.0, 30.0]


def test_an_answer_that_is_waited_for_does_not_put_off_the_end() -> None:
    term = LeaseTerm(sent_at=0.0, ttl=30)
    term.asked(29.0)
    assert term.look_again_at(29.0) == 30.0
