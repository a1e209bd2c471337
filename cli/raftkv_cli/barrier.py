"""`raftkv barrier`: for the scripts that a node of a job runs around its training."""

from collections.abc import Sequence

import click

from raftkv.pb import rendezvous as pb
from raftkv_cli.command import Group
from raftkv_cli.formats.job import Barriers
from raftkv_cli.parameter_types import DURATION
from raftkv_cli.session import Session, with_session


@click.group("barrier", cls=Group)
def barrier() -> None:
    """Wait until all nodes of a job are at the same point."""


@barrier.command(
    "wait",
    examples="""
    raftkv barrier wait mnist data-is-there --node node-7
    raftkv barrier wait mnist data-is-there --node node-7 --with node-8 --timeout 5m
    """,
)
@click.argument("job")
@click.argument("name")
@click.option("--node", required=True, help="Which node of the present world has arrived.")
@click.option("--with", "others", multiple=True, help="Wait for this one only, and for others that are named so.")
@click.option("--timeout", type=DURATION, help="From the first arrival on; else as long as the round.")
@with_session
def wait(session: Session, /, *, job: str, name: str, node: str, others: Sequence[str], timeout: float | None) -> None:
    """Arrive, and wait for the others. Fails, and names the missing, where not all come in time."""
    nodes = [node, *others] if others else []
    session.call(lambda client: client.rendezvous(job).barrier(name, node=node, nodes=nodes, timeout=timeout))


@barrier.command("list", tabular=True, examples="raftkv barrier list mnist")
@click.argument("job")
@with_session
def barrier_list(session: Session, /, *, job: str) -> None:
    """List the barriers of the present world: which are open, and who is missing there."""
    found = session.call(lambda client: client.rendezvous(job).barriers())
    session.show(Barriers(pb.BarriersResponse(barriers=found)))


@barrier.command("cancel", examples="raftkv barrier cancel mnist data-is-there --reason 'disk full'")
@click.argument("job")
@click.argument("name")
@click.option("--reason", default="", help="What those who wait are told.")
@with_session
def cancel(session: Session, /, *, job: str, name: str, reason: str) -> None:
    """Let everybody who waits know that the barrier will not be passed."""
    session.call(lambda client: client.rendezvous(job).cancel_barrier(name, reason))
