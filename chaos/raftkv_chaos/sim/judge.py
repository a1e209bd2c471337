"""From a run to a verdict: the history against the committed log, by the checkers of raftkv_jepsen.

The log is what the nodes agreed on, entry by entry, as the invariants saw it. What it holds and no client asked for (places in
lines, leases that ran out) took place in the name of the cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from raftkv_chaos.sim.invariants import Invariants
from raftkv_chaos.sim.settling import Commits, settle
from raftkv_chaos.sim.translation import Log
from raftkv_chaos.sim.violation import Violation
from raftkv_jepsen.checkers import check_leases, check_list_append, check_locks, check_reads, check_watches
from raftkv_jepsen.history import Event, Operation, freeze, pair
from raftkv_jepsen.linearizability import check_linearizable
from raftkv_jepsen.linearizability.budget import Budget
from raftkv_jepsen.models import EtcdModel
from raftkv_jepsen.replay import Replay
from raftkv_jepsen.settle import CLUSTER
from raftkv_jepsen.store import KINDS
from raftkv_jepsen.verdict import Finding, Validity, Verdict

MAX_STEPS = 300_000
"""Of the search for an order; beyond it the verdict is unknown."""
EVER_S = 1e6
"""How late a lease may end: without a quorum none does. That it does end, the liveness phase asks."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What each checker said."""

    verdicts: dict[str, Verdict]
    replay: Replay

    @property
    def violations(self) -> list[Violation]:
        """All that was found."""
        return [
            Violation(f"{name}: {finding.name}", finding.text)
            for name, verdict in self.verdicts.items()
            if verdict.validity is Validity.VIOLATION
            for finding in verdict.findings
        ]

    @property
    def unknown(self) -> list[str]:
        """Checkers that came to no end."""
        return [name for name, verdict in self.verdicts.items() if verdict.validity is Validity.UNKNOWN]


def judge(
    events: Sequence[Event],
    lists: Sequence[Event],
    fenced: Sequence[Event],
    invariants: Invariants,
    *,
    drift: float,
    ahead_s: float,
) -> Judgement:
    """Checks everything. `drift`, `ahead_s`: by how much the fastest clock was wrong, in rate and for a moment; leases are promised
    by the nodes' clocks.
    """
    log = Log()
    entries = [invariants.committed[index] for index in sorted(invariants.committed)]
    replay = Replay(log.read(entries))
    times = [invariants.committed_at[index] for index in log.indexes]
    kept = [replace(event, value=freeze(event.value)) for event in events]
    history = pair(kept)
    asked = [_timeless(each) for each in history.operations if each.f in KINDS or each.f == "txn"]
    gone = [
        Event("receive", CLUSTER, "lease", (("id", lease),), time=invariants.committed_at[index])
        for index, lease in log.expired
    ]
    leased = [_slower(operation, drift, ahead_s) for operation in history.operations]
    locks = [_with_create(operation, replay) for operation in history.operations]
    locks += pair(replace(event, value=freeze(event.value)) for event in fenced).operations
    listed = pair(replace(event, value=freeze(event.value)) for event in lists)
    return Judgement(
        {
            "store": _order(Commits(log.steps, times, replay, kept), asked),
            "reads": check_reads(asked, replay),
            "watch": check_watches(kept, replay),
            "lease": check_leases(leased, gone, grace_s=EVER_S),
            "lock": check_locks(locks, (), replay),
            "list-append": check_list_append(listed.operations, listed.events),
        },
        replay,
    )


def _order(commits: Commits, asked: list[Operation]) -> Verdict:
    """Is there an order of all requests that explains all answers?"""
    settled = settle(asked, commits)
    if settled.violations:
        findings = [Finding(violation.found_by, violation.text) for violation in settled.violations]
        return Verdict(Validity.VIOLATION, findings)
    return check_linearizable(settled.operations, EtcdModel(), Budget(max_steps=MAX_STEPS))


def _timeless(operation: Operation) -> Operation:
    """A grant's TTL is the lease checker's business."""
    if operation.f != "lease_grant" or not isinstance(operation.outcome, tuple):
        return operation
    return replace(operation, outcome=tuple(each for each in operation.outcome if each[0] != "ttl"))


def _slower(operation: Operation, drift: float, ahead_s: float) -> Operation:
    """A lease's time by the clock of a node that is as fast as they get."""
    if (
        not (drift or ahead_s)
        or operation.f not in {"lease_grant", "lease_keepalive"}
        or not isinstance(operation.outcome, tuple)
    ):
        return operation
    told = dict(operation.outcome)
    if "ttl" in told:
        told["ttl"] = max(0.001, told["ttl"] / (1 + drift) - ahead_s) if told["ttl"] > 0 else told["ttl"]
    return replace(operation, outcome=freeze(told))


def _with_create(operation: Operation, replay: Replay) -> Operation:
    """The answer to a lock names the key, and a revision at which it was held; the log knows since when."""
    if operation.f != "lock" or not isinstance(operation.outcome, tuple):
        return operation
    told = dict(operation.outcome)
    row = replay.at(told["key"], told["revision"])
    told["create"] = 0 if row is None else row.create
    return replace(operation, outcome=freeze(told))
