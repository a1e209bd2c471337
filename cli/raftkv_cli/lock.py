"""`raftkv lock` and `raftkv elect`: hold a lock, or lead, while a program runs or until Ctrl-C."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from raftkv_cli import holding
from raftkv_cli.parameter_types import DURATION
from raftkv_cli.session import Session, with_session
from raftkv_cli.wrapping import Wrapping, program_of

if TYPE_CHECKING:
    from raftkv.client import Client
    from raftkv.recipes.acquisition import Acquirable
    from raftkv.recipes.held import Held

GRACE_HELP = "How long the program may take to end after SIGTERM when the hold is lost; then SIGKILL."


@click.command(
    "lock",
    cls=Wrapping,
    examples="""
    raftkv lock backup -- ./backup.sh --full
    raftkv lock backup --ttl 30 -- ./backup.sh
    raftkv lock backup
    """,
)
@click.argument("name")
@click.argument("words", metavar="[PROGRAM [ARGUMENTS]...]", nargs=-1)
@click.option("--ttl", type=click.IntRange(min=1), default=10, show_default=True, help="Seconds until a dead holder loses it.")
@click.option("--grace", type=DURATION, default="5s", show_default=True, help=GRACE_HELP)
@with_session
def lock(session: Session, /, *, name: str, words: tuple[str, ...], ttl: int, grace: float) -> None:
    """Take a lock, and hold it while a program runs or until Ctrl-C.

    The program finds ETCD_LOCK_KEY, ETCD_LOCK_REV and the fencing token RAFTKV_TOKEN in its environment; its exit code is
    ours. If the lock is lost, it is ended. Without a program, prints the lock's key when it is held.
    """
    job = _Job([*words, *program_of(click.get_current_context())], grace)

    async def hold(client: "Client") -> int:
        return await _hold(session, client, client.lock(name, ttl=ttl), job)

    _exit(session.call(hold))


@click.command(
    "elect",
    cls=Wrapping,
    examples="""
    raftkv elect scheduler node-1
    raftkv elect scheduler node-1 -- ./scheduler
    raftkv elect scheduler --listen
    """,
)
@click.argument("name")
@click.argument("proposal", required=False)
@click.option("-l", "--listen", is_flag=True, help="Print who leads, and every change of it, instead of standing.")
@click.option(
    "--ttl", type=click.IntRange(min=1), default=60, show_default=True, help="Seconds until a dead leader is replaced."
)
@click.option("--grace", type=DURATION, default="5s", show_default=True, help=GRACE_HELP)
@with_session
def elect(session: Session, /, *, name: str, proposal: str | None, listen: bool, ttl: int, grace: float) -> None:
    """Stand for leader, and lead while a program runs or until Ctrl-C.

    PROPOSAL is what others see of the leader; with a program it may be left out, and is the host's name. The program finds
    ETCD_LOCK_KEY, ETCD_LOCK_REV and the fencing token RAFTKV_TOKEN in its environment; its exit code is ours. If leadership is
    lost, it is ended. Without a program, prints the proposal when it leads.
    """
    job = _Job(program_of(click.get_current_context()), grace)
    if listen:
        if proposal is not None or job.program:
            raise click.UsageError("proposal given but -l is set")
        session.call(lambda client: _listen(session, client, name))
        return
    if proposal is None and not job.program:
        raise click.UsageError("no proposal argument but -l not set")
    value = socket.gethostname() if proposal is None else proposal

    async def lead(client: "Client") -> int:
        return await _hold(session, client, client.election(name, ttl=ttl).campaign(value), job)

    _exit(session.call(lead))


@dataclass(frozen=True, slots=True)
class _Job:
    """What to do while it is held: run a program; or nothing, until Ctrl-C."""

    program: Sequence[str]
    grace: float


async def _hold(session: Session, client: "Client", what: "Acquirable[holding.AnyHeld]", job: _Job) -> int:
    """Takes it, does the job, and gives it back; answers the exit code. Another Ctrl-C ends even the giving back."""
    held = None
    try:
        with holding.Signals(holding.FORWARDED if job.program else holding.ENDING) as signals:
            held = await holding.acquire(what, signals)
            return await _use(session, client, held, signals, job)
    finally:
        if held is not None:
            await held.release()


async def _use(session: Session, client: "Client", held: "Held", signals: holding.Signals, job: _Job) -> int:
    if not job.program:
        session.show(await client.range(held.key))
        await holding.keep(held, signals)
        return 0
    environment = {
        "ETCD_LOCK_KEY": held.key.decode("utf-8", "surrogateescape"),
        "ETCD_LOCK_REV": str(int(held.token)),
        "RAFTKV_TOKEN": held.token.encode(),
    }
    return await holding.run(held, signals, job.program, environment, grace=job.grace)


async def _listen(session: Session, client: "Client", name: str) -> None:
    """Prints every leader until a signal comes."""
    from raftkv.client.client_kv import ClientKV  # noqa: PLC0415 - see the head of raftkv_cli.session
    from raftkv.pb import rpc  # noqa: PLC0415 - see there
    from raftkv.recipes import candidacy  # noqa: PLC0415 - see there

    async def follow() -> None:
        async with aclosing(candidacy.observe(ClientKV(client), name.encode() + b"/")) as sightings:
            async for sighting in sightings:
                session.show(rpc.RangeResponse(header=sighting.header, kvs=[sighting.key_value], count=1))

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow())
        with holding.Signals(holding.ENDING) as signals, signals.told_to(lambda _: following.cancel()):
            await asyncio.wait([following])


def _exit(code: int) -> None:
    if code:
        raise click.exceptions.Exit(code)
