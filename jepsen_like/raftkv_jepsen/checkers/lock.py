"""Locks and elections, aware of fencing.

A lock on real time cannot hold: whoever is paused for longer than the time to live of their lease believes to hold what is
already somebody else's, and the server did nothing wrong. So three questions are asked apart (Kleppmann, 2016):

(a) In the order of the log: was every ownership that was granted really the holder's at that revision, did no two overlap, and did nobody
    remove another's key? These are findings.
(b) At what the lock protects: was a write with an older token (the create revision) refused once a newer one had been taken? A finding
    where it was not.
(c) In real time: how often did two clients believe to hold it? That is a rate, not a finding.

Operations: `lock` and `campaign` {"name"} -> {"key", "create", "revision"}; `unlock` and `resign` {"key", "create"} ->
{"revision"}; `proclaim` {"key", "create", "value"} -> {"revision"}; `protected_write` {"resource", "token"} -> true or false;
and `receive` events with f `observe`, value {"name", "key", "create", "mod"}.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import Event, Operation, Process
from raftkv_jepsen.replay import Replay
from raftkv_jepsen.verdict import Finding, Verdict, judged

TAKE = frozenset({"lock", "campaign"})
GIVE = frozenset({"unlock", "resign"})
FOREVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Ownership:
    """A grant: the key that owns, from which revision, until its key went."""

    name: str
    key: str
    create: int
    granted: int
    gone: int
    operation: Operation


def check_locks(operations: Sequence[Operation], events: Iterable[Event], replay: Replay) -> Verdict:
    """Checks locks and elections.

    Raises:
        HistoryError: an operation lacks a field.
    """
    try:
        owned = [_ownership(each, replay) for each in operations if each.f in TAKE and _succeeded(each)]
        findings = [finding for each in owned for finding in _held(each, replay)]
        findings += _overlaps(owned)
        findings += [finding for each in operations if each.f in GIVE and _succeeded(each) for finding in _given(each, replay)]
        findings += [f for each in operations if each.f == "proclaim" and _succeeded(each) for f in _proclaimed(each, replay)]
        findings += _unfenced([each for each in operations if each.f == "protected_write"])
        observed = [event for event in events if event.type == "receive" and event.f == "observe"]
        findings += _observed(observed, replay)
    except (KeyError, ValueError, TypeError) as error:
        raise HistoryError(f"an operation on a lock lacks or misstates {error}") from error
    believed = _believed(operations)
    counts = {
        "ownerships": len(owned),
        "protected writes": sum(each.f == "protected_write" for each in operations),
        "observations": len(observed),
    }
    rates = {"believed by two at once": believed / len(owned) if owned else 0.0}
    return judged(findings, counts, rates)


def _succeeded(operation: Operation) -> bool:
    return operation.end is not None and isinstance(operation.outcome, tuple) and "error" not in dict(operation.outcome)


def _ownership(operation: Operation, replay: Replay) -> Ownership:
    name = str(dict(operation.argument)["name"])
    told: dict[str, Any] = dict(operation.outcome)
    gone = replay.deleted_at(told["key"], told["create"])
    return Ownership(name, told["key"], told["create"], told["revision"], FOREVER if gone is None else gone, operation)


def _held(owned: Ownership, replay: Replay) -> list[Finding]:
    """At the revision of the answer the key was there, and the oldest."""
    row = replay.at(owned.key, owned.granted)
    if row is None or row.create != owned.create:
        text = f"{owned.key!r} (created at {owned.create}) was granted {owned.name!r} at {owned.granted}, when it was not there"
        return [Finding("granted to nobody", text, (owned.operation,))]
    first = replay.holders(f"{owned.name}/", owned.granted)[:1]
    if not first or first[0].key != owned.key:
        text = f"{owned.key!r} was granted {owned.name!r} at {owned.granted}, when {first[0].key if first else None!r} held it"
        return [Finding("granted out of turn", text, (owned.operation,))]
    return []


def _overlaps(owned: list[Ownership]) -> list[Finding]:
    """No two ownerships of one name overlap in revisions, and no key serves two grants to different processes."""
    findings = []
    holder: dict[str, Ownership] = {}
    for each in sorted(owned, key=lambda one: (one.granted, one.create)):
        before = holder.get(each.name)
        if before is not None and each.granted < before.gone and each.operation.process != before.operation.process:
            text = f"{each.name!r}: {before.key!r} from {before.granted} to {before.gone}, {each.key!r} from {each.granted}"
            findings.append(Finding("two owners", text, (before.operation, each.operation)))
        if before is None or each.gone >= before.gone:
            holder[each.name] = each
    return findings


def _given(operation: Operation, replay: Replay) -> list[Finding]:
    """Giving up takes away one's own key, not that of a successor under the same name."""
    asked, told = dict(operation.argument), dict(operation.outcome)
    for change in replay.between(told["revision"], told["revision"]):
        if change.key == asked["key"] and change.row is None and change.previous is not None:
            create = change.previous.create
            if create != asked["create"]:
                text = f"{operation.f} of {asked['key']!r} created at {asked['create']} removed the one created at {create}"
                return [Finding("removed another's", text, (operation,))]
    return []


def _proclaimed(operation: Operation, replay: Replay) -> list[Finding]:
    asked, told = dict(operation.argument), dict(operation.outcome)
    row = replay.at(asked["key"], told["revision"])
    if row is not None and row.create == asked["create"]:
        return []
    text = f"{asked['key']!r} created at {asked['create']} proclaimed at {told['revision']}, when it was gone"
    return [Finding("proclaimed after loss", text, (operation,))]


def _unfenced(writes: list[Operation]) -> list[Finding]:
    """(b): a write that was called after one with a newer token had been accepted must be refused."""
    newest: dict[Any, tuple[int, Operation]] = {}
    threshold: dict[int, tuple[int, Operation] | None] = {}
    findings = []
    for _, begins, write in _marks(writes):
        fields = dict(write.argument)
        resource, token = fields["resource"], fields["token"]
        if begins:
            threshold[write.call] = newest.get(resource)
            continue
        before = threshold[write.call]
        if before is not None and token < before[0]:
            text = f"{resource!r}: token {token} was accepted after {before[0]}"
            findings.append(Finding("old token accepted", text, (before[1], write)))
        known = newest.get(resource)
        if known is None or token > known[0]:
            newest[resource] = (token, write)
    return findings


def _marks(writes: list[Operation]) -> list[tuple[int, bool, Operation]]:
    accepted = [write for write in writes if write.end is not None and write.outcome is True]
    marks = [(write.call, True, write) for write in accepted]
    marks += [(write.end or 0, False, write) for write in accepted]
    return sorted(marks, key=lambda mark: mark[0])


def _observed(events: list[Event], replay: Replay) -> list[Finding]:
    """Observers see leaders in the order of their election, and each while it led."""
    findings = []
    latest: dict[tuple[Process, str], tuple[int, int]] = {}
    for event in events:
        fields = dict(event.value)
        name, key, create, mod = fields["name"], fields["key"], fields["create"], fields["mod"]
        before = latest.get((event.process, name), (0, 0))
        if (create, mod) < before:
            text = f"{name!r}: created at {create}, modified at {mod}, after created at {before[0]}, modified at {before[1]}"
            findings.append(Finding("observed out of order", text))
        latest[event.process, name] = max(before, (create, mod))
        row = replay.at(key, mod)
        if row is None or (row.create, row.mod) != (create, mod):
            findings.append(Finding("observed nobody", f"{name!r}: {key!r} at {mod}, created at {create}, is not in the log"))
        elif not _led(replay, name, key, create, mod):
            findings.append(
                Finding("observed a follower", f"{name!r}: {key!r} at {mod}, which did not lead before its next change")
            )
    return findings


def _led(replay: Replay, name: str, key: str, create: int, mod: int) -> bool:
    """Whether the key, as it was from `mod` on, was ever the oldest: at its change, or when those before it had gone."""
    gone = replay.deleted_at(key, create) or replay.revision + 1
    rivals = [row for row in replay.holders(f"{name}/", mod) if row.create < create]
    return all((replay.deleted_at(row.key, row.create) or FOREVER) < gone for row in rivals)


def _believed(operations: Sequence[Operation]) -> int:
    """(c): how many grants were answered while another client had not begun to give up its own."""
    begins = {each.end: each for each in operations if each.f in TAKE and _succeeded(each)}
    ends = {each.call: each for each in operations if each.f in GIVE}
    holding: dict[str, set[Process]] = {}
    names: dict[str, str] = {}
    count = 0
    for place in sorted({place for place in (*begins, *ends) if place is not None}):
        if place in begins:
            taken = begins[place]
            name, key = str(dict(taken.argument)["name"]), str(dict(taken.outcome)["key"])
            names[key] = name
            holders = holding.setdefault(name, set())
            count += bool(holders - {taken.process})
            holders.add(taken.process)
        if place in ends:
            given = ends[place]
            name = names.get(str(dict(given.argument)["key"]), "")
            holding.get(name, set()).discard(given.process)
    return count
