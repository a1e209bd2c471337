"""`raftkv job`: training jobs, as their operators see them."""

from typing import TYPE_CHECKING

import click

from raftkv.errors import JobNotFoundError, UnimplementedError
from raftkv.pb import rendezvous as pb
from raftkv_cli.command import Group
from raftkv_cli.formats.job import Jobs, OneJob, OneJobsSteps
from raftkv_cli.job_check import check
from raftkv_cli.job_config import config
from raftkv_cli.parameter_types import DURATION
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.client import Client

REASON_HELP = "What the nodes are told."


@click.group("job", cls=Group)
def job() -> None:
    """Look at training jobs, end them, keep nodes out."""


@job.command("list", tabular=True, examples="raftkv job list")
@with_session
def job_list(session: Session, /) -> None:
    """List all jobs: how they stand, how many nodes they have of how many, how far they are."""

    async def ask(client: "Client") -> Jobs:
        jobs = pb.ListResponse(jobs=await client.jobs())
        try:
            return Jobs(jobs, {steps.job: steps for steps in await client.steps()})
        except UnimplementedError:  # a node of an earlier version
            return Jobs(jobs, {})

    session.show(session.call(ask))


@job.command("show", tabular=True, examples="raftkv job show mnist")
@click.argument("name", metavar="JOB")
@with_session
def show(session: Session, /, *, name: str) -> None:
    """Show how a job stands, and who has which rank."""

    async def ask(client: "Client") -> OneJob:
        rendezvous = client.rendezvous(name)
        standing = await rendezvous.look()
        if standing.phase == pb.NO_JOB:
            raise JobNotFoundError
        try:
            return OneJob(standing, await rendezvous.world(), await rendezvous.steps())
        except UnimplementedError:  # a node of an earlier version
            return OneJob(standing, await rendezvous.world())

    session.show(session.call(ask))


@job.command(
    "steps",
    tabular=True,
    examples="""
    raftkv job steps mnist
    raftkv job steps mnist --slowest 10 --watch
    """,
)
@click.argument("name", metavar="JOB")
@click.option(
    "--slowest", type=click.IntRange(1, 10_000), default=1000, help="Only so many workers: the ones that are most behind."
)
@click.option("--watch", "watched", is_flag=True, help="Again and again, until Ctrl-C.")
@click.option("--interval", type=DURATION, default="2s", show_default=True, help="With --watch: how often.")
@with_session
def steps(session: Session, /, *, name: str, slowest: int, watched: bool, interval: float) -> None:
    """Show how far the workers are that send heartbeats, what their steps take, who is slow and who hangs."""

    async def follow(client: "Client") -> None:
        async for found in client.rendezvous(name).watch_steps(interval=interval, limit=slowest):
            session.show(OneJobsSteps(found))
            if session.settings.write_out == "simple":
                session.write(b"\n")

    if watched:
        session.call(follow)
    else:
        session.show(OneJobsSteps(session.call(lambda client: client.rendezvous(name).steps(limit=slowest))))


@job.command("watch", examples="raftkv job watch mnist")
@click.argument("name", metavar="JOB")
@with_session
def watch(session: Session, /, *, name: str) -> None:
    """Print how a job stands, again whenever that changes, until it is closed or Ctrl-C."""

    async def follow(client: "Client") -> None:
        async for standing in client.rendezvous(name).watch():
            session.show(OneJob(standing))
            if session.settings.write_out == "simple":
                session.write(b"\n")
            if standing.phase in {pb.CLOSED, pb.NO_JOB}:
                return

    session.call(follow)


@job.command("close", tabular=True, examples="raftkv job close mnist --reason 'new code'")
@click.argument("name", metavar="JOB")
@click.option("--reason", default="", help=REASON_HELP)
@click.option("--failed", is_flag=True, help="As FAILED; else as CANCELED.")
@with_session
def close(session: Session, /, *, name: str, reason: str, failed: bool) -> None:
    """End a job for good: no more rounds, and its nodes are told why."""
    outcome = pb.FAILED if failed else pb.CANCELED
    session.show(OneJob(session.call(lambda client: client.rendezvous(name).close(reason, outcome=outcome))))


@job.command("remove", examples="raftkv job remove mnist")
@click.argument("name", metavar="JOB")
@with_session
def remove(session: Session, /, *, name: str) -> None:
    """Forget a closed job, and all of its keys."""
    session.call(lambda client: client.rendezvous(name).remove())
    session.write(b"Job %s removed\n" % name.encode())


@job.command(
    "preempt",
    tabular=True,
    examples="""
    raftkv job preempt mnist --reason 'maintenance at noon'
    raftkv job preempt mnist --node node-7
    """,
)
@click.argument("name", metavar="JOB")
@click.option("--node", default="", help="Which node is about to go; else the whole job stops.")
@click.option("--reason", default="", help=REASON_HELP)
@with_session
def preempt(session: Session, /, *, name: str, node: str, reason: str) -> None:
    """Give notice: all nodes agree on one step, finish it, save, and stop."""
    session.show(OneJob(session.call(lambda client: client.rendezvous(name).preempt(reason, node=node))))


@job.command("exclude", tabular=True, examples="raftkv job exclude mnist node-7 --reason 'ECC errors' --cool-down 1h")
@click.argument("name", metavar="JOB")
@click.argument("node")
@click.option("--reason", default="", help="Why; also shown to the others.")
@click.option("--cool-down", type=DURATION, help="For how long; else until it is readmitted.")
@with_session
def exclude(session: Session, /, *, name: str, node: str, reason: str, cool_down: float | None) -> None:
    """Keep a node out. If it is in the world, the next round opens at once, without it."""
    session.show(OneJob(session.call(lambda client: client.rendezvous(name).exclude(node, reason, cool_down=cool_down or 0.0))))


@job.command("readmit", tabular=True, examples="raftkv job readmit mnist node-7")
@click.argument("name", metavar="JOB")
@click.argument("node")
@with_session
def readmit(session: Session, /, *, name: str, node: str) -> None:
    """Let a node that was excluded join again."""
    session.show(OneJob(session.call(lambda client: client.rendezvous(name).readmit(node))))


job.add_command(check)
job.add_command(config)
