"""When leases end, as the leader reckons: no clock, no log, no loop."""

from collections.abc import Generator
from itertools import pairwise
from random import Random

from raftkv.lease import Lease
from raftkv.mvcc.steps import SLICE_ROWS, finish
from raftkv.server.lease_times import STALE_ROWS, LeaseTimes

RATE = 100.0
INTERVAL_S = 50.0


def times(*leases: Lease, now: float = 0.0) -> LeaseTimes:
    made = LeaseTimes(revokes_per_s=RATE, checkpoint_interval_s=INTERVAL_S)
    for lease in leases:
        made.grant(lease, now)
    return made


def begin(made: LeaseTimes, *leases: Lease, now: float = 0.0, extension_s: float = 0.0) -> None:
    """A new leader takes over these, all at once."""
    finish(made.begin({lease.id: lease for lease in leases}, now, extension_s))


def test_a_lease_is_due_when_its_time_is_over() -> None:
    made = times(Lease(1, 10), Lease(2, 20))
    assert made.due(9.9, 10) == []
    assert made.due(10.0, 10) == [1]
    assert made.due(30.0, 10) == [2]


def test_a_renewal_begins_anew() -> None:
    made = times(Lease(1, 10))
    assert made.renew([1, 2], 6.0) == ([10, 0], False, [])
    assert made.due(15.9, 10) == []
    assert made.due(16.0, 10) == [1]


def test_a_late_renewal_counts_as_long_as_nobody_said_that_it_is_over() -> None:
    made = times(Lease(1, 10))
    assert made.renew([1], 12.0).ttls == [10]
    assert made.due(21.0, 10) == []


def test_what_is_ending_is_not_renewed() -> None:
    made = times(Lease(1, 10), Lease(2, 100))
    made.due(10.0, 10)
    assert made.renew([2, 1], 11.0).ending
    assert made.due(12.0, 10) == []  # once is enough
    assert made.still_ending([1]) == [1]
    made.forget(1)
    assert made.still_ending([1]) == []
    assert made.renew([1], 13.0) == ([0], False, [])


def test_what_is_spared_runs_again() -> None:
    made = times(Lease(1, 10))
    made.spare(made.due(10.0, 10), 15.0)
    assert made.due(14.0, 10) == []
    assert made.renew([1], 14.0).ttls == [10]
    assert made.due(24.0, 10) == [1]


def test_an_id_that_is_granted_again_is_another_lease() -> None:
    made = times(Lease(1, 10))
    made.forget(1)
    made.grant(Lease(1, 100), 5.0)
    assert made.due(104.0, 10) == []
    assert made.due(105.0, 10) == [1]


def test_no_more_are_due_than_may_be() -> None:
    made = times(*(Lease(number, 10) for number in range(1, 8)))
    assert [len(made.due(10.0, 3)) for _ in range(4)] == [3, 3, 1, 0]


def test_a_new_leader_adds_the_time_of_an_election() -> None:
    made = times()
    begin(made, Lease(1, 10), Lease(2, 100, 20), now=1000.0, extension_s=1.0)
    assert made.due(1010.9, 10) == []
    assert made.due(1011.0, 10) == [1]
    assert made.due(1021.0, 10) == [2]


def test_a_new_leader_spreads_what_would_end_together() -> None:
    made = times()
    begin(made, *(Lease(number, 10) for number in range(1, 151)))
    assert 70 <= len(made.due(11.0, 1000)) <= 80
    assert len(made.due(12.1, 1000)) >= 70


def test_long_leases_are_checkpointed_unless_they_are_renewed() -> None:
    made = times(Lease(1, 200), Lease(2, 200), Lease(3, 40))
    made.renew([2], 30.0)
    assert made.checkpoints_due(49.0, 10) == []
    assert made.checkpoints_due(50.0, 10) == [(1, 150)]
    assert made.checkpoints_due(80.0, 10) == [(2, 150)]
    assert made.checkpoints_due(100.5, 10) == [(1, 100)]


def test_a_renewal_after_a_checkpoint_must_be_told_to_the_log_once() -> None:
    made = times(Lease(1, 200))
    made.checkpoints_due(50.0, 10)
    assert made.renew([1], 60.0).understated == [1]
    number = made.checkpoint_number()
    assert made.renew([1], 61.0).understated == [1]  # it was not told yet
    made.restated([1], number)
    assert made.renew([1], 62.0).understated == []


def test_what_was_told_before_a_checkpoint_does_not_undo_it() -> None:
    made = times(Lease(1, 200))
    made.checkpoints_due(50.0, 10)
    number = made.checkpoint_number()
    assert made.checkpoints_due(100.0, 10) == [(1, 100)]
    made.restated([1], number)
    assert made.renew([1], 110.0).understated == [1]


def test_what_a_leader_finds_checkpointed_must_be_told_too() -> None:
    made = times()
    begin(made, Lease(1, 200, 100))
    assert made.renew([1], 1.0).understated == [1]


def taking_over(made: LeaseTimes, leases: dict[int, Lease], *, slices: int = 1) -> Generator[None, None, None]:
    """A leader that began at 0 and has run only so many slices of taking over."""
    steps = made.begin(leases, 0.0, 1.0)
    for _ in range(slices):
        next(steps)
    return steps


def test_a_slice_takes_over_no_more_than_it_may() -> None:
    made, leases = times(), {number: Lease(number, 10 + number % 7) for number in range(1, 20 * SLICE_ROWS + 1)}
    taken = [0, *(len(made) for _ in made.begin(leases, 0.0, 1.0))]
    assert len(taken) >= 40  # those that sort them, and those that take them up
    assert max(after - before for before, after in pairwise(taken)) <= SLICE_ROWS
    assert len(made) == len(leases)


def test_what_is_asked_of_a_lease_that_was_not_taken_over_yet() -> None:
    leases = {number: Lease(number, 10) for number in range(1, 4 * SLICE_ROWS)}
    leases[7] = Lease(7, 200, 100)
    made = times()
    steps = taking_over(made, leases)
    assert made.remaining_s(1, 2.0) == 9  # it began at 0, with the time of an election
    assert made.renew([2, 7, 99_999], 3.0) == ([10, 200, 0], False, [7])
    finish(steps)
    assert made.remaining_s(2, 3.0) == 10
    assert made.due(10.9, 10_000) == []
    assert 2 not in made.due(12.9, 10_000)
    assert made.remaining_s(7, 3.0) == 200


def test_leases_that_come_and_go_while_others_are_taken_over() -> None:
    leases = {number: Lease(number, 10) for number in range(1, 4 * SLICE_ROWS)}
    made = times()
    steps = taking_over(made, leases)
    del leases[1], leases[2]
    made.forget(1)
    made.forget(2)
    for new in (Lease(2, 100), Lease(99_999, 50)):
        leases[new.id] = new
        made.grant(new, 1.0)
    finish(steps)
    assert made.renew([1], 2.0).ttls == [0]
    assert made.remaining_s(2, 1.0) == 100
    assert len(made) == len(leases)


def test_a_leader_that_is_none_any_more_takes_over_nothing() -> None:
    leases = {number: Lease(number, 10) for number in range(1, 4 * SLICE_ROWS)}
    made = times()
    taking_over(made, leases).close()
    made.clear()
    assert made.renew([1], 2.0).ttls == [0]
    assert len(made) == 0


def test_leases_that_were_revoked_early_leave_nothing_behind() -> None:
    made = times()
    for number in range(1, 3 * STALE_ROWS):
        made.grant(Lease(number, 1_000_000), 0.0)
        made.forget(number)
    assert len(made._heap) <= STALE_ROWS + 2
    assert len(made._checkpoints) <= STALE_ROWS + 2


def test_no_lease_ends_early_and_none_is_forgotten() -> None:
    """Against the plain way: a dict of deadlines."""
    rng = Random(7)
    made, plain = times(), dict[int, tuple[int, float]]()
    now = 0.0
    for _ in range(20_000):
        now += rng.random()
        match rng.randrange(4):
            case 0:
                lease = Lease(rng.randrange(200), rng.randrange(1, 120))
                if lease.id not in plain:
                    made.grant(lease, now)
                    plain[lease.id] = (lease.ttl_s, now + lease.ttl_s)
            case 1:
                gone = rng.randrange(200)
                made.forget(gone)
                plain.pop(gone, None)
            case 2:
                lease_id = rng.randrange(200)
                ttl = plain[lease_id][0] if lease_id in plain else 0
                assert made.renew([lease_id], now).ttls == [ttl]
                if ttl:
                    plain[lease_id] = (ttl, now + ttl)
            case _:
                due = made.due(now, 1000)
                assert sorted(due) == sorted(lease_id for lease_id, (_, end) in plain.items() if end <= now)
                for lease_id in due:
                    made.forget(lease_id)
                    del plain[lease_id]
    assert len(made) == len(plain)
