import math

import pytest

from benchmarks.figures import Figures, Quantity, Row, Span, advantage, span

THROUGHPUT = Quantity("Requests per second", "1/s", more_is_better=True)
LATENCY = Quantity("Latency", "ms", more_is_better=False)


def figures() -> Figures:
    made = Figures()
    for number, (etcd, raftkv) in enumerate(((100.0, 150.0), (200.0, 100.0), (100.0, 300.0))):
        made.add(Row(THROUGHPUT, "put"), "etcd", etcd, round_number=number)
        made.add(Row(THROUGHPUT, "put"), "raftkv", raftkv, round_number=number)
        made.add(Row(LATENCY, "put"), "etcd", etcd, round_number=number)
    return made


def test_span_is_lowest_median_and_highest() -> None:
    assert span([3.0, 1.0, 10.0]) == Span(1.0, 3.0, 10.0)
    assert span([4.0, 2.0]) == Span(2.0, 3.0, 4.0)


def test_advantage_above_one_is_better_for_every_quantity() -> None:
    assert advantage(THROUGHPUT, reference=100.0, target=200.0) == pytest.approx(2.0)
    assert advantage(LATENCY, reference=100.0, target=200.0) == pytest.approx(0.5)
    assert math.isinf(advantage(LATENCY, reference=1.0, target=0.0))


def test_ratio_is_taken_within_a_round() -> None:
    assert figures().advantage(Row(THROUGHPUT, "put")) == Span(0.5, 1.5, 3.0)


def test_round_that_one_target_did_not_finish_has_no_ratio() -> None:
    made = figures()
    made.add(Row(THROUGHPUT, "put"), "raftkv", 9000.0, round_number=7)
    assert made.advantage(Row(THROUGHPUT, "put")) == Span(0.5, 1.5, 3.0)


def test_row_without_both_targets_has_no_ratio() -> None:
    row = Row(LATENCY, "put")
    assert figures().advantage(row) is None
    assert figures().span(row, "raftkv") is None
    assert figures().span(row, "etcd") == Span(100.0, 100.0, 200.0)


def test_quantities_keep_the_order_in_which_they_came_up() -> None:
    assert figures().quantities() == [THROUGHPUT, LATENCY]
    assert figures().rows(LATENCY) == [Row(LATENCY, "put")]
