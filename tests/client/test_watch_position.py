"""How far a watch has come, without a server."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.client.watch_position import WatchPosition
from raftkv.pb import kv, rpc


def response(*revisions: int, fragment: bool = False) -> rpc.WatchResponse:
    return rpc.WatchResponse(
        events=[kv.Event(kv=kv.KeyValue(key=b"k", mod_revision=revision)) for revision in revisions], fragment=fragment
    )


def revisions(events: Iterable[kv.Event]) -> list[int]:
    return [event.kv.mod_revision for event in events]


def test_watch_from_now_on_begins_after_the_revision_of_its_creation() -> None:
    position = WatchPosition(0)
    position.created(7)
    assert position.next == 8
    position.created(12)  # anew, on another stream: it goes on where it was
    assert position.next == 8


def test_watch_from_a_revision_on_does_not_move_when_it_is_created() -> None:
    position = WatchPosition(3)
    position.created(7)
    assert position.next == 3


def test_revision_in_fragments_is_handed_on_as_a_whole() -> None:
    position = WatchPosition(2)
    assert revisions(position.take(response(2, 3, 3, fragment=True))) == [2]
    assert position.next == 3
    assert revisions(position.take(response(3, fragment=True))) == []
    assert revisions(position.take(response(3, 4))) == [3, 3, 3, 3, 4]
    assert position.next == 5


def test_fragments_of_a_lost_stream_are_forgotten() -> None:
    position = WatchPosition(2)
    position.take(response(2, 3, fragment=True))
    position.created(9)
    assert revisions(position.take(response(3, 3))) == [3, 3]


def test_events_that_were_handed_on_are_not_repeated() -> None:
    position = WatchPosition(2)
    position.take(response(2, 3))
    assert revisions(position.take(response(2, 3, 4))) == [4]


def test_progress_moves_on_unless_it_is_uncertain_or_old() -> None:
    position = WatchPosition(5)
    assert not position.progress(3, certain=True)
    assert position.progress(9, certain=False)
    assert position.next == 5
    assert position.progress(9, certain=True)
    assert position.next == 10


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.data())
def test_any_cut_into_fragments_and_any_loss_hands_on_each_event_once(sizes: list[int], data: st.DataObject) -> None:
    """`sizes`: how many events each revision has. The server sends fragments of two; now and then the stream is lost."""
    history = [revision for revision, size in enumerate(sizes, 1) for _ in range(size)]
    position = WatchPosition(1)
    seen: list[int] = []
    while len(seen) < len(history):
        position.created(99)
        rest = [revision for revision in history if revision >= position.next]
        cuts = [rest[start : start + 2] for start in range(0, len(rest), 2)]
        lost_after = data.draw(st.integers(1, len(cuts)))
        for number, cut in enumerate(cuts[:lost_after], 1):
            batch = revisions(position.take(response(*cut, fragment=number < len(cuts))))
            assert all(batch.count(revision) == history.count(revision) for revision in batch), "a revision was cut in two"
            seen += batch
    assert seen == history
