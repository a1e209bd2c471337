"""The commands about roles, and what they permit."""

from typing import Literal

import click

from raftkv_cli.command import Group
from raftkv_cli.formats.users import Done, Names, Role, span
from raftkv_cli.parameter_types import BYTES
from raftkv_cli.session import Session, with_session

Access = Literal["read", "write", "readwrite"]


@click.group("role", cls=Group)
def role() -> None:
    """Manage roles: what users may read and write."""


@role.command("add", examples="raftkv role add readers")
@click.argument("name")
@with_session
def add(session: Session, /, *, name: str) -> None:
    """Add a role that permits nothing yet."""
    session.show(Done(f"Role {name} created".encode(), session.call(lambda client: client.role_add(name))))


@role.command("delete", examples="raftkv role delete readers")
@click.argument("name")
@with_session
def delete(session: Session, /, *, name: str) -> None:
    """Delete a role, and take it from all users."""
    session.show(Done(f"Role {name} deleted".encode(), session.call(lambda client: client.role_delete(name))))


@role.command("get", examples="raftkv role get readers")
@click.argument("name")
@with_session
def get(session: Session, /, *, name: str) -> None:
    """Show what a role permits."""
    session.show(Role(name, session.call(lambda client: client.role_get(name))))


@role.command("list", examples="raftkv role list")
@with_session
def list_roles(session: Session, /) -> None:
    """List all roles."""
    session.show(Names(session.call(lambda client: client.roles())))


@role.command(
    "grant-permission",
    examples="""
    raftkv role grant-permission readers read /jobs/ --prefix
    raftkv role grant-permission workers readwrite /jobs/7 /jobs/8
    """,
)
@click.argument("name")
@click.argument("permission", type=click.Choice(("read", "write", "readwrite"), case_sensitive=False))
@click.argument("key", type=BYTES)
@click.argument("end_key", type=BYTES, required=False)
@click.option("--prefix", is_flag=True, help="Permit all keys that start with KEY.")
@click.option("--from-key", is_flag=True, help="Permit all keys from KEY on.")
@with_session
def grant_permission(
    session: Session, /, *, name: str, permission: Access, key: bytes, end_key: bytes | None, prefix: bool, from_key: bool
) -> None:
    """Permit a role to read, write, or both, a key or the keys from KEY up to END_KEY."""
    first, end = _range(key, end_key, prefix=prefix, from_key=from_key)
    response = session.call(lambda client: client.role_grant_permission(name, permission, first, end or None))
    session.show(Done(f"Role {name} updated".encode(), response))


@role.command(
    "revoke-permission",
    examples="raftkv role revoke-permission readers /jobs/ --prefix",
)
@click.argument("name")
@click.argument("key", type=BYTES)
@click.argument("end_key", type=BYTES, required=False)
@click.option("--prefix", is_flag=True, help="What was granted with --prefix.")
@click.option("--from-key", is_flag=True, help="What was granted with --from-key.")
@with_session
def revoke_permission(
    session: Session, /, *, name: str, key: bytes, end_key: bytes | None, prefix: bool, from_key: bool
) -> None:
    """Take back what a role was granted for this very key or range."""
    first, end = _range(key, end_key, prefix=prefix, from_key=from_key)
    response = session.call(lambda client: client.role_revoke_permission(name, first, end or None))
    what = b"range " + span(key, end) if end else b"key " + key
    session.show(Done(b"Permission of %s is revoked from role %s" % (what, name.encode()), response))


def _range(key: bytes, end_key: bytes | None, *, prefix: bool, from_key: bool) -> tuple[bytes, bytes]:
    if prefix and from_key:
        raise click.UsageError("--from-key and --prefix flags are mutually exclusive")
    if (prefix or from_key) and end_key is not None:
        raise click.UsageError(f"unexpected endkey argument with --{'prefix' if prefix else 'from-key'} flag")
    from raftkv.client.request import key_range  # noqa: PLC0415 - the client loads slowly, and is needed from here on only

    return key_range(key, end_key, prefix=prefix, from_key=from_key)
