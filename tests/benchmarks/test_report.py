from xml.etree import ElementTree as ET

import pytest

from benchmarks.chart import Scale, latency_chart
from benchmarks.figures import Figures, Quantity, Row
from benchmarks.load import Seen, parse
from benchmarks.machine import TICKS_PER_SECOND, cpu_seconds_of_stat
from benchmarks.report import document, rounded, tables
from benchmarks.rounds import samples, workloads
from benchmarks.saturation import Point

THROUGHPUT = Quantity("Requests per second", "1/s", more_is_better=True)


def figures() -> Figures:
    made = Figures()
    made.add(Row(THROUGHPUT, "put, 1 client"), "etcd", 1000.0)
    made.add(Row(THROUGHPUT, "put, 1 client"), "raftkv", 1500.0)
    made.add(Row(THROUGHPUT, "scan, 1 client"), "etcd", 20.25)
    return made


def test_table_shows_medians_and_ratios() -> None:
    assert tables(figures()).splitlines() == [
        "## Requests per second (1/s)",
        "",
        "|                |  etcd | raftkv | ratio | lowest | highest |",
        "|----------------|------:|-------:|------:|-------:|--------:|",
        "| put, 1 client  | 1,000 |  1,500 |  1.50 |   1.50 |    1.50 |",
        "| scan, 1 client |  20.2 |      - |     - |      - |       - |",
    ]


def test_failures_are_told_below_the_tables() -> None:
    made = figures()
    made.failures.append("raftkv: scan: no answer")
    assert tables(made).endswith("## Not as planned\n\n- raftkv: scan: no answer\n")


def test_document_names_machine_settings_and_chart() -> None:
    text = document(figures(), facts=["4 cores"], settings="3 rounds", chart="latency.svg")
    assert "- 4 cores\n- 3 rounds\n" in text
    assert "](latency.svg)" in text
    assert "latency.svg" not in document(figures(), facts=[], settings="", chart=None)


@pytest.mark.parametrize(("value", "text"), [(12345.6, "12,346"), (99.94, "99.9"), (1.234, "1.23"), (0.5, "0.50")])
def test_numbers_are_rounded_to_three_digits(value: float, text: str) -> None:
    assert rounded(value) == text


def test_labels_name_operation_and_clients() -> None:
    assert [workload.label for workload in workloads(["put"], [1, 100])] == ["put, 1 client", "put, 100 clients"]


def test_what_clients_saw_becomes_a_sample_of_each_quantity() -> None:
    seen = Seen(requests=10, errors=2, per_second=5.0, p50_ms=1.0, p99_ms=2.0)
    assert [value for _, value in samples(seen)] == [5.0, 1.0, 2.0]


def test_loading_counts_keys_not_transactions() -> None:
    line = '{"count": 10, "errors": 0, "per_second": 2.0, "keys_per_second": 200.0, "p50_ms": 1.0, "p99_ms": 3.0}'
    assert parse(line) == Seen(requests=10, errors=0, per_second=200.0, p50_ms=1.0, p99_ms=3.0)


def test_cpu_time_is_found_behind_a_name_with_spaces() -> None:
    stat = f"42 (a ) b) S {' '.join('0' for _ in range(10))} {3 * TICKS_PER_SECOND} {TICKS_PER_SECOND} 0 0"
    assert cpu_seconds_of_stat(stat) == pytest.approx(4.0)


def test_chart_is_well_formed_and_has_two_lines_for_each_target() -> None:
    curve = [Point(500, 0.8, 2.0), Point(4000, 3.0, 90.0)]
    root = ET.fromstring(latency_chart({"etcd": curve, "raftkv": curve[:1]}))
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 4


def test_chart_places_lower_latency_lower() -> None:
    scale = Scale([Point(100, 1.0, 10.0)])
    assert scale.y(1.0) > scale.y(10.0)
    assert scale.x(0) < scale.x(100)
