"""What all streams together leave uncollected: bounded for the node, without starving those who read."""

import pytest

from raftkv.pb import rpc
from raftkv.watch.budget import Budget
from raftkv.watch.hub import FRUITLESS_LOOKS
from tests.watch.rig import Client, Rig

LIMIT = 1_000_000
VALUE = bytes(20_000)
"""Three of these are within what one stream may leave."""


def put(key: bytes, value: bytes = b"") -> rpc.PutRequest:
    return rpc.PutRequest(key=key, value=value)


def small_rig() -> Rig:
    rig = Rig()
    rig.hub.budget = Budget(LIMIT)
    return rig


def slow_clients(rig: Rig, count: int) -> list[Client]:
    clients = [rig.client() for _ in range(count)]
    for client in clients:
        client.watch(b"a", b"z")
        client.reading = False
    return clients


def uncollected(clients: list[Client]) -> int:
    return sum(client.backlog for client in clients)


def test_many_slow_streams_keep_no_more_than_a_node_has_room_for() -> None:
    rig = small_rig()
    slow = slow_clients(rig, 200)
    for number in range(10):
        rig.turn(put(b"a", VALUE), put(b"b%d" % number))
        rig.work()
    assert LIMIT < uncollected(slow) < LIMIT * 1.2  # and not 200 times 64 KiB
    for _ in range(20):
        for client in slow:
            client.read()
        rig.timers.fire()
        rig.work()
    rig.settle(slow)
    assert all(len(client.seen()) == 20 for client in slow)
    assert not any(client.abandoned for client in slow)


def test_who_reads_is_told_although_others_keep_the_room() -> None:
    rig = small_rig()
    quick = rig.client()
    quick.watch(b"a", b"z")
    slow = slow_clients(rig, 60)
    rig.turn(put(b"a", VALUE))
    assert rig.hub.budget.exceeded
    rig.turn(put(b"b"))
    assert [key for _, key, _ in quick.seen()] == [b"a"]
    for client in slow[:12]:
        client.read()
    rig.timers.fire()
    rig.work()
    assert [key for _, key, _ in quick.seen()] == [b"a", b"b"]
    assert slow[0].seen() == quick.seen()


def test_those_who_keep_most_are_ended_where_nobody_collects() -> None:
    rig = small_rig()
    quick = rig.client()
    quick.watch(b"a", b"z")
    worst = slow_clients(rig, 1)[0]
    for _ in range(5):
        worst.watch(b"a", b"z")
    slow = slow_clients(rig, 52)
    rig.turn(put(b"a", VALUE))
    assert rig.hub.budget.exceeded
    rig.turn(put(b"b"))
    for _ in range(FRUITLESS_LOOKS - 1):
        rig.timers.fire()
    ended = [worst.abandoned]
    rig.timers.fire()
    rig.work()
    assert [key for _, key, _ in quick.seen()] == [b"a", b"b"]
    assert [*ended, worst.abandoned] == [False, True]
    kept = [client for client in slow if not client.abandoned]
    assert rig.hub.abandoned_streams == 1 + len(slow) - len(kept) <= 5
    rig.settle(kept)
    assert all(client.seen() == quick.seen() for client in kept)


@pytest.mark.interpreted
def test_streams_are_counted_seldom_where_what_they_are_told_is_collected() -> None:
    rig = small_rig()
    clients = [rig.client() for _ in range(10)]
    for client in clients:
        client.watch(b"a")
    looks = 0
    count = rig.hub.budget.count

    def counted() -> None:
        nonlocal looks
        looks += 1
        count()

    rig.hub.budget.count = counted  # type: ignore[method-assign] # a spy
    for _ in range(50):
        rig.turn(put(b"a", VALUE))
    assert looks == 50 * 10 * len(VALUE) // LIMIT
    assert not rig.hub.budget.exceeded


def test_what_a_closed_stream_has_left_is_forgotten() -> None:
    rig = small_rig()
    slow = slow_clients(rig, 60)
    rig.turn(put(b"a", VALUE))
    for client in slow:
        client.stream.close()
    rig.hub.budget.count()
    assert rig.hub.budget.uncollected == 0
    assert rig.hub.budget.largest() == []
