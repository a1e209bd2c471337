"""The whole store: against a run of the store itself, with outcomes lost and answers spoiled."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from raftkv.clock import ManualClock
from raftkv_jepsen.checkers import check_etcd, check_reads
from raftkv_jepsen.history import Operation, freeze
from raftkv_jepsen.linearizability.budget import Budget
from raftkv_jepsen.replay import Entry, Replay
from raftkv_jepsen.settle import settle
from raftkv_jepsen.store import EMPTY, LeaseRevoke, Range, Store, apply, parse_request, writes
from raftkv_jepsen.verdict import Validity

KEYS = "abcd"


def random_request(dice: Random, number: int) -> tuple[str, dict[str, Any]]:
    key = dice.choice(KEYS)
    inner: list[Any] = ["txn", {"compare": [], "success": [["put", {"key": "n", "value": str(number)}]]}]
    txn: dict[str, Any] = {
        "compare": [[key, dice.choice(["version", "mod"]), dice.choice("=<>"), dice.randrange(3)]],
        "success": [["put", {"key": key, "value": str(number)}], ["range", {"key": key}], inner],
        "failure": [["delete", {"key": key}]],
    }
    requests: list[tuple[str, dict[str, Any]]] = [
        ("range", {"key": key}),
        ("range", {"key": "a", "range_end": "z"}),
        ("range", {"key": "b", "range_end": "\0", "limit": 1}),
        ("put", {"key": key, "value": str(number)}),
        ("put", {"key": key, "value": str(number)}),
        ("put", {"key": key, "value": str(number), "lease": dice.randrange(1, 4)}),
        ("delete", {"key": key}),
        ("lease_grant", {"id": dice.randrange(1, 4), "ttl": 5}),
        ("lease_revoke", {"id": dice.randrange(1, 4)}),
        ("compact", {"revision": dice.randrange(1, 5 + number // 4)}),
        ("txn", txn),
    ]
    return dice.choice(requests)


def run_of(count: int, clients: int, seed: int, lost: float) -> tuple[list[Operation], list[Entry]]:
    """A history of the store as the model has it, and its log; now and then a lease expires by itself."""
    dice = Random(seed)
    store: Store = EMPTY
    log: list[Entry] = []
    history: list[Operation] = []
    running: dict[int, list[Any]] = {}
    number = place = 0
    while number < count or running:
        place += 1
        client = dice.randrange(clients)
        if client not in running:
            if number < count:
                number += 1
                running[client] = [*random_request(dice, number), place, None]
            continue
        f, value, call, outcome = running[client]
        if outcome is None:
            request = parse_request(f, value)
            gone = dice.random() < lost
            if not gone or dice.random() < 0.5:
                store, answer = apply(store, request)
                running[client][3] = freeze(answer)
                if writes(request):
                    log.append(Entry(request))
            if gone:
                history.append(Operation(client + 100 * number, f, freeze(value), None, call, None))
                del running[client]
            elif dice.random() < 0.05 and store.leases:
                expiring = min(store.leases)
                store, _ = apply(store, LeaseRevoke(expiring))
                log.append(Entry(LeaseRevoke(expiring), expired=True))
        else:
            history.append(Operation(client, f, freeze(value), outcome, call, place, None, float(call), float(place)))
            del running[client]
    return sorted(history, key=lambda each: each.call), log


def budget() -> Budget:
    return Budget(max_steps=500_000, clock=ManualClock())


@pytest.mark.parametrize("seed", range(5))
def test_run_of_the_store_is_ok_with_and_without_its_log(seed: int) -> None:
    history, log = run_of(150, 6, seed, 0.05)
    with_log = check_etcd(history, budget(), Replay(log))
    assert with_log.validity is Validity.OK
    assert with_log.counts["settled as done"] + with_log.counts["settled as never done"] > 0
    assert check_etcd(history, budget(), None).validity is Validity.OK


def spoil(operation: Operation, name: str, value: Any) -> Operation:
    told = dict(operation.outcome)
    told[name] = value
    return replace(operation, outcome=freeze(told))


@pytest.mark.parametrize("seed", range(3))
def test_every_spoiled_answer_is_found(seed: int) -> None:
    history, log = run_of(120, 5, seed, 0.03)
    replay = Replay(log)
    spoiled = 0
    for place, operation in enumerate(history):
        told = dict(operation.outcome or ())
        if operation.end is None or place % 5:
            continue
        for name, value in told.items():
            if name == "revision":
                worse: Any = value + 1_000
            elif name in {"count", "deleted"}:
                worse = value + 1
            elif name == "succeeded":
                worse = not value
            else:
                continue
            bad = [*history[:place], spoil(operation, name, worse), *history[place + 1 :]]
            assert check_etcd(bad, budget(), replay).validity is Validity.VIOLATION, (operation, name)
            spoiled += 1
    assert spoiled > 20


@pytest.mark.parametrize(("revision", "count"), [(0, 1), (1, 0), (2, 1)])
def test_a_read_in_a_transaction_of_the_revision_before_it_sees_nothing_of_it(revision: int, count: int) -> None:
    body = {"compare": [], "success": [["put", {"key": "a", "value": "1"}], ["range", {"key": "a", "revision": revision}]]}
    _, answer = apply(EMPTY, parse_request("txn", body))
    assert answer["responses"][1]["count"] == count


def test_write_that_failed_is_settled_from_the_log() -> None:
    put = Operation(1, "put", freeze({"key": "a", "value": "1"}), None, 0, None)
    lost = Operation(2, "put", freeze({"key": "a", "value": "2"}), None, 1, None)
    twice = [Operation(n, "delete", freeze({"key": "a"}), None, n, None) for n in (3, 4)]
    seen = Operation(5, "put", freeze({"key": "b"}), freeze({"revision": 3}), 5, 6)
    log = [Entry(parse_request("put", {"key": "a", "value": "1"})), Entry(parse_request("put", {"key": "b"}))]
    settled = settle([put, lost, *twice, seen], Replay(log))
    assert (settled.found, settled.dropped, settled.left) == (1, 1, 2)
    assert [(o.process, o.end) for o in settled.operations] == [(1, 6), (3, None), (4, None), (5, 6)]


def test_acknowledged_write_that_is_lost_is_a_violation() -> None:
    put = Operation(1, "put", freeze({"key": "a", "value": "1"}), freeze({"revision": 2}), 0, 1)
    get = Operation(1, "range", freeze({"key": "a"}), freeze({"revision": 1, "kvs": [], "count": 0}), 2, 3)
    verdict = check_etcd([put, get], budget(), None)
    assert verdict.validity is Validity.VIOLATION
    assert verdict.impossible == get


def read(spec: dict[str, Any], answer: dict[str, Any], span: tuple[int, int]) -> Operation:
    return Operation(7, "range", freeze(spec), freeze(answer), *span, None, float(span[0]), float(span[1]))


def acknowledged() -> tuple[list[Operation], Replay]:
    puts = [
        Operation(
            1,
            "put",
            freeze({"key": "a", "value": str(n)}),
            freeze({"revision": 2 + n}),
            10 * n,
            10 * n + 1,
            None,
            10.0 * n,
            10.0 * n + 1,
        )
        for n in range(4)
    ]
    return puts, Replay([Entry(parse_request("put", {"key": "a", "value": str(n)})) for n in range(4)])


ROWS = {2: ["a", "0", 2, 2, 1, 0], 3: ["a", "1", 2, 3, 2, 0], 4: ["a", "2", 2, 4, 3, 0], 5: ["a", "3", 2, 5, 4, 0]}


@pytest.mark.parametrize(
    ("spec", "revision", "row", "span", "finding"),
    [
        ({}, 5, 5, (50, 51), None),
        ({}, 4, 4, (50, 51), "stale read"),
        ({}, 4, 4, (29, 51), None),
        ({"serializable": True}, 3, 3, (50, 51), None),
        ({"serializable": True}, 4, 3, (50, 51), "wrong read"),
        ({"serializable": True}, 6, 5, (50, 51), "future read"),
        ({"max_staleness_s": 25.0}, 4, 4, (50, 51), None),
        ({"max_staleness_s": 15.0}, 4, 4, (50, 51), "stale read"),
        ({"revision": 3}, 5, 3, (50, 51), None),
        ({"revision": 3}, 5, 4, (50, 51), "wrong read"),
    ],
)
def test_reads_against_the_log(
    spec: dict[str, Any], revision: int, row: int, span: tuple[int, int], finding: str | None
) -> None:
    puts, replay = acknowledged()
    answer = {"revision": revision, "kvs": [ROWS[row]], "count": 1}
    verdict = check_reads([*puts, read({"key": "a"} | spec, answer, span)], replay)
    assert [each.name for each in verdict.findings] == ([finding] if finding else [])


def test_a_serializable_read_is_no_matter_of_linearizability() -> None:
    puts, _ = acknowledged()
    old = read({"key": "a", "serializable": True}, {"revision": 3, "kvs": [ROWS[3]]}, (50, 51))
    assert check_etcd([*puts, old], budget(), None).validity is Validity.OK
    assert isinstance(parse_request("range", {"key": "a"}), Range)
