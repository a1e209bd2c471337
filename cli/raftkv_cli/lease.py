"""The commands about leases."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from raftkv.errors import LeaseNotFoundError, RequestError
from raftkv_cli.command import Group
from raftkv_cli.formats.lease import Granted, KeptAlive, Leases, Revoked, TimeToLive
from raftkv_cli.parameter_types import LEASE
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.client import Client


@click.group("lease", cls=Group)
def lease() -> None:
    """Grant, look at, renew and revoke leases."""


@lease.command(
    "grant",
    examples="""
    raftkv lease grant 60
    raftkv lease grant 60 -w json
    """,
)
@click.argument("ttl", type=click.IntRange(max=(1 << 63) - 1))
@with_session
def grant(session: Session, /, *, ttl: int) -> None:
    """Grant a lease that lives TTL seconds unless it is renewed.

    Keys that are put with its id (put --lease ID) are deleted when it expires or is revoked.
    """
    with _saying("failed to grant lease"):
        granted = session.call(lambda client: client.lease_grant(ttl))
    session.show(Granted(granted))


@lease.command("revoke", examples="raftkv lease revoke 694d5765fc71500b")
@click.argument("lease_id", metavar="ID", type=LEASE)
@with_session
def revoke(session: Session, /, *, lease_id: int) -> None:
    """End a lease, and delete its keys."""
    with _saying("failed to revoke lease"):
        revoked = session.call(lambda client: client.lease_revoke(lease_id))
    session.show(Revoked(lease_id, revoked))


@lease.command(
    "timetolive",
    examples="""
    raftkv lease timetolive 694d5765fc71500b
    raftkv lease timetolive 694d5765fc71500b --keys
    """,
)
@click.argument("lease_id", metavar="ID", type=LEASE)
@click.option("--keys", is_flag=True, help="Also list the keys attached to it.")
@with_session
def time_to_live(session: Session, /, *, lease_id: int, keys: bool) -> None:
    """Show how long a lease still lives."""
    session.show(TimeToLive(session.call(lambda client: client.lease_time_to_live(lease_id, keys=keys)), keys))


@lease.command("list", examples="raftkv lease list")
@with_session
def lease_list(session: Session, /) -> None:
    """List the ids of all leases."""
    session.show(Leases(session.call(lambda client: client.leases())))


@lease.command(
    "keep-alive",
    examples="""
    raftkv lease keep-alive 694d5765fc71500b
    raftkv lease keep-alive 694d5765fc71500b --once
    """,
)
@click.argument("lease_id", metavar="ID", type=LEASE)
@click.option("--once", is_flag=True, help="Renew it once and end.")
@with_session
def keep_alive(session: Session, /, *, lease_id: int, once: bool) -> None:
    """Renew a lease, again and again until it is gone."""
    still_there = session.call(_renewing(session, lease_id, once=once))
    if once and not still_there:
        raise LeaseNotFoundError
    if not still_there and session.settings.write_out == "simple":
        session.write(b"lease %016x expired or revoked.\n" % lease_id)


def _renewing(session: Session, lease_id: int, *, once: bool) -> "Callable[[Client], Coroutine[Any, Any, bool]]":
    """Prints each renewal; answers whether the lease is still there at the end."""

    async def renew(client: "Client") -> bool:
        while (answer := await client.lease_keep_alive(lease_id)).TTL > 0:
            session.show(KeptAlive(answer))
            if once:
                return True
            await asyncio.sleep(answer.TTL / 3)
        return False

    return renew


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Puts before a refusal what was refused, as etcdctl does here and nowhere else."""
    try:
        yield
    except RequestError as error:
        raise click.ClickException(f"{what} ({error})") from error
