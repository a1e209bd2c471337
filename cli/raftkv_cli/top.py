"""`raftkv top`: the cluster and its members at a glance, again and again.

At a terminal it redraws in place; elsewhere, or with --once, it prints one picture and ends.
"""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from raftkv_cli.command import Command
from raftkv_cli.formats import go
from raftkv_cli.inspection.facts import ClusterFacts, MemberFacts
from raftkv_cli.inspection.gather import gather
from raftkv_cli.inspection.rates import Rates
from raftkv_cli.parameter_types import DURATION
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

COLUMNS = ("member", "role", "term", "applied", "lag", "writes/s", "reads/s", "sync p99", "watches", "files", "size", "memory")
PLAIN_WIDTH = 160


@click.command(
    "top",
    cls=Command,
    examples="""
    raftkv top
    raftkv top --interval 5s
    raftkv top --once
    """,
)
@click.option("--interval", type=DURATION, default="2s", show_default=True, help="Between two looks.")
@click.option("--once", is_flag=True, help="One picture, with rates over one interval, and no more.")
@with_session
def top(session: Session, /, *, interval: float, once: bool) -> None:
    """Show the cluster live: who leads, how much is done, who lags; Ctrl-C ends it."""
    if session.settings.write_out != "simple":
        raise click.UsageError("top is for people: it prints simple only")
    session.client()  # options that cannot be are the command's error
    asyncio.run(_once(session, interval) if once or not sys.stdout.isatty() else _live(session, interval))


async def _once(session: Session, interval: float) -> None:
    from rich.console import Console  # noqa: PLC0415 - it takes a while to load

    rates = Rates(await gather(session, hashes=False))
    await asyncio.sleep(interval)
    rates.see(await gather(session, hashes=False))
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    Console(width=width, highlight=False).print(picture(rates))


async def _live(session: Session, interval: float) -> None:
    from rich.console import Console  # noqa: PLC0415 - it takes a while to load
    from rich.live import Live  # noqa: PLC0415 - as above

    console: Console = Console(highlight=False)
    rates = Rates(await gather(session, hashes=False))
    with Live(picture(rates), console=console, screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(interval)
            rates.see(await gather(session, hashes=False))
            live.update(picture(rates), refresh=True)


def picture(rates: Rates) -> "Group":
    """All that is shown of one moment."""
    from rich.console import Group  # noqa: PLC0415 - it takes a while to load

    return Group(_headline(rates.now), _table(rates), *_alarms(rates.now))


def _headline(cluster: ClusterFacts) -> str:
    leader = cluster.leader
    keys = revision = 0
    jobs = 0.0
    if leader is not None and leader.status is not None:
        revision = leader.status.header.revision
        if leader.metrics is not None:
            keys = int(leader.metrics.value("etcd_debugging_mvcc_keys_total"))
            jobs = leader.metrics.value("raftkv_jobs", phase="GATHERING") + leader.metrics.value("raftkv_jobs", phase="FORMED")
    known = f"leader {leader.name}" if leader is not None else "[bold red]no leader[/]"
    answered = f"{len(cluster.answering)}/{len(cluster.members)} members"
    return f"{known}   {answered}   revision {revision}   {keys} keys   {jobs:.0f} jobs"


def _table(rates: Rates) -> "Table":
    from rich.table import Table  # noqa: PLC0415 - it takes a while to load

    table = Table(expand=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in {"member", "role"} else "right", no_wrap=True)
    for member in rates.now.members:
        table.add_row(*_row(rates, member))
    return table


def _row(rates: Rates, member: MemberFacts) -> list[str]:
    status, metrics = member.status, member.metrics
    if status is None:
        return [member.name, "[red]away[/]", *[""] * (len(COLUMNS) - 2)]
    role = "[bold green]leader[/]" if member.leads else "learner" if member.is_learner else "follower"
    leader = rates.now.leader
    lag = leader.status.raftIndex - status.raftAppliedIndex if leader is not None and leader.status is not None else 0
    cells = [member.name, role, str(status.raftTerm), str(status.raftAppliedIndex), str(max(lag, 0))]
    if metrics is None:
        return [*cells, "", "", "", "", "", go.size(status.dbSize), ""]
    return [
        *cells,
        f"{rates.rate(member, 'etcd_server_proposals_applied_total'):.0f}",
        f"{rates.rate(member, 'etcd_mvcc_range_total'):.0f}",
        _milliseconds(metrics.quantile("etcd_disk_wal_fsync_duration_seconds", 0.99)),
        f"{metrics.value('etcd_debugging_mvcc_watcher_total'):.0f}",
        f"{metrics.value('process_open_fds'):.0f}",
        go.size(status.dbSize),
        go.size(int(metrics.value("process_resident_memory_bytes"))),
    ]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < float("inf") else "> 8 s"


def _alarms(cluster: ClusterFacts) -> list[str]:
    from raftkv.pb.rpc import AlarmType  # noqa: PLC0415 - as the client

    return [f"[bold red]ALARM {AlarmType.Name(one.alarm)}[/] at {cluster.name_of(one.memberID)}" for one in cluster.alarms]
