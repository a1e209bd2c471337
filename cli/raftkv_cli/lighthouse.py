"""`raftkv lighthouse`: torchft's lighthouse, which the cluster serves: an address for it, its options, how it stands."""

import asyncio
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from raftkv_cli import holding
from raftkv_cli.command import Group
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.client import Client
    from raftkv.torchft import Endpoint

_MILLISECONDS = click.IntRange(min=0, max=24 * 3600 * 1000)


@click.group("lighthouse", cls=Group)
def lighthouse() -> None:
    """Serve torchft's lighthouse from the cluster."""


@lighthouse.command(
    "serve",
    examples="""
    raftkv lighthouse serve mnist
    raftkv lighthouse serve mnist --listen 0.0.0.0:29510
    """,
)
@click.argument("job", default="default")
@click.option("--listen", default="127.0.0.1:0", show_default=True, help="Where torchft's clients are awaited; port 0: any.")
@with_session
def serve(session: Session, /, *, job: str, listen: str) -> None:
    """Be the lighthouse of a job beside its workers, until Ctrl-C, and print the address for TORCHFT_LIGHTHOUSE.

    Any number may run, on any hosts: they keep nothing, and ask whichever node of the cluster answers.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise click.UsageError(f"--listen {listen}: it is HOST:PORT")
    asyncio.run(_serve(session, job, host.strip("[]"), int(port)))


async def _serve(session: Session, job: str, host: str, port: int) -> None:
    from raftkv.torchft import serve as serve_lighthouse  # noqa: PLC0415 - see the head of raftkv_cli.session

    async with session.client(lasting=True) as client, serve_lighthouse(client, job, host=host, port=port) as endpoint:
        await _until_signal(endpoint)


async def _until_signal(endpoint: "Endpoint") -> None:
    ended = asyncio.Event()
    with holding.Signals(holding.ENDING) as signals, signals.told_to(lambda _: ended.set()):
        click.echo(endpoint.address)
        await ended.wait()


@lighthouse.command(
    "set",
    examples="""
    raftkv lighthouse set mnist --min-replicas 2
    raftkv lighthouse set mnist --join-timeout-ms 10000 --heartbeat-timeout-ms 3000
    """,
)
@click.argument("job", default="default")
@click.option("--min-replicas", type=click.IntRange(min=1), help="Groups that a quorum needs.")
@click.option("--join-timeout-ms", type=_MILLISECONDS, help="How long groups that are alive and do not ask are waited for.")
@click.option("--heartbeat-timeout-ms", type=click.IntRange(1, _MILLISECONDS.max), help="Silence after which a group is dead.")
@with_session
def set_options(
    session: Session, /, *, job: str, min_replicas: int | None, join_timeout_ms: int | None, heartbeat_timeout_ms: int | None
) -> None:
    """Say how the quorums of a job are formed, from now on; what is not said stays. Prints all of it."""
    given = {
        "min_replicas": min_replicas,
        "join_timeout_ms": join_timeout_ms,
        "heartbeat_timeout_ms": heartbeat_timeout_ms,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    click.echo(session.call(lambda client: _changed_options(client, job, changed)))


async def _changed_options(client: "Client", job: str, changed: dict[str, int]) -> str:
    from raftkv.lighthouse import QuorumOptions, check_job, options_key, parse_options  # noqa: PLC0415 - as above

    check_job(job)
    found = await client.get(options_key(job))
    text = json.dumps(asdict(replace(QuorumOptions() if found is None else parse_options(found.value), **changed)))
    await client.put(options_key(job), text)
    return text


@lighthouse.command(
    "show",
    examples="""
    raftkv lighthouse show
    raftkv lighthouse show mnist
    """,
)
@click.argument("job", required=False)
@with_session
def show(session: Session, /, *, job: str | None) -> None:
    """Show the last quorum of a job, or of each, that had other groups than the one before."""
    quorums = session.call(lambda client: _quorums(client, job))
    if job is not None and not quorums:
        raise click.ClickException(f"job {job} has had no quorum")
    for name, quorum in quorums.items():
        click.echo(f"{name}: quorum {quorum['quorum_id']}, formed {quorum['created']}")
        for member in quorum["participants"]:
            click.echo(f"  {member['replica_id']}  {member['address']}  step {member['step']}")


async def _quorums(client: "Client", job: str | None) -> dict[str, Any]:
    from raftkv.lighthouse import PREFIX, check_job, quorum_key  # noqa: PLC0415 - as above

    if job is not None:
        check_job(job)
        response = await client.range(quorum_key(job))
    else:
        response = await client.range(PREFIX, prefix=True)
    keys = {item.key.decode(): item.value for item in response.kvs}
    return {key[len(PREFIX) : -len("/quorum")]: json.loads(value) for key, value in keys.items() if key.endswith("/quorum")}
