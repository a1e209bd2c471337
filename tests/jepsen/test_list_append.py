"""Each anomaly by its smallest history, and nothing in a right one."""

from typing import Any

import pytest

from raftkv_jepsen import rehearsal
from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.generator import Limit, Transactions
from raftkv_jepsen.history import Event, Operation, freeze
from raftkv_jepsen.transactions import check_list_append
from raftkv_jepsen.transactions.graph import Edge, Graph
from raftkv_jepsen.verdict import Validity


def txn(process: int, span: tuple[int, int | None], *steps: tuple[str, str, Any]) -> Operation:
    asked = [(f, key, None if f == "r" else value) for f, key, value in steps]
    outcome = None if span[1] is None else freeze(steps)
    return Operation(process, "txn", freeze(asked), outcome, *span)


def together(*all_steps: list[tuple[str, str, Any]]) -> list[Operation]:
    """Transactions of different processes that all overlap."""
    return [txn(n, (n, 100 + n), *steps) for n, steps in enumerate(all_steps)]


def one_after_another(*all_steps: list[tuple[str, str, Any]], processes: int = 100) -> list[Operation]:
    return [txn(n % processes, (2 * n, 2 * n + 1), *steps) for n, steps in enumerate(all_steps)]


ANOMALIES: list[tuple[str, list[Operation]]] = [
    ("internal", together([("append", "x", 1), ("r", "x", [])])),
    ("internal", together([("r", "x", []), ("append", "x", 1), ("r", "x", [2, 1])], [("append", "x", 2)])),
    ("G1b", together([("append", "x", 1), ("append", "x", 2)], [("r", "x", [1])])),
    ("duplicate", together([("append", "x", 1)], [("r", "x", [1, 1])])),
    ("unknown value", together([("r", "x", [7])])),
    ("incompatible order", together([("append", "x", 1)], [("append", "x", 2)], [("r", "x", [1, 2])], [("r", "x", [2])])),
    (
        "G0",
        together(
            [("append", "x", 1), ("append", "y", 1)],
            [("append", "x", 2), ("append", "y", 2)],
            [("r", "x", [1, 2])],
            [("r", "y", [2, 1])],
        ),
    ),
    ("G1c", together([("append", "x", 1), ("r", "y", [1])], [("append", "y", 1), ("r", "x", [1])])),
    (
        "G-single",
        together([("append", "x", 1), ("append", "y", 1)], [("r", "x", []), ("r", "y", [1])], [("r", "x", [1])]),
    ),
    (
        "G2-item",
        together(
            [("r", "x", []), ("append", "y", 1)], [("r", "y", []), ("append", "x", 1)], [("r", "x", [1]), ("r", "y", [1])]
        ),
    ),
    ("G-single-process", one_after_another([("append", "x", 1)], [("r", "x", [])], [("r", "x", [1])], processes=1)),
    ("G-single-realtime", one_after_another([("append", "x", 1)], [("r", "x", [])], [("r", "x", [1])])),
    ("G1c-realtime", [txn(0, (0, 1), ("r", "x", [1])), txn(1, (2, 3), ("append", "x", 1))]),
    ("G0-realtime", [*one_after_another([("append", "x", 1)], [("append", "x", 2)]), txn(5, (0, 9), ("r", "x", [2, 1]))]),
]


@pytest.mark.parametrize(("name", "history"), ANOMALIES, ids=[f"{name} {n}" for n, (name, _) in enumerate(ANOMALIES)])
def test_anomaly_is_named(name: str, history: list[Operation]) -> None:
    verdict = check_list_append(history)
    assert verdict.validity is Validity.VIOLATION
    assert name in {finding.name for finding in verdict.findings}


def test_read_of_a_failed_append() -> None:
    events = [Event("invoke", 0, "txn", (("append", "x", 1),)), Event("fail", 0, "txn", (("append", "x", 1),))]
    verdict = check_list_append(together([("r", "x", [1])]), events)
    assert [finding.name for finding in verdict.findings] == ["G1a"]


def test_open_transaction_that_was_read_took_place() -> None:
    history = [txn(0, (0, None), ("append", "x", 1)), *together([("r", "x", [1])], [("r", "x", [])])]
    assert check_list_append(history).validity is Validity.OK


@pytest.mark.parametrize("seed", range(4))
def test_right_history_has_no_anomaly_and_a_stale_read_in_it_is_found(seed: int) -> None:
    history = rehearsal.Rehearsal(Limit(600, Transactions(5)), rehearsal.list_append, 8, seed, 0.03).run()
    assert check_list_append(history).validity is Validity.OK
    place = next(
        place
        for place, each in enumerate(history)
        if place > 300 and each.end is not None and any(f == "r" and len(seen) > 30 for f, _, seen in each.outcome)
    )
    bad = history[place]
    spoiled = tuple((f, key, seen[:-20] if f == "r" and len(seen) > 30 else seen) for f, key, seen in bad.outcome)
    history[place] = Operation(bad.process, "txn", bad.argument, spoiled, bad.call, bad.end)
    assert check_list_append(history).validity is Validity.VIOLATION


def test_value_appended_twice_is_bad_input() -> None:
    with pytest.raises(HistoryError, match="appended twice"):
        check_list_append(together([("append", "x", 1)], [("append", "x", 1)]))


def test_components_of_a_long_cycle_are_found_without_recursion() -> None:
    graph = Graph(20_000)
    for node in range(20_000):
        graph.add(node, (node + 1) % 20_000, Edge.WW)
    assert [len(component) for component in graph.components(Edge.WW)] == [20_000]
    assert graph.components(Edge.WR) == []


def test_appends_on_both_sides_of_a_read_in_one_transaction_are_no_anomaly() -> None:
    steps = [("append", "x", 1), ("r", "x", [1]), ("append", "x", 2), ("r", "x", [1, 2])]
    assert check_list_append(together(steps)).validity is Validity.OK
