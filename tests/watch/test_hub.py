"""What each watch is told, and when."""

import pytest

from raftkv.mvcc import Event
from raftkv.pb import rpc
from raftkv.watch.encoding import MAX_TOLD_BYTES, event_piece
from tests.mvcc.making import compact, delete, put, txn
from tests.watch.rig import INTERVAL_S, Rig

NOPUT, NODELETE = rpc.WatchCreateRequest.NOPUT, rpc.WatchCreateRequest.NODELETE


def test_created_comes_first_and_only_later_changes_follow() -> None:
    rig = Rig()
    rig.turn(put(b"a", b"1"))
    client = rig.client()
    client.watch(b"a")
    rig.turn(put(b"a", b"2"), put(b"b"))
    created, told = client.responses
    assert (created.created, created.header.revision) == (True, 2)
    assert client.seen() == [(3, b"a", b"2")]
    assert told.header.revision == 4


def test_nothing_is_told_before_the_turn_ends() -> None:
    rig = Rig()
    client = rig.client()
    client.watch(b"a")
    rig.apply(put(b"a"))
    assert not client.seen()
    rig.hub.publish()
    assert client.seen() == [(2, b"a", b"")]


def test_a_watch_created_in_the_middle_of_a_turn_misses_nothing() -> None:
    rig = Rig()
    client = rig.client()
    rig.apply(put(b"a", b"1"))
    client.watch(b"a")
    rig.turn(put(b"a", b"2"))
    rig.settle([client])
    rig.turn(put(b"a", b"3"))
    assert client.seen() == [(2, b"a", b"1"), (3, b"a", b"2"), (4, b"a", b"3")]
    assert client.responses[0].header.revision == 1


def test_start_in_the_past_gets_history_and_then_what_follows() -> None:
    rig = Rig()
    for value in (b"1", b"2", b"3"):
        rig.turn(put(b"a", value))
    client = rig.client()
    client.watch(b"a", start_revision=3)
    assert not client.seen()
    rig.turn(put(b"a", b"4"))
    rig.settle([client])
    rig.turn(put(b"a", b"5"))
    assert client.seen() == [(number + 1, b"a", b"%d" % number) for number in (2, 3, 4, 5)]
    assert client.responses[1].header.revision == 5  # the store's, as etcd has it while catching up


def test_start_at_one_is_everything_and_start_at_zero_is_now() -> None:
    rig = Rig()
    rig.turn(put(b"a", b"1"))
    client = rig.client()
    client.watch(b"a", start_revision=1)
    now = client.watch(b"a")
    rig.settle([client])
    assert client.seen(0) == [(2, b"a", b"1")]
    assert client.seen(now) == []


def test_future_start_is_told_nothing_before_it() -> None:
    rig = Rig()
    client = rig.client()
    client.watch(b"a", start_revision=5)
    client.stream.progress()
    rig.turn(put(b"a", b"2"), put(b"a", b"3"))
    assert len(client.responses) == 1
    rig.turn(put(b"a", b"4"), put(b"a", b"5"), put(b"a", b"6"))
    rig.settle([client])
    assert client.seen() == [(5, b"a", b"5"), (6, b"a", b"6")]
    assert client.responses[-1].watch_id == -1


def test_future_start_that_comes_exactly() -> None:
    rig = Rig()
    client = rig.client()
    client.watch(b"a", start_revision=3)
    rig.turn(put(b"a", b"2"))
    rig.turn(put(b"a", b"3"))
    assert client.seen() == [(3, b"a", b"3")]


def test_compacted_start_is_cancelled_with_the_revision() -> None:
    rig = Rig()
    for _ in range(4):
        rig.turn(put(b"a"))
    compact(rig.store, 4)
    client = rig.client()
    client.watch(b"a", start_revision=3)
    allowed = client.watch(b"a", start_revision=4)
    rig.settle([client])
    created, cancelled = client.of(0)
    assert (created.created, created.canceled) == (True, False)
    assert (cancelled.watch_id, cancelled.canceled, cancelled.compact_revision, cancelled.cancel_reason) == (0, True, 4, "")
    assert [revision for revision, _, _ in client.seen(allowed)] == [4, 5]
    assert rig.hub.watchers == 1


def test_compaction_between_the_request_and_its_turn() -> None:
    rig = Rig()
    for _ in range(4):
        rig.turn(put(b"a"))
    client = rig.client()
    client.watch(b"a", start_revision=2)
    compact(rig.store, 4)
    rig.settle([client])
    assert client.responses[-1].compact_revision == 4
    assert not client.seen()


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"key": b"a", "start_revision": -1}, "etcdserver: mvcc: required revision has been compacted"),
        ({"key": b"b", "range_end": b"a"}, "mvcc: watcher range is empty"),
        ({"key": b"b", "range_end": b"b"}, "mvcc: watcher range is empty"),
        ({"key": b"b", "watch_id": 7}, "mvcc: duplicate watch ID provided on the WatchStream"),
        ({"key": b"b", "denied": "no"}, "no"),
    ],
)
def test_refusals_have_no_id(request_: dict[str, object], reason: str) -> None:
    rig = Rig()
    client = rig.client()
    client.watch(b"x", watch_id=7)
    client.watch(**request_)  # type: ignore[arg-type]  # as parametrized
    refused = client.responses[-1]
    assert (refused.watch_id, refused.created, refused.canceled, refused.cancel_reason) == (-1, True, True, reason)
    assert rig.hub.watchers == 1


def test_ids_are_counted_round_those_that_are_chosen() -> None:
    client = Rig().client()
    assert [client.watch(watch_id=number) for number in (1, 0, 0, 3, 0, 0)] == [1, 0, 2, 3, 4, 5]
    client.stream.cancel(4)
    assert client.watch() == 6  # etcd never gives an id twice by itself
    assert client.watch(watch_id=4) == 4


def test_cancelled_watch_is_told_nothing_more() -> None:
    rig = Rig()
    client = rig.client()
    client.watch(b"a")
    other = client.watch(b"a")
    client.stream.cancel(0)
    client.stream.cancel(99)
    rig.turn(put(b"a"))
    assert [response.canceled for response in client.of(0)] == [False, True]
    assert len(client.of(other)) == 2
    assert not client.of(99)


def test_watch_cancelled_while_it_catches_up() -> None:
    rig = Rig()
    for _ in range(3):
        rig.turn(put(b"a"))
    client = rig.client()
    for _ in range(2):
        client.watch(b"a", start_revision=1)
    rig.work(1)
    client.stream.cancel(0)
    rig.settle([client])
    assert client.seen(0) == []
    assert len(client.seen(1)) == 3


def test_filters() -> None:
    rig = Rig()
    client = rig.client()
    for filters in ([NOPUT], [NODELETE], [NOPUT, NODELETE], [7]):
        client.watch(b"a", filters=filters)
        client.watch(b"a", filters=filters, start_revision=1)
    rig.turn(put(b"a"), delete(b"a"))
    rig.settle([client])
    revisions = [[revision for revision, _, _ in client.seen(watch_id)] for watch_id in range(8)]
    assert revisions == [[3], [3], [2], [2], [], [], [2, 3], [2, 3]]


def test_previous_is_from_before_the_revision() -> None:
    rig = Rig()
    client = rig.client()
    client.watch(b"a", prev_kv=True)
    client.watch(b"a")
    rig.turn(put(b"a", b"1"))
    rig.turn(txn(txn(put(b"a", b"2")), txn(delete(b"a"))))
    late = client.watch(b"a", prev_kv=True, start_revision=1)
    rig.settle([client])
    for watch_id, expected in ((0, [b"", b"1", b"1"]), (1, [b"", b"", b""]), (late, [b"", b"1", b"1"])):
        events = [event for response in client.of(watch_id) for event in response.events]
        assert [event.prev_kv.value for event in events] == expected
        assert not events[0].HasField("prev_kv")


def test_previous_that_is_compacted_is_left_out() -> None:
    rig = Rig()
    for value in (b"1", b"2"):
        rig.turn(put(b"a", value))
    compact(rig.store, 3)
    client = rig.client()
    client.watch(b"a", prev_kv=True, start_revision=3)
    rig.settle([client])
    (event,) = client.responses[-1].events
    assert not event.HasField("prev_kv")


def test_ranges_are_taken_as_ranges_are() -> None:
    rig = Rig()
    client = rig.client()
    for key, end in ((b"b", b"\0"), (b"", b"\0"), (b"", b""), (b"a", b"c"), (b"\0", b"b")):
        client.watch(key, end)
    rig.turn(put(b"a"), put(b"b"), put(b"c"), put(b"\0"))
    assert [[key for _, key, _ in client.seen(watch_id)] for watch_id in range(5)] == [
        [b"b", b"c"],
        [b"a", b"b", b"c", b"\0"],
        [b"\0"],
        [b"a", b"b"],
        [b"a", b"\0"],
    ]


def test_a_revision_is_never_divided_without_fragments() -> None:
    rig = Rig(fragment_bytes=1000)
    client = rig.client()
    client.watch(b"a", b"z")
    client.watch(b"a", b"z", fragment=True)
    rig.turn(txn(*(put(b"a%d" % number, bytes(400)) for number in range(10))))
    assert len(client.of(0)) == 2
    parts = client.of(1)[1:]
    assert [part.fragment for part in parts] == [True] * (len(parts) - 1) + [False]
    assert len(parts) > 3
    assert client.seen(0) == client.seen(1)


@pytest.mark.interpreted
def test_a_body_is_made_once_for_all_watchers(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Event] = []

    def counting(event: Event, *, previous: bool) -> bytes:
        made.append(event)
        return event_piece(event, previous=previous)

    monkeypatch.setattr("raftkv.watch.hub.event_piece", counting)
    rig = Rig()
    clients = [rig.client() for _ in range(10)]
    for client in clients:
        for key, end in ((b"a", b""), (b"a", b"b"), (b"\0", b"\0")):
            client.watch(key, end)
    rig.turn(put(b"a"))
    assert len(made) == 1
    assert all(client.seen(watch_id) == [(2, b"a", b"")] for client in clients for watch_id in range(3))


def test_a_slow_client_is_held_back_and_loses_nothing() -> None:
    rig = Rig()
    slow, quick = rig.client(), rig.client()
    slow.watch(b"a")
    quick.watch(b"a")
    slow.reading = False
    value = bytes(100_000)
    for _ in range(50):
        rig.turn(put(b"a", value))
    assert 64 * 1024 < slow.backlog < 200_000
    assert rig.hub.slow_watchers == 1
    assert len(quick.seen()) == 50
    slow.read()
    rig.turn(put(b"a", b"last"))
    rig.settle([slow])
    assert slow.seen() == quick.seen()
    rig.turn(put(b"a", b"live again"))
    assert slow.seen() == quick.seen()


def test_a_client_that_is_slow_while_it_catches_up_is_held_back_too() -> None:
    rig = Rig()
    for _ in range(50):
        rig.turn(put(b"a", bytes(100_000)))
    slow, quick = rig.client(), rig.client()
    for client in (slow, quick):
        client.watch(b"a", start_revision=1)
        client.watch(b"a", start_revision=1)
    slow.reading = False
    rig.work()
    assert slow.backlog < 2 * 1_300_000  # a response of each watch
    assert rig.hub.slow_watchers == 2
    rig.settle([slow, quick])
    assert slow.seen(0) == slow.seen(1) == quick.seen(0) == quick.seen(1)


@pytest.mark.parametrize("begins", ["live", "in the past"])
def test_many_watches_of_one_slow_stream_are_held_back_together(begins: str) -> None:
    rig = Rig()
    slow, quick = rig.client(), rig.client()
    start_revision = 0 if begins == "live" else 1
    puts = [put(b"a", bytes(50_000)) for _ in range(40)]
    if begins == "in the past":
        rig.turn(*puts)
    for _ in range(50):
        slow.watch(b"a", start_revision=start_revision)
    quick.watch(b"a", start_revision=start_revision)
    slow.reading = False
    if begins == "live":
        rig.turn(*puts)
    rig.work()
    revision = 50 * 50_000
    assert slow.backlog < MAX_TOLD_BYTES + 2 * revision  # and not 100 MB
    rig.settle([slow, quick])
    assert len(quick.seen()) == 40
    assert all(slow.seen(watch_id) == quick.seen() for watch_id in range(50))


def test_a_turn_with_very_many_events_is_left_to_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raftkv.watch.hub.MAX_LIVE_EVENTS", 10)
    rig = Rig()
    client = rig.client()
    client.watch(b"a", b"z", prev_kv=True)
    rig.turn(*(put(b"a%02d" % number) for number in range(20)))
    rig.turn(delete(b"a", b"z"))
    assert not client.seen()
    rig.settle([client])
    assert len(client.seen()) == 40
    rig.turn(put(b"b"))
    assert client.seen()[-1] == (23, b"b", b"")
    assert len(client.of(0)) == 3  # created, what was left to history, the last one


def test_progress_is_told_when_nothing_else_was() -> None:
    rig = Rig()
    client = rig.client()
    wanted = client.watch(b"a", progress_notify=True)
    client.watch(b"a")
    (timer,) = rig.timers.set
    assert INTERVAL_S <= timer.delay <= 1.1 * INTERVAL_S
    rig.turn(put(b"a"))
    rig.timers.fire()
    assert len(client.responses) == 4
    rig.turn(put(b"b"))
    rig.timers.fire()
    progress = client.responses[-1]
    assert (progress.watch_id, progress.header.revision, len(progress.events)) == (wanted, 3, 0)
    assert len(client.responses) == 5
    client.stream.cancel(wanted)
    rig.timers.fire()
    assert not rig.timers.set


def test_no_progress_before_the_events_that_it_covers() -> None:
    rig = Rig()
    for _ in range(3):
        rig.turn(put(b"a"))
    client = rig.client()
    client.watch(b"a", progress_notify=True, start_revision=2)
    client.watch(b"b")
    client.stream.progress()
    rig.timers.fire()
    assert len(client.responses) == 2
    rig.settle([client])
    assert len(client.seen()) == 3
    assert (client.responses[-1].watch_id, client.responses[-1].header.revision) == (-1, 4)
    rig.timers.fire()
    rig.timers.fire()
    assert (client.responses[-1].watch_id, client.responses[-1].header.revision) == (0, 4)


def test_progress_of_a_stream_without_watches_is_not_told() -> None:
    client = Rig().client()
    client.stream.progress()
    client.watch(b"a")
    assert len(client.responses) == 1


def test_nothing_is_left_of_a_closed_stream() -> None:
    rig = Rig()
    for _ in range(3):
        rig.turn(put(b"a"))
    client, other = rig.client(), rig.client()
    for start in (0, 1, 2, 100):
        client.watch(b"a", start_revision=start, progress_notify=True)
    other.watch(b"a")
    rig.work(1)
    client.stream.close()
    rig.settle([])
    sent = client.sends
    rig.turn(*(put(b"a") for _ in range(100)))
    assert client.sends == sent
    assert (rig.hub.streams, rig.hub.watchers, rig.hub.slow_watchers) == (1, 1, 0)
    other.stream.close()
    assert not rig.hub._groups
    assert not rig.hub._index._exact
    assert not rig.hub._future


def test_what_is_not_permitted_any_more_is_cancelled_with_the_reason() -> None:
    rig = Rig()
    client = rig.client()
    client.watch(b"a")
    kept = client.watch(b"b", b"\0")
    client.stream.recheck(lambda request: "" if request.range_end == b"\0" else "no more")
    rig.turn(put(b"a"), put(b"b"))
    assert (client.of(0)[-1].canceled, client.of(0)[-1].cancel_reason) == (True, "no more")
    assert client.seen(kept) == [(3, b"b", b"")]


def test_after_a_snapshot_everything_between_is_read_in_its_history() -> None:
    rig = Rig()
    client, future = rig.client(), rig.client()
    client.watch(b"a")
    future.watch(b"a", start_revision=4)
    rig.turn(put(b"a", b"1"))
    rig.hub.hold()
    for value in (b"2", b"3", b"4"):
        rig.store.put(put(b"a", value))  # what the snapshot has; nobody here applies it
    client.watch(b"b")
    rig.hub.resume()
    rig.settle([client, future])
    rig.turn(put(b"a", b"5"))
    assert client.seen() == [(number + 1, b"a", b"%d" % number) for number in (1, 2, 3, 4, 5)]
    assert future.seen() == client.seen()[2:]


def test_a_snapshot_without_the_history_cancels_as_compacted() -> None:
    rig = Rig()
    client = rig.client()
    client.watch(b"a")
    rig.hub.hold()
    for value in (b"2", b"3", b"4"):
        rig.store.put(put(b"a", value))
    compact(rig.store, 4)
    rig.hub.resume()
    rig.settle([client])
    assert (client.responses[-1].canceled, client.responses[-1].compact_revision) == (True, 4)
    assert not client.seen()


def test_a_snapshot_in_the_middle_of_catching_up() -> None:
    rig = Rig()
    for number in range(2000):
        rig.turn(put(b"a", b"%d" % number))
    client = rig.client()
    client.watch(b"a", start_revision=1)
    rig.work(3)
    rig.hub.hold()
    rig.work()
    assert rig.hub.slow_watchers == 1
    rig.hub.resume()
    rig.settle([client])
    assert [revision for revision, _, _ in client.seen()] == list(range(2, 2002))


def test_ten_thousand_watchers_cost_a_put_only_what_it_concerns() -> None:
    rig = Rig()
    clients = [rig.client() for _ in range(10)]
    for number in range(10_000):
        clients[number % 10].watch(b"%05d" % number)
    assert rig.hub.watchers == 10_000
    sent = sum(client.sends for client in clients)
    rig.turn(put(b"04711"))
    assert sum(client.sends for client in clients) == sent + 1
