"""`raftkv check`: whether a cluster keeps up with a load, and what data costs it in memory."""

import sys
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import click

from raftkv.errors import RaftKVError
from raftkv_cli.command import Group
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.client import Client
    from raftkv_cli.load import Figures, Load

MIN_SHARE = 0.9
"""Of the writes per second that a workload asks for, so many must be done."""
MAX_SLOWEST_S = 0.5
MAX_DEVIATION_S = 0.1


@dataclass(frozen=True, slots=True)
class Workload:
    """One of the sizes that --load names."""

    writes: int
    """check perf: each second; check datascale: all together."""
    clients: int


PERF = {"s": Workload(150, 50), "m": Workload(1000, 200), "l": Workload(8000, 500), "xl": Workload(15000, 1000)}
PERF_SECONDS = 60
PERF_KEY_BYTES = 256
PERF_VALUE_BYTES = 1024
DATASCALE = {
    "s": Workload(10_000, 50),
    "m": Workload(100_000, 100),
    "l": Workload(1_000_000, 500),
    "xl": Workload(3_000_000, 1000),
}
PAIR_BYTES = 1024
LONG_NAMES = {"small": "s", "medium": "m", "large": "l", "xLarge": "xl"}


class LoadType(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.4 on
    """s, m, l or xl, or what they stand for."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        size = LONG_NAMES.get(value, value)
        if size not in PERF:
            self.fail(f"unknown load {value!r}: it is s(mall), m(edium), l(arge) or xl(arge)", param, ctx)
        return str(size)


@click.group("check", cls=Group)
def check() -> None:
    """Check properties of the cluster, by writing to it."""


_load_option = click.option("--load", type=LoadType(), default="s", show_default=True, help="How much: s, m, l or xl.")
_compact_option = click.option("--auto-compact", is_flag=True, help="Compact the history afterwards.")
_defrag_option = click.option("--auto-defrag", is_flag=True, help="Defragment the endpoints afterwards.")


@check.command("perf", examples="raftkv check perf --load m --auto-compact")
@_load_option
@click.option("--prefix", default="/etcdctl-check-perf/", show_default=True, help="Where to write; must be empty.")
@click.option("--duration", type=click.IntRange(min=1), default=PERF_SECONDS, show_default=True, help="Seconds (raftkv only).")
@_compact_option
@_defrag_option
@with_session
def perf(session: Session, /, *, load: str, prefix: str, duration: int, auto_compact: bool, auto_defrag: bool) -> None:
    """Write at a steady rate for a minute, and say whether the cluster kept up.

    It passes with at least 90 % of the rate, no answer later than 500 ms, and a standard deviation of at most 100 ms.
    """
    from raftkv_cli.load import Load  # noqa: PLC0415 - with it comes the client

    workload = PERF[load]
    steady = Load(
        prefix=prefix.encode(),
        key_bytes=PERF_KEY_BYTES,
        value_bytes=PERF_VALUE_BYTES,
        writers=workload.clients,
        rate=workload.writes,
        seconds=duration,
    )

    async def measure(client: "Client") -> "Figures":
        figures = await steady.run(session, _bar(duration))
        await _clean_up(session, client, steady, compact=auto_compact, defragment=auto_defrag)
        return figures

    figures = session.call(measure)
    if not _verdict(figures, workload.writes):
        raise click.exceptions.Exit(1)


@check.command("datascale", examples="raftkv check datascale --load s --auto-compact")
@_load_option
@click.option("--prefix", default="/etcdctl-check-datascale/", show_default=True, help="Where to write; must be empty.")
@_compact_option
@_defrag_option
@with_session
def datascale(session: Session, /, *, load: str, prefix: str, auto_compact: bool, auto_defrag: bool) -> None:
    """Write many keys, and say how much memory the first endpoint has taken for them."""
    from raftkv_cli.load import Load, resident_memory  # noqa: PLC0415 - with it comes the client

    workload = DATASCALE[load]
    everything = Load(
        prefix=prefix.encode(),
        key_bytes=PAIR_BYTES // 2,
        value_bytes=PAIR_BYTES // 2,
        writers=workload.clients,
        writes=workload.writes,
    )
    click.echo(
        f"Start data scale check for work load [{workload.writes} key-value pairs, {PAIR_BYTES} bytes per key-value, "
        f"{workload.clients} concurrent clients]."
    )

    async def measure(client: "Client") -> "tuple[Figures, float]":
        before = await resident_memory(session, "before")
        figures = await everything.run(session, _bar(workload.writes))
        used = await resident_memory(session, "after") - before
        await _clean_up(session, client, everything, compact=auto_compact, defragment=auto_defrag)
        return figures, used

    figures, used = session.call(measure)
    if _errors(figures):
        raise click.exceptions.Exit(1)
    click.echo(f"PASS: Approximate system memory used : {used / 1024 / 1024:.2f} MB.")


async def _clean_up(session: Session, client: "Client", load: "Load", *, compact: bool, defragment: bool) -> None:
    """Deletes what was written; what the check found is said even where that fails."""
    try:
        deleted = await client.delete(load.prefix, prefix=True, timeout=inf)
    except RaftKVError as error:
        click.echo(f"FAIL: Cleanup failed during key deletion: ERROR({error})")
        return
    if compact:
        revision = deleted.header.revision
        click.echo(f"Compacting with revision {revision}")
        await client.compact(revision, physical=True, timeout=inf)
        click.echo(f"Compacted with revision {revision}")
    if defragment:
        for endpoint in session.settings.endpoint_list():
            click.echo(f'Defragmenting "{endpoint}"')
            await client.defragment(endpoint, timeout=inf)
            click.echo(f'Defragmented "{endpoint}"')


def _verdict(figures: "Figures", rate: int) -> bool:
    """Says what passes and what fails."""
    fine = not _errors(figures)
    fine &= _judge(
        figures.rate / rate > MIN_SHARE,
        f"PASS: Throughput is {int(figures.rate) + 1} writes/s",
        f"FAIL: Throughput too low: {int(figures.rate) + 1} writes/s",
    )
    fine &= _judge(
        figures.slowest_s <= MAX_SLOWEST_S,
        f"PASS: Slowest request took {figures.slowest_s:f}s",
        f"Slowest request took too long: {figures.slowest_s:f}s",
    )
    fine &= _judge(
        figures.deviation_s <= MAX_DEVIATION_S,
        f"PASS: Stddev is {figures.deviation_s:f}s",
        f"Stddev too high: {figures.deviation_s:f}s",
    )
    click.echo("PASS" if fine else "FAIL")
    return fine


def _judge(passed: bool, praise: str, blame: str) -> bool:  # noqa: FBT001 - it is what is judged
    click.echo(praise if passed else blame)
    return passed


def _errors(figures: "Figures") -> bool:
    """Says which writes failed, and whether any did."""
    if figures.errors:
        click.echo("FAIL: too many errors")
    for text, count in figures.errors.items():
        click.echo(f"FAIL: ERROR({text}) -> {count}")
    return bool(figures.errors)


def _bar(length: int) -> Any:
    """A bar on standard error, where that is a terminal: nothing of it mixes with the verdict."""
    return click.progressbar(length=length, file=sys.stderr, hidden=not sys.stderr.isatty())
