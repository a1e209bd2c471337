"""The verdicts of a live run on small histories: what is right passes, and each broken promise is found."""

from pathlib import Path
from typing import Any

import pytest

from raftkv.clock import SystemClock
from raftkv.pb import kv
from raftkv_chaos.live import charts
from raftkv_chaos.live.compactions import judge_looks_back, placed
from raftkv_chaos.live.figures import Span, measure
from raftkv_chaos.live.historian import Changes
from raftkv_chaos.live.recorder import STORE, Recorder
from raftkv_chaos.live.settling import out_of_order, settle, unfounded
from raftkv_chaos.live.truth import Truth
from raftkv_chaos.live.verdicts import Evidence, judge, read
from raftkv_jepsen.history import Event, History, Operation, freeze, pair
from raftkv_jepsen.linearizability import check_linearizable
from raftkv_jepsen.models import EtcdModel
from raftkv_jepsen.verdict import Validity


def put(key: str, value: str, revision: int, *, create: int | None = None, version: int = 1) -> kv.Event:
    row = kv.KeyValue(
        key=key.encode(), value=value.encode(), create_revision=create or revision, mod_revision=revision, version=version
    )
    return kv.Event(type=kv.Event.PUT, kv=row)


def delete(key: str, revision: int) -> kv.Event:
    return kv.Event(type=kv.Event.DELETE, kv=kv.KeyValue(key=key.encode(), mod_revision=revision))


CHANGES: Changes = {2: [put("a", "1", 2)], 3: [put("a", "2", 3, create=2, version=2)], 4: [delete("a", 4)]}


def row(value: str, create: int, mod: int, version: int) -> list[Any]:
    return ["a", value, create, mod, version, 0]


def history(*events: tuple[str, str, str, Any]) -> History:
    """Each event is type, process, f, value."""
    return pair(
        Event(kind, process, f, freeze(value), time=float(place))  # type: ignore[arg-type]  # a type in words
        for place, (kind, process, f, value) in enumerate(events)
    )


WRITE_1 = ("invoke", "p", "put", {"key": "a", "value": "1"}), ("ok", "p", "put", {"revision": 2})
WRITE_2 = ("invoke", "q", "put", {"key": "a", "value": "2"}), ("info", "q", "put", None)


def judged(found: History) -> Validity:
    return check_linearizable(settle(found.operations, Truth(CHANGES, 4)), EtcdModel()).validity


def test_open_write_and_deletion_of_nobody_are_settled_from_the_log() -> None:
    late = {"kvs": [row("2", 2, 3, 2)], "count": 1, "revision": 3}
    seen = ("invoke", "p", "range", {"key": "a"}), ("ok", "p", "range", late)
    gone = ("invoke", "p", "range", {"key": "a"}), ("ok", "p", "range", {"kvs": [], "count": 0, "revision": 4})
    assert judged(history(*WRITE_1, *WRITE_2, *seen, *gone)) is Validity.OK


def test_stale_read_is_found() -> None:
    new = ("invoke", "p", "range", {"key": "a"}), ("ok", "p", "range", {"kvs": [row("2", 2, 3, 2)], "count": 1, "revision": 3})
    old = ("invoke", "p", "range", {"key": "a"}), ("ok", "p", "range", {"kvs": [row("1", 2, 2, 1)], "count": 1, "revision": 2})
    broken = history(*WRITE_1, *WRITE_2, *new, *old)
    assert judged(broken) is Validity.VIOLATION
    assert [finding.name for finding in out_of_order(broken.operations)] == ["stale"]
    assert out_of_order(history(*WRITE_1, *old, *WRITE_2, *new).operations) == []


def test_acknowledged_write_that_the_log_does_not_have_is_found() -> None:
    lost = ("invoke", "p", "put", {"key": "b", "value": "9"}), ("ok", "p", "put", {"revision": 3})
    found = history(*WRITE_1, *lost).operations
    assert [finding.name for finding in unfounded(found, Truth(CHANGES, 4))] == ["lost write"]


def test_open_write_cannot_take_place_before_it_was_asked_for() -> None:
    early = (
        ("invoke", "p", "range", {"key": "a"}),
        ("ok", "p", "range", {"kvs": [row("2", 2, 3, 2)], "count": 1, "revision": 3}),
    )
    assert judged(history(*WRITE_1, *early, *WRITE_2)) is Validity.VIOLATION


def test_log_with_a_hole_or_a_wrong_row_is_found() -> None:
    assert Truth(CHANGES, 4).findings() == []
    holed = {revision: events for revision, events in CHANGES.items() if revision != 3}
    assert [finding.name for finding in Truth(holed, 4).findings()] == ["revision left out"]
    wrong = {**CHANGES, 3: [put("a", "2", 3, create=2, version=7)]}
    assert [finding.name for finding in Truth(wrong, 4).findings()] == ["row"]


def operation(f: str, call: int, asked: dict[str, Any], told: dict[str, Any] | None) -> Operation:
    return Operation("p", f, freeze(asked), freeze(told), call, None if told is None else call + 1)


def compacted(to: int, call: int, revision: int | None) -> Operation:
    """A compaction; None: nobody answered."""
    return operation("compact", call, {"revision": to}, None if revision is None else {"revision": revision})


def look(at: int, call: int, **told: Any) -> Operation:
    return operation("range", call, {"key": "a", "revision": at}, told)


def test_compactions_stand_where_they_took_place_at_the_latest() -> None:
    asked = [compacted(3, 1, 5), compacted(4, 3, None), compacted(7, 5, 8), compacted(9, 7, None), compacted(12, 9, 13)]
    assert placed(asked, 11) == [(5, 3), (8, 4), (8, 7), (11, 9)]
    replay = Truth(CHANGES, 4, [(3, 2)]).replay
    assert [(each.revision, each.compacted) for each in replay.compactions] == [(3, 2)]
    assert replay.revision == 4


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (look(2, 5, error="compacted"), []),
        (look(3, 5, error="compacted"), ["refused"]),
        (look(2, 5, count=1), ["served"]),
        (look(3, 5, count=1), []),
        (look(2, 1, count=1), []),
    ],
)
def test_the_past_ends_where_it_was_compacted_and_nowhere_else(seen: Operation, expected: list[str]) -> None:
    assert [finding.name for finding in judge_looks_back([compacted(3, 2, 5), seen])] == expected


def evidence(folder: Path, copies: dict[str, Changes], output: str) -> Evidence:
    log = folder / "node.log"
    log.write_text(output)
    return Evidence(folder / "history", Truth(CHANGES, 4), copies, 1, 0.1, {"n1": log}, ("Traceback",), {}, 10.0, SystemClock())


@pytest.mark.parametrize(
    ("copy", "validity"),
    [
        (CHANGES, Validity.OK),
        ({2: CHANGES[2], 3: CHANGES[3]}, Validity.UNKNOWN),
        ({**CHANGES, 3: [put("a", "3", 3, create=2, version=2)]}, Validity.VIOLATION),
        ({2: CHANGES[2], 4: CHANGES[4]}, Validity.VIOLATION),
    ],
)
def test_nodes_must_tell_the_same_history(tmp_path: Path, copy: Changes, validity: Validity) -> None:
    assert judge(evidence(tmp_path, {"n1": copy}, ""))["nodes"].validity is validity


def test_traceback_in_a_log_is_found_and_too_little_traffic_proves_nothing(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "history", SystemClock())
    recorder.note(STORE, "invoke", "p", "put", {"key": "a", "value": "1"})
    recorder.note(STORE, "ok", "p", "put", {"revision": 2})
    recorder.close()
    verdicts = judge(evidence(tmp_path, {}, "Traceback (most recent call last):\n"))
    assert verdicts["output"].validity is Validity.VIOLATION
    assert verdicts["store"].validity is Validity.UNKNOWN


def test_gap_is_charged_to_the_fault_that_it_falls_into(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "history", SystemClock())
    recorder.close()
    assert read(recorder.path(STORE)) is None
    writes = [
        event
        for n, time in enumerate((1.0, 2.0, 2.5, 6.5, 7.0, 15.0, 16.0))
        for event in (
            Event("invoke", n, "put", (("key", "a"),), time=time - 0.1),
            Event("ok", n, "put", (("revision", n + 2),), time=time),
        )
    ]
    figures = measure(pair(writes), [Span("crash", 3.0, 4.0)], 0.5, 16.5)
    assert [(gap.name, gap.begin, round(gap.seconds, 3)) for gap in figures.gaps] == [
        ("whole run", 7.0, 8.0),
        ("crash", 2.5, 4.0),
    ]
    assert figures.percentile_ms(0.5) == pytest.approx(100)
    for picture in (charts.latency(figures), charts.throughput(figures)):
        assert picture.count('class="fault"') == 1
        assert picture.endswith("</svg>\n")
