"""The commands about quotas: how much prefixes may hold, and how much may be asked of them."""

import click

from raftkv_cli.command import Group
from raftkv_cli.formats.quotas import OneQuota, Quotas
from raftkv_cli.formats.users import Done
from raftkv_cli.parameter_types import BYTES, SIZE
from raftkv_cli.session import Session, with_session

_PREFIX = click.argument("prefix", type=BYTES)
_ROLE = click.option("--role", default="", help="The quota that binds users with this role; else the one that binds everybody.")
_COUNT = click.IntRange(0, 2**63 - 1)


@click.group("quota", cls=Group)
def quota() -> None:
    """Limit what prefixes hold, and how much is asked of them."""


@quota.command(
    "set",
    examples="""
    raftkv quota set /jobs/ --bytes 64MiB --keys 10000
    raftkv quota set /jobs/ --role guests --requests-per-second 50 --watches 100
    raftkv quota set '' --bytes 1GiB
    """,
)
@_PREFIX
@_ROLE
@click.option("--bytes", "max_bytes", type=SIZE, help="Of keys and values, as they are now: 4096, 64kB, 64MiB.")
@click.option("--keys", "max_keys", type=_COUNT, help="Keys.")
@click.option("--watches", "max_watches", type=_COUNT, help="Watches that are open at one node.")
@click.option("--requests-per-second", type=_COUNT, help="Requests that one node takes.")
@with_session
def set_quota(
    session: Session,
    /,
    *,
    prefix: bytes,
    role: str,
    max_bytes: int | None,
    max_keys: int | None,
    max_watches: int | None,
    requests_per_second: int | None,
) -> None:
    """Limit the keys that start with PREFIX.

    What the quota of this prefix and role allowed before is replaced. 0 allows nothing. An empty PREFIX is all keys.
    """
    if (max_bytes, max_keys, max_watches, requests_per_second) == (None, None, None, None):
        raise click.UsageError("give at least one of --bytes, --keys, --watches, --requests-per-second")
    response = session.call(
        lambda client: client.quota_set(
            prefix,
            role=role,
            max_bytes=max_bytes,
            max_keys=max_keys,
            max_watches=max_watches,
            requests_per_second=requests_per_second,
        )
    )
    session.show(Done(b"Quota of %s is set" % _named(prefix, role), response))


@quota.command(
    "get",
    tabular=True,
    examples="""
    raftkv quota get /jobs/
    raftkv quota get /jobs/ --role guests -w json
    """,
)
@_PREFIX
@_ROLE
@with_session
def get_quota(session: Session, /, *, prefix: bytes, role: str) -> None:
    """Show a quota, and how much of it is used."""
    session.show(OneQuota(session.call(lambda client: client.quota_get(prefix, role=role))))


@quota.command("list", tabular=True, examples="raftkv quota list")
@with_session
def list_quotas(session: Session, /) -> None:
    """List all quotas, and how much of each is used.

    Bytes and keys are counted by the cluster; watches, and what was refused, by the node that answers.
    """
    from raftkv.client.quota_methods import LIST  # noqa: PLC0415 - the client loads slowly, and is needed from here on only
    from raftkv.pb.quota import ListQuotasRequest  # noqa: PLC0415 - as above

    session.show(Quotas(session.call(lambda client: client.call(LIST, ListQuotasRequest()))))


@quota.command("remove", examples="raftkv quota remove /jobs/ --role guests")
@_PREFIX
@_ROLE
@with_session
def remove_quota(session: Session, /, *, prefix: bytes, role: str) -> None:
    """Remove a quota."""
    response = session.call(lambda client: client.quota_remove(prefix, role=role))
    session.show(Done(b"Quota of %s is removed" % _named(prefix, role), response))


def _named(prefix: bytes, role: str) -> bytes:
    """A quota in a sentence."""
    whose = b" for role " + role.encode() if role else b""
    return (b"prefix " + prefix if prefix else b"all keys") + whose
