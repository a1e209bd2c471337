from pathlib import Path

import pytest

from raftkv_jepsen import formats
from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import Event, Fault, HistoryWriter, pair, read_events

WRITE = Event("invoke", 1, "write", value=3, key="x", time=0.5)
OK = Event("ok", 1, "write", value=3, key="x", time=0.75)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with HistoryWriter(tmp_path / "h") as writer:
        writer.write(WRITE)
        writer.write(Event("ok", 1, "txn", value=[["r", "x", [1, 2]]], error="odd"))
    events = read_events((tmp_path / "h").read_text())
    assert events[0] == WRITE
    assert events[1].value == (("r", "x", (1, 2)),)
    assert events[1].error == "odd"


def test_torn_last_line_is_left_out_and_cut_away_by_the_next_writer(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with HistoryWriter(path) as writer:
        writer.write(WRITE)
        writer.write(OK)
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        events = read_events(path.read_text())
        assert events == [WRITE, OK][: len(events)]
        assert len(events) >= whole[:size].count(b"\n")
    path.write_bytes(whole[:-5])
    with HistoryWriter(path) as writer:
        writer.write(OK)
    assert path.read_bytes() == whole


def test_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="line 1 is not JSON"):
        formats.parse('{"type": \n{"type": "info", "process": 1, "f": "read"}\n')


def test_pairs_calls_with_what_became_of_them() -> None:
    history = pair(
        [
            Event("invoke", 1, "write", 1),
            Event("invoke", 2, "write", 2),
            Event("fault", "nemesis", "partition", "start"),
            Event("ok", 1, "write", 1),
            Event("fail", 2, "write", 2),
            Event("invoke", 1, "write", 3),
            Event("info", 1, "write", 3),
            Event("fault", "nemesis", "partition", "stop"),
            Event("invoke", 3, "write", 4),
            Event("invoke", 3, "write", 5),
        ]
    )
    assert [(o.argument, o.call, o.end) for o in history.operations] == [(1, 0, 3), (3, 5, None), (4, 8, None), (5, 9, None)]
    assert history.faults == [Fault("partition", 2, 7)]


def test_completion_without_a_call_is_an_error() -> None:
    with pytest.raises(HistoryError, match="never invoked"):
        pair([Event("ok", 1, "read")])
