"""How a leader's view of one follower changes."""

from hypothesis import given
from hypothesis import strategies as st

from raftkv.raft import ProgressState
from raftkv.raft.messages import Membership, Snapshot
from raftkv.raft.progress import Progress, Window


def progress(*, match: int = 0, next_index: int = 1) -> Progress:
    made = Progress(next_index, Window(3, 100), active=False)
    made.match = match
    return made


def test_probe_pauses_after_one_message_and_goes_on_after_a_refusal() -> None:
    probing = progress(next_index=10)
    probing.sent(9, 0, 5)
    assert probing.paused
    assert probing.refused(9, 4)
    assert (probing.next, probing.paused) == (5, False)


def test_refusal_of_anything_but_the_last_probe_is_old() -> None:
    probing = progress(match=2, next_index=10)
    for index in (1, 2, 5, 8, 10):
        assert not probing.refused(index, 0)
    assert (probing.match, probing.next) == (2, 10)


def test_refusal_never_takes_back_what_was_acknowledged() -> None:
    """openraft#1501: a delayed refusal looks like a log that went back."""
    replicating = progress(match=5)
    replicating.replicate()
    replicating.sent(8, 3, 5)
    assert not replicating.refused(4, 0)
    assert replicating.refused(7, 0)
    assert (replicating.state, replicating.match, replicating.next) == (ProgressState.PROBE, 5, 6)


def test_old_acknowledgement_takes_nothing_back() -> None:
    replicating = progress(match=5)
    replicating.replicate()
    assert not replicating.succeeded(3)
    assert (replicating.match, replicating.next) == (5, 6)


def test_probe_after_a_snapshot_goes_on_behind_it() -> None:
    waiting = progress(match=2)
    waiting.await_snapshot(Snapshot(9, 1, Membership((1,))))
    assert not waiting.refused(2, 0)
    waiting.probe()
    assert (waiting.state, waiting.next, waiting.pending_snapshot) == (ProgressState.PROBE, 10, 0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=40))
def test_window_counts_what_is_on_its_way(events: list[tuple[bool, int]]) -> None:
    window = Window(3, 100)
    plain: list[tuple[int, int]] = []
    last = 0
    for send, value in events:
        if send and not window.full():
            last += 1
            window.add(last, value)
            plain.append((last, value))
        elif not send:
            window.free_to(value % (last + 1))
            plain = [item for item in plain if item[0] > value % (last + 1)]
        assert len(window) == len(plain)
        assert window.full() == (len(plain) >= 3 or sum(size for _, size in plain) >= 100)
