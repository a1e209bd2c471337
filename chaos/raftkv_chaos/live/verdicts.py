"""What the checkers say of a run, each of them about one promise."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raftkv.clock import Clock
from raftkv_chaos.live.compactions import judge_looks_back
from raftkv_chaos.live.historian import Changes
from raftkv_chaos.live.settling import out_of_order, settle, unfounded
from raftkv_chaos.live.truth import Truth
from raftkv_jepsen.checkers import check_leases, check_list_append, check_locks, check_reads, check_watches
from raftkv_jepsen.errors import JepsenError
from raftkv_jepsen.history import Event, History, pair, read_events
from raftkv_jepsen.linearizability import check_linearizable
from raftkv_jepsen.linearizability.budget import Budget
from raftkv_jepsen.models import MODELS, EtcdModel
from raftkv_jepsen.verdict import Finding, Validity, Verdict, judged

LEAST_OPERATIONS = 10
"""Answered operations of a workload below which nothing was tried."""
BROKEN_TIMEOUT_S = 5.0
"""How long to look for the first impossible request in a history that is known to be broken."""
LEASE_GRACE_S = 6.0
"""What a lease may outlive its time by, beside the times without a leader: slow clocks, and many that end together."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run leaves to be judged."""

    folder: Path
    """Of the histories."""
    truth: Truth
    copies: Mapping[str, Changes]
    """What each node tells at the end of all changes."""
    copied_from: int
    """The first revision that they can be asked for: what came before was compacted away."""
    gap_s: float
    """The longest time without an acknowledged write."""
    logs: Mapping[str, Path]
    bad_lines: Sequence[str]
    known: Mapping[str, str]
    """Findings that the target is known for: counted only."""
    timeout_s: float
    clock: Clock


def judge(evidence: Evidence) -> dict[str, Verdict]:
    """Every verdict, by the name of what was checked."""
    verdicts = {"log": _log(evidence), "nodes": _nodes(evidence), "output": _output(evidence)}
    for name, check in CHECKS.items():
        history = read(evidence.folder / f"{name}.jsonl")
        if history is not None:
            verdicts[name] = _guarded(check, history, evidence)
    return verdicts


def read(path: Path) -> History | None:
    """A history of the run, None where nothing of the kind was done."""
    return pair(read_events(path.read_text(encoding="utf-8"))) if path.exists() else None


def _guarded(check: "Check", history: History, evidence: Evidence) -> Verdict:
    try:
        verdict = check(history, evidence)
    except JepsenError as error:
        return Verdict(Validity.UNKNOWN, [Finding("not checked", str(error))])
    _spare(verdict, evidence.known)
    done = sum(each.end is not None for each in history.operations) or _received(history.events)
    verdict.counts = {"answered": done, **verdict.counts}
    if done < LEAST_OPERATIONS and verdict.validity is Validity.OK:
        verdict.validity = Validity.UNKNOWN
        verdict.findings.append(Finding("void", f"only {done} answers: that proves nothing"))
    return verdict


def _spare(verdict: Verdict, known: Mapping[str, str]) -> None:
    """Counts findings that the target is known for, and takes them out."""
    left = [finding for finding in verdict.findings if finding.name not in known]
    if len(left) < len(verdict.findings):
        verdict.counts["known of this version"] = len(verdict.findings) - len(left)
        verdict.validity = Validity.VIOLATION if left else Validity.OK
        verdict.findings = left


def _received(events: Sequence[Event]) -> int:
    return sum(event.type == "receive" for event in events)


def _log(evidence: Evidence) -> Verdict:
    return judged(evidence.truth.findings(), {"revisions": evidence.truth.last})


def _nodes(evidence: Evidence) -> Verdict:
    """Every node tells the same history."""
    truth = evidence.truth.changes
    expected = {revision: _told(events) for revision, events in truth.items() if revision >= evidence.copied_from}
    findings, behind = [], []
    for name, changes in evidence.copies.items():
        told = {revision: _told(events) for revision, events in changes.items() if revision <= evidence.truth.last}
        if not told or max(told) < evidence.truth.last:
            behind.append(Finding("behind", f"{name} did not tell its history up to revision {evidence.truth.last}"))
        different = [revision for revision in told if told[revision] != expected.get(revision)]
        missing = [revision for revision in expected if told and revision <= max(told) and revision not in told]
        if different or missing:
            text = f"{name} tells another history, first at revision {min(different + missing)}"
            findings.append(Finding("another history", text))
    verdict = judged(findings, {"nodes": len(evidence.copies)})
    if behind and not findings:
        verdict = Verdict(Validity.UNKNOWN, behind, verdict.counts)
    return verdict


def _told(events: Sequence[Any]) -> list[bytes]:
    return [event.SerializeToString(deterministic=True) for event in events]


def _output(evidence: Evidence) -> Verdict:
    """No node printed that something happened which must never happen."""
    lines = 0
    findings = []
    for name, path in evidence.logs.items():
        for line in _lines(path):
            lines += 1
            if any(words in line for words in evidence.bad_lines):
                findings.append(Finding("output", f"{name}: {line.strip()[:300]}"))
    return judged(findings, {"lines": lines})


def _lines(path: Path) -> Iterator[str]:
    if path.exists():
        with path.open(errors="replace") as text:
            yield from text


def _budget(evidence: Evidence) -> Budget:
    return Budget(timeout_s=evidence.timeout_s, clock=evidence.clock)


def _store(history: History, evidence: Evidence) -> Verdict:
    """The whole store, linearizable, with its revisions; and reads of the past against the log."""
    told = [*unfounded(history.operations, evidence.truth), *out_of_order(history.operations)]
    seconds = BROKEN_TIMEOUT_S if told else evidence.timeout_s  # to prove in full that there is no order takes for ever
    budget = Budget(timeout_s=seconds, clock=evidence.clock)
    whole = check_linearizable(settle(history.operations, evidence.truth), EtcdModel(), budget)
    reads = check_reads(history.operations, evidence.truth.replay)
    further = [*told, *reads.findings]
    if further:
        whole.validity = Validity.VIOLATION
    whole.findings += further
    whole.counts |= reads.counts
    return whole


def _register(history: History, evidence: Evidence) -> Verdict:
    return check_linearizable(history.operations, MODELS["cas-register"](), _budget(evidence))


def _append(history: History, evidence: Evidence) -> Verdict:  # noqa: ARG001
    return check_list_append(history.operations, history.events)


def _watch(history: History, evidence: Evidence) -> Verdict:
    return check_watches(history.events, evidence.truth.replay)


def _lease(history: History, evidence: Evidence) -> Verdict:
    return check_leases(history.operations, history.events, LEASE_GRACE_S + evidence.gap_s)


def _lock(history: History, evidence: Evidence) -> Verdict:
    return check_locks(history.operations, history.events, evidence.truth.replay)


def _compaction(history: History, evidence: Evidence) -> Verdict:
    """What the past looks like on this side of compactions, and that there is none on the other."""
    verdict = check_reads(history.operations, evidence.truth.replay)
    looks = judge_looks_back(history.operations)
    compactions = sum(each.f == "compact" and each.end is not None for each in history.operations)
    return judged([*verdict.findings, *looks], {"compactions": compactions, "looks back": verdict.counts["past"]})


Check = Callable[[History, Evidence], Verdict]
CHECKS: dict[str, Check] = {
    "store": _store,
    "register": _register,
    "append": _append,
    "watch": _watch,
    "lease": _lease,
    "lock": _lock,
    "election": _lock,
    "compaction": _compaction,
}


def complete_locks(path: Path, truth: Truth) -> None:
    """Fills in the create revisions of lock keys that were gone when their holders asked: the key is used once only."""
    if not path.exists():
        return
    creates = {change.key: change.revision for change in truth.replay.changes if change.is_create}
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        for value in (fields["value"],):
            if isinstance(value, dict) and value.get("create") == 0:
                value["create"] = creates.get(value["key"], 0)
        lines.append(json.dumps(fields, separators=(",", ":")))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def sight_leases(path: Path, gone: Mapping[int, float]) -> None:
    """Adds when the key of each lease was told to be deleted."""
    if path.exists():
        with path.open("a", encoding="utf-8") as lines:
            for identity, time in gone.items():
                fields = {"type": "receive", "process": "historian", "f": "lease", "value": {"id": identity}, "time": time}
                lines.write(json.dumps(fields, separators=(",", ":")) + "\n")
