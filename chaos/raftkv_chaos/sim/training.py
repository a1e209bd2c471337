"""The training workload: its clients, its drill in calm times, and its verdict.

drill   faults are over, and nobody dies any more but one replica group, for good: all nodes come to be in one world, are given notice
        and stop together; all other groups come to be in one quorum
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from raftkv.mvcc.steps import finish
from raftkv.pb import rpc
from raftkv.pb.command import Command
from raftkv.pb.quota import Quota
from raftkv.raft.messages import Entry, EntryKind
from raftkv_chaos.sim.clients import Client, Collectives, Group, Tenant, Trainer
from raftkv_chaos.sim.clients.tenants import WHOLE
from raftkv_chaos.sim.cluster import Cluster
from raftkv_chaos.sim.invariants import Invariants
from raftkv_chaos.sim.knobs import Crew, Traffic
from raftkv_chaos.sim.recorder import Recorder
from raftkv_chaos.sim.translation import Log, row, text
from raftkv_chaos.sim.violation import Violation, ViolationError
from raftkv_jepsen.checkers.lighthouse import check_lighthouse
from raftkv_jepsen.checkers.quotas import Committed, Limits, QuotaChange, QuotaReplay, check_quotas
from raftkv_jepsen.checkers.rendezvous import check_rendezvous
from raftkv_jepsen.checkers.training import check_training
from raftkv_jepsen.history import Event, freeze, pair
from raftkv_jepsen.store import Row
from raftkv_jepsen.verdict import Validity

DRILL_S = 120.0
LOOK_S = 0.1
Held = Mapping[str, Sequence[Row]]
"""What nodes hold below the prefixes of the tenants in the end."""


def make_clients(
    crew: Crew, cluster: Cluster, recorder: Recorder, traffic: Traffic, fork: Callable[[], random.Random]
) -> Iterator[Client]:
    """All of them, in the order of their numbers."""
    collectives = Collectives()
    kinds: list[type[Trainer | Group | Tenant]] = [Trainer] * crew.trainers
    kinds += [Group] * crew.groups
    kinds += [Tenant] * crew.tenants
    for number, kind in enumerate(kinds, 1):
        client = kind(number, cluster, recorder, traffic, fork())
        client.crew = crew
        if isinstance(client, Trainer):
            client.collectives = collectives
        yield client


async def drill(clients: Sequence[Client], crew: Crew) -> None:
    """Everything works once more. Raises ViolationError."""
    trainers = [client for client in clients if isinstance(client, Trainer)]
    groups = [client for client in clients if isinstance(client, Group)]
    for trainer in trainers:
        trainer.calm = True
    for group in groups:
        group.calm = True
    if len(groups) > max(2, crew.min_replicas):
        groups.pop().buried = True
    wanted = frozenset(group.name for group in groups)
    try:
        async with asyncio.timeout(DRILL_S):
            if len(trainers) >= crew.min_nodes and any(not trainer.drilled for trainer in trainers):
                await _until(lambda: sum(trainer.drilled for trainer in trainers) >= min(crew.max_nodes, len(trainers)))
            if len(groups) >= crew.min_replicas:
                await _until(lambda: all(group.together == wanted for group in groups))
    except TimeoutError:
        left = [f"{trainer.name} of {trainer.job}" for trainer in trainers if not trainer.drilled]
        apart = {group.name: sorted(group.together) for group in groups if group.together != wanted}
        text = f"within {DRILL_S:.0f} s without faults {left} have not stopped together, or {apart} are not {sorted(wanted)}"
        raise ViolationError("drill", text) from None


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 (virtual time passes)
        await asyncio.sleep(LOOK_S)


def held(cluster: Cluster) -> Held:
    """What nodes hold that the tenants have written."""
    request = rpc.RangeRequest(key=WHOLE.encode(), range_end=b"q0")
    return {
        f"node {machine.number}": [Row(*row(each)) for each in finish(machine.state.store.range(request)).kvs]
        for machine in cluster.up()
        if machine.state.applied_index == cluster.invariants.last_committed
    }


def judge_training(events: Sequence[Event], invariants: Invariants, rows: Held, crew: Crew) -> list[Violation]:
    """All that was found."""
    kept = [replace(event, value=freeze(event.value)) for event in events]
    operations = pair(kept).operations
    replay = QuotaReplay(list(_committed(invariants)))
    verdicts = {
        "rendezvous": check_rendezvous(operations),
        "training": check_training(operations, kept),
        "lighthouse": check_lighthouse(operations, min_replicas=crew.min_replicas),
        "quotas": check_quotas(operations, replay, rows, below=WHOLE),
    }
    return [
        Violation(f"{name}: {finding.name}", finding.text)
        for name, verdict in verdicts.items()
        if verdict.validity is Validity.VIOLATION
        for finding in verdict.findings
    ]


def _committed(invariants: Invariants) -> Iterator[Committed]:
    """What the log says of the store and of quotas, in its order."""
    log = Log()
    for index in sorted(invariants.committed):
        entry, time = invariants.committed[index], invariants.committed_at[index]
        change = _quota_change(entry)
        if change is not None:
            yield Committed(change, time)
        for each in log.read([entry]):
            yield Committed(each.request, time)


def _quota_change(entry: Entry) -> QuotaChange | None:
    if entry.kind != EntryKind.NORMAL or not entry.data:
        return None
    command = Command.FromString(entry.data)
    match command.WhichOneof("body"):
        case "set_quota":
            return QuotaChange(text(command.set_quota.quota.prefix), _limits(command.set_quota.quota))
        case "remove_quota":
            return QuotaChange(text(command.remove_quota.prefix), None)
    return None


def _limits(quota: Quota) -> Limits:
    return Limits(
        quota.max_keys if quota.HasField("max_keys") else None, quota.max_bytes if quota.HasField("max_bytes") else None
    )
