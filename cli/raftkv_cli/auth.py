"""The commands that turn authentication on and off."""

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from raftkv.errors import RoleAlreadyExistsError, RootRoleNotExistError
from raftkv_cli.command import Group
from raftkv_cli.formats.users import Status
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.client import Client

ROOT = "root"


@click.group("auth", cls=Group)
def auth() -> None:
    """Turn authentication on and off."""


@auth.command(
    "enable",
    examples="""
    raftkv user add root
    raftkv auth enable
    """,
)
@with_session
def enable(session: Session, /) -> None:
    """From now on ask everybody who they are.

    There must be a user root; it is given the role root if it has it not.
    """
    session.call(_enable)
    session.write(b"Authentication Enabled\n")


@auth.command("disable", examples="raftkv --user root auth disable")
@with_session
def disable(session: Session, /) -> None:
    """From now on ask nobody who they are."""
    session.call(lambda client: client.auth_disable())
    session.write(b"Authentication Disabled\n")


@auth.command("status", examples="raftkv auth status")
@with_session
def status(session: Session, /) -> None:
    """Show whether authentication is on."""
    session.show(Status(session.call(lambda client: client.auth_status())))


async def _enable(client: "Client") -> None:
    try:
        await client.auth_enable()
    except RootRoleNotExistError:
        with suppress(RoleAlreadyExistsError):
            await client.role_add(ROOT)
        await client.user_grant_role(ROOT, ROOT)
        await client.auth_enable()
