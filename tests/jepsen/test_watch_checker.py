"""A right history of watches, and one change to it per promise."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from raftkv_jepsen.checkers import check_watches
from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import Event, freeze
from raftkv_jepsen.replay import Entry, Replay
from raftkv_jepsen.store import parse_request
from raftkv_jepsen.verdict import Validity

LOG = [
    ("put", {"key": "a", "value": "1"}),  # 2
    ("put", {"key": "b", "value": "1"}),  # 3
    ("lease_grant", {"id": 5}),
    ("put", {"key": "a", "value": "2", "lease": 5}),  # 4
    ("txn", {"compare": [], "success": [["put", {"key": "a", "value": "3", "lease": 5}], ["put", {"key": "aa"}]]}),  # 5
    ("lease_expire", {"id": 5}),  # 6: a
    ("put", {"key": "a", "value": "4"}),  # 7
]
A2, A4, A5 = ["a", "1", 2, 2, 1, 0], ["a", "2", 2, 4, 2, 5], ["a", "3", 2, 5, 3, 5]
AA5, A7 = ["aa", "", 5, 5, 1, 0], ["a", "4", 7, 7, 1, 0]
Steps = list[dict[str, Any]]


def replay(*more: tuple[str, dict[str, Any]]) -> Replay:
    return Replay([Entry(parse_request(f, value), expired=f == "lease_expire") for f, value in [*LOG, *more]])


def steps() -> Steps:
    """Watch w of [a, b) from revision 2, with previous values."""
    return [
        {"kind": "create", "watch": "w", "key": "a", "range_end": "b", "start_revision": 2, "prev_kv": True},
        {"kind": "created", "watch": "w", "watch_id": 1, "revision": 4},
        {"kind": "events", "watch_id": 1, "revision": 4, "events": [["put", *A2, None], ["put", *A4, A2]]},
        {"kind": "progress", "watch_id": 1, "revision": 4},
        {"kind": "events", "watch_id": 1, "revision": 5, "events": [["put", *A5, A4], ["put", *AA5, None]]},
        {"kind": "events", "watch_id": 1, "revision": 7, "events": [["delete", "a", "", 0, 6, 0, 0, A5], ["put", *A7, None]]},
        {"kind": "final", "revision": 7},
    ]


def findings(history: Steps, log: Replay | None = None) -> set[str]:
    events = [Event("receive", "s1", "watch", freeze(step)) for step in history]
    return {finding.name for finding in check_watches(events, log or replay()).findings}


def test_right_history_has_no_findings() -> None:
    assert findings(steps()) == set()


def change(place: int, name: str, value: Any) -> Callable[[Steps], None]:
    return lambda history: history[place].__setitem__(name, value)


def insert(place: int, step: dict[str, Any]) -> Callable[[Steps], None]:
    return lambda history: history.insert(place, step)


def drop_event(place: int, event: int) -> Callable[[Steps], None]:
    return lambda history: history[place]["events"].pop(event)


def split_revision(history: Steps) -> None:
    history[4:5] = [dict(history[4], events=[event]) for event in history[4]["events"]]


SPOILED: list[tuple[str, Callable[[Steps], None]]] = [
    ("filter", change(0, "range_end", "")),
    ("filter", change(0, "filters", ["nodelete"])),
    ("ordered", change(2, "events", [["put", *A4, A2], ["put", *A2, None]])),
    ("unique", change(5, "events", [["delete", "a", "", 0, 6, 0, 0, A5], ["put", *A7, None], ["put", *A7, None]])),
    ("atomic", split_revision),
    ("reliable", drop_event(4, 1)),
    ("reliable", change(4, "events", [["put", "a", "x", 2, 5, 3, 5, A4], ["put", *AA5, None]])),
    ("reliable", change(4, "events", [["delete", "a", "", 0, 5, 0, 0, A4], ["put", *AA5, None]])),
    (
        "reliable",
        insert(6, {"kind": "events", "watch_id": 1, "revision": 8, "events": [["put", "a", "9", 7, 8, 2, 0, A7]]}),
    ),
    ("resumable", drop_event(2, 0)),
    ("bookmarkable", change(3, "revision", 5)),
    ("bookmarkable", insert(5, {"kind": "progress", "watch_id": 1, "revision": 4})),
    ("prev_kv", change(4, "events", [["put", *A5, A2], ["put", *AA5, None]])),
    ("prev_kv", change(4, "events", [["put", *A5, None], ["put", *AA5, None]])),
    ("is_create", change(5, "events", [["delete", "a", "", 0, 6, 0, 0, A5], ["put", "a", "4", 2, 7, 4, 0, None]])),
    ("lease delete", drop_event(5, 0)),
    ("future start", change(0, "start_revision", 4)),
    ("fragment", change(4, "fragment", True)),
    ("watch id", change(3, "watch_id", 2)),
    ("after cancel", insert(4, {"kind": "cancelled", "watch_id": 1, "revision": 4})),
    ("header revision", change(4, "revision", 3)),
    ("compacted start", insert(6, {"kind": "cancelled", "watch_id": 1, "revision": 7, "compact_revision": 3})),
]


@pytest.mark.parametrize(("finding", "spoil"), SPOILED, ids=[f"{name} {number}" for number, (name, _) in enumerate(SPOILED)])
def test_every_broken_promise_is_found(finding: str, spoil: Callable[[Steps], None]) -> None:
    history = deepcopy(steps())
    spoil(history)
    assert finding in findings(history)


def test_two_watches_with_one_id() -> None:
    second: Steps = [
        {"kind": "create", "watch": "v", "key": "z"},
        {"kind": "created", "watch": "v", "watch_id": 1, "revision": 4},
    ]
    assert findings([*steps()[:2], *second]) == {"watch id"}


def test_start_that_was_compacted_away_must_be_refused() -> None:
    log = replay(("compact", {"revision": 5}), ("put", {"key": "z"}))
    served = steps()
    served[1]["revision"] = 8
    for step in served[2:]:
        step["revision"] = 8
    assert "compacted start" in findings([step for step in served if step["kind"] != "progress"], log)
    refused = [*served[:2], {"kind": "cancelled", "watch_id": 1, "revision": 8, "compact_revision": 5}]
    assert findings(refused, log) == set()


def test_fragments_may_split_a_revision() -> None:
    history = steps()
    history[0]["fragment"] = True
    parts = [dict(history[4], events=[event]) for event in history[4]["events"]]
    parts[0]["fragment"] = True
    history[4:5] = parts
    assert findings(history) == set()
    assert findings(history[:5]) == set()


def test_start_at_0_is_owed_what_comes_after_its_creation() -> None:
    history = steps()
    history[0]["start_revision"] = 0
    del history[2]
    assert findings(history) == set()
    history[0]["start_revision"] = 2
    assert "resumable" in findings(history)


def test_watch_that_stayed_behind_is_unknown() -> None:
    events = [
        Event("receive", "s1", "watch", freeze(step))
        for step in steps()
        if step.get("revision") != 7 or step["kind"] == "final"
    ]
    verdict = check_watches(events, replay())
    assert verdict.validity is Validity.UNKNOWN
    assert verdict.counts["behind"] == 1


def test_event_without_its_fields_is_bad_input() -> None:
    with pytest.raises(HistoryError, match="lacks"):
        findings([{"kind": "created"}])
