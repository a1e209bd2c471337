"""`raftkv job config`: the run-wide values of a job."""

from typing import TYPE_CHECKING

import click

from raftkv_cli.command import Group
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv.client import Client, Setting

REVISION_HELP = "Only if the value is at this revision; 0: only if it is not set."
TOKEN_HELP = "Only while the world with this token is at work."  # noqa: S105 (a help text)


@click.group("config", cls=Group)
def config() -> None:
    """Read, set and follow values that all nodes of a job share."""


@config.command("list", examples="raftkv job config list mnist")
@click.argument("job")
@with_session
def config_list(session: Session, /, *, job: str) -> None:
    """List all values: NAME=VALUE, by name."""
    _write(session, session.call(lambda client: client.rendezvous(job).config.all()))


@config.command("get", examples="raftkv job config get mnist learning-rate")
@click.argument("job")
@click.argument("name")
@with_session
def get(session: Session, /, *, job: str, name: str) -> None:
    """Print a value. Fails where it is not set."""
    found = session.call(lambda client: client.rendezvous(job).config.get(name))
    if found is None:
        raise click.ClickException(f"{name} is not set")
    session.write(f"{found.value}\n".encode())


@config.command(
    "set",
    examples="""
    raftkv job config set mnist learning-rate 0.01
    raftkv job config set mnist learning-rate 0.005 --revision 42
    """,
)
@click.argument("job")
@click.argument("name")
@click.argument("value")
@click.option("--revision", type=click.IntRange(0), help=REVISION_HELP)
@click.option("--token", type=click.IntRange(1), default=None, help=TOKEN_HELP)
@with_session
def set_value(session: Session, /, *, job: str, name: str, value: str, revision: int | None, token: int | None) -> None:
    """Set a value, and print its revision."""
    changed = session.call(lambda client: client.rendezvous(job).config.set(name, value, revision=revision, token=token or 0))
    session.write(b"%d\n" % changed)


@config.command("delete", examples="raftkv job config delete mnist learning-rate")
@click.argument("job")
@click.argument("name")
@click.option("--revision", type=click.IntRange(0), help=REVISION_HELP)
@with_session
def delete(session: Session, /, *, job: str, name: str, revision: int | None) -> None:
    """Set a value no more."""
    session.call(lambda client: client.rendezvous(job).config.delete(name, revision=revision))


@config.command("watch", examples="raftkv job config watch mnist")
@click.argument("job")
@with_session
def watch(session: Session, /, *, job: str) -> None:
    """Print all values, and again whenever one changes, with an empty line in between, until Ctrl-C."""

    async def follow(client: "Client") -> None:
        async for settings in client.rendezvous(job).config.watch():
            _write(session, settings)
            session.write(b"\n")

    session.call(follow)


def _write(session: Session, settings: "dict[str, Setting]") -> None:
    session.write("".join(f"{name}={settings[name].value}\n" for name in sorted(settings)).encode())
