"""The commands about users."""

from typing import TYPE_CHECKING, Any

import click

from raftkv.pb import rpc
from raftkv_cli import password as passwords
from raftkv_cli.command import Group
from raftkv_cli.formats.users import Done, Names, Role, User
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.client import Client

INTERACTIVE: dict[str, Any] = {
    "default": True,
    "help": "Ask for the password, twice; or else take the next line of stdin.  [default: ask]",
}


@click.group("user", cls=Group)
def user() -> None:
    """Manage users, and the roles that they have."""


@user.command(
    "add",
    examples="""
    raftkv user add alice
    raftkv user add alice:secret
    raftkv user add host7 --no-password
    """,
)
@click.argument("name", metavar="NAME[:PASSWORD]")
@click.option("--interactive/--no-interactive", **INTERACTIVE)
@click.option("--new-user-password", default="", help="The password.")
@click.option("--no-password", is_flag=True, help="Let the user come with a certificate of its name only.")
@with_session
def add(session: Session, /, *, name: str, interactive: bool, new_user_password: str, no_password: bool) -> None:
    """Add a user."""
    name, password = _new_user(name, new_user_password, no_password=no_password, interactive=interactive)
    response = session.call(lambda client: client.user_add(name, password))
    session.show(Done(f"User {name} created".encode(), response))


@user.command("delete", examples="raftkv user delete alice")
@click.argument("name")
@with_session
def delete(session: Session, /, *, name: str) -> None:
    """Delete a user."""
    response = session.call(lambda client: client.user_delete(name))
    session.show(Done(f"User {name} deleted".encode(), response))


@user.command(
    "get",
    examples="""
    raftkv user get alice
    raftkv user get alice --detail
    """,
)
@click.argument("name")
@click.option("--detail", is_flag=True, help="Show what each of the roles permits.")
@with_session
def get(session: Session, /, *, name: str, detail: bool) -> None:
    """Show the roles of a user."""
    found, roles = session.call(lambda client: _user(client, name, detail=detail))
    if not detail:
        session.show(User(name, found))
        return
    session.write(f"User: {name}\n".encode())
    for role in roles:
        session.write(b"\n")
        session.show(role)


@user.command("list", examples="raftkv user list")
@with_session
def list_users(session: Session, /) -> None:
    """List all users."""
    session.show(Names(session.call(lambda client: client.users())))


@user.command("passwd", examples="raftkv user passwd alice")
@click.argument("name")
@click.option("--interactive/--no-interactive", **INTERACTIVE)
@with_session
def passwd(session: Session, /, *, name: str, interactive: bool) -> None:
    """Change the password of a user."""
    password = passwords.ask_twice(name) if interactive else passwords.next_line()
    response = session.call(lambda client: client.user_change_password(name, password))
    session.show(Done(b"Password updated", response))


@user.command("grant-role", examples="raftkv user grant-role alice readers")
@click.argument("name")
@click.argument("role")
@with_session
def grant_role(session: Session, /, *, name: str, role: str) -> None:
    """Give a user a role."""
    response = session.call(lambda client: client.user_grant_role(name, role))
    session.show(Done(f"Role {role} is granted to user {name}".encode(), response))


@user.command("revoke-role", examples="raftkv user revoke-role alice readers")
@click.argument("name")
@click.argument("role")
@with_session
def revoke_role(session: Session, /, *, name: str, role: str) -> None:
    """Take a role from a user."""
    response = session.call(lambda client: client.user_revoke_role(name, role))
    session.show(Done(f"Role {role} is revoked from user {name}".encode(), response))


async def _user(client: "Client", name: str, *, detail: bool) -> tuple[rpc.AuthUserGetResponse, list[Role]]:
    found = await client.user_get(name)
    return found, [Role(role, await client.role_get(role)) for role in found.roles] if detail else []


def _new_user(text: str, given: str, *, no_password: bool, interactive: bool) -> tuple[str, str | None]:
    """Name and password; a name may have a colon where the password is not in the text."""
    password: str | None
    if no_password:
        name, password = text, None
    elif given:
        name, password = text, given
    else:
        name, colon, in_text = text.partition(":")
        password = in_text if colon else None
        if name and not colon:
            password = passwords.ask_twice(name) if interactive else passwords.next_line()
    if not name:
        raise click.UsageError("empty user name is not allowed")
    return name, password
