"""From the changes that a watch told to the log that the checkers replay, and back: does replaying it make the same rows?"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from raftkv.pb import kv
from raftkv_chaos.live.caller import row
from raftkv_chaos.live.compactions import Placed
from raftkv_chaos.live.historian import Changes
from raftkv_jepsen.replay import Entry, Replay
from raftkv_jepsen.store import parse_request
from raftkv_jepsen.verdict import Finding

FIRST = 2
"""The revision of the first write to an empty store."""
Line = dict[str, Any]


class Truth:
    """The committed log of a run, up to `last`."""

    def __init__(self, changes: Changes, last: int, compactions: Sequence[Placed] = ()) -> None:
        self.changes = {revision: events for revision, events in sorted(changes.items()) if revision <= last}
        self.last = last
        self.lines = list(_lines(self.changes, compactions))
        self.replay = Replay(Entry(parse_request(line["f"], line["value"])) for line in self.lines)
        self.writers = _writers(self.changes)

    def write(self, path: Path) -> None:
        """Writes the log as `raftkv-jepsen --log` reads it."""
        path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in self.lines), encoding="utf-8")

    def findings(self) -> list[Finding]:
        """What is wrong with it in itself: revisions left out, rows that the changes before do not lead to."""
        missing = [revision for revision in range(FIRST, self.last + 1) if revision not in self.changes]
        if missing:
            return [Finding("revision left out", f"the watch from the first revision on never told {_some(missing)}")]
        findings = []
        told = [event for events in self.changes.values() for event in events]
        made = {(change.revision, change.key): change for change in self.replay.changes}
        for event in told:
            change = made.pop((event.kv.mod_revision, event.kv.key.decode()), None)
            expected = None if change is None or change.row is None else list(change.row)
            if change is None or (event.type == kv.Event.PUT and expected != row(event.kv)):
                findings.append(Finding("row", f"{row(event.kv)} in place of {expected} at revision {event.kv.mod_revision}"))
        return findings


def _some(revisions: Sequence[int]) -> str:
    return ", ".join(map(str, revisions[:10])) + (f" and {len(revisions) - 10} more" if len(revisions) > 10 else "")


def _lines(changes: Changes, compactions: Sequence[Placed]) -> Iterator[Line]:
    leases: set[int] = set()
    for revision, events in changes.items():
        for event in events:
            if event.kv.lease and event.kv.lease not in leases:
                leases.add(event.kv.lease)
                yield {"f": "lease_grant", "value": {"id": event.kv.lease}}
        yield line_of(events)
        yield from ({"f": "compact", "value": {"revision": target}} for place, target in compactions if place == revision)


def line_of(events: Sequence[kv.Event]) -> Line:
    """A request that does what was done at one revision."""
    steps = [_step(event) for event in events]
    if len(steps) == 1:
        return {"f": steps[0][0], "value": steps[0][1]}
    return {"f": "txn", "value": {"success": steps}}


def _step(event: kv.Event) -> tuple[str, Line]:
    key = event.kv.key.decode()
    if event.type == kv.Event.DELETE:
        return "delete", {"key": key}
    return "put", {"key": key, "value": event.kv.value.decode(), "lease": event.kv.lease}


def _writers(changes: Changes) -> Mapping[tuple[str, str], list[int]]:
    """Which revisions put a value to a key."""
    found: dict[tuple[str, str], list[int]] = {}
    for revision, events in changes.items():
        for event in events:
            if event.type == kv.Event.PUT:
                found.setdefault((event.kv.key.decode(), event.kv.value.decode()), []).append(revision)
    return found
