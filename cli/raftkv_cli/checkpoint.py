"""`raftkv checkpoint`: what a job has saved."""

import click

from raftkv.pb import rendezvous as pb
from raftkv_cli.command import Group
from raftkv_cli.formats.job import Checkpoints
from raftkv_cli.session import Session, with_session


@click.group("checkpoint", cls=Group)
def checkpoint() -> None:
    """Look at the checkpoints of a job."""


@checkpoint.command("list", tabular=True, examples="raftkv checkpoint list mnist")
@click.argument("job")
@with_session
def checkpoint_list(session: Session, /, *, job: str) -> None:
    """List the checkpoints that are there as a whole, the newest first."""
    found = session.call(lambda client: client.rendezvous(job).checkpoints())
    session.show(Checkpoints(pb.CheckpointsResponse(checkpoints=found), with_shards=False))


@checkpoint.command("latest", tabular=True, examples="raftkv checkpoint latest mnist -w json")
@click.argument("job")
@with_session
def latest(session: Session, /, *, job: str) -> None:
    """Show the newest checkpoint, and where its parts are. Fails where there is none."""
    found = session.call(lambda client: client.rendezvous(job).latest())
    if found is None:
        raise click.ClickException(f"job {job} has no checkpoint")
    session.show(Checkpoints(pb.CheckpointsResponse(checkpoints=[found]), with_shards=True))
