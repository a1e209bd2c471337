"""`raftkv store`: an endpoint for PyTorch's TCPStore, for jobs whose launcher starts none."""

import asyncio
from typing import TYPE_CHECKING

import click

from raftkv_cli import holding
from raftkv_cli.command import Group
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.tcpstore import Endpoint


@click.group("store", cls=Group)
def store() -> None:
    """Serve TCPStore, PyTorch's key-value store, from the cluster."""


@store.command(
    "serve",
    examples="""
    raftkv store serve job7
    raftkv store serve job7 --round 2 --listen 0.0.0.0:29400
    """,
)
@click.argument("job")
@click.option("--round", "round_name", default="1", show_default=True, help="Keys of one round are never seen in another.")
@click.option("--listen", default="127.0.0.1:0", show_default=True, help="Where TCPStore's clients are awaited; port 0: any.")
@click.option(
    "--ttl",
    type=click.IntRange(min=2),
    default=120,
    show_default=True,
    help="Seconds for which the keys outlive all endpoints.",
)
@with_session
def serve(session: Session, /, *, job: str, round_name: str, listen: str, ttl: int) -> None:
    """Serve the keys of a job's round, until Ctrl-C, and print at which address.

    Workers are started with MASTER_ADDR and MASTER_PORT of that address and TORCHELASTIC_USE_AGENT_STORE=True. Any number of
    endpoints, on any hosts, show the same keys.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise click.UsageError(f"--listen {listen}: it is HOST:PORT")
    asyncio.run(_serve(session, (job, round_name, ttl), host.strip("[]"), int(port)))


async def _serve(session: Session, namespace: tuple[str, str, int], host: str, port: int) -> None:
    from raftkv.tcpstore import Namespace, serve  # noqa: PLC0415 - see the head of raftkv_cli.session

    async with session.client(lasting=True) as client, serve(client, Namespace(*namespace), host=host, port=port) as endpoint:
        await _until_signal(endpoint)


async def _until_signal(endpoint: "Endpoint") -> None:
    ended = asyncio.Event()
    with holding.Signals(holding.ENDING) as signals, signals.told_to(lambda _: ended.set()):
        click.echo(f"{endpoint.host}:{endpoint.port}")
        await ended.wait()
