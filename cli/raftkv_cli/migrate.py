"""`raftkv migrate`: moves to raftkv while the old cluster serves."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raftkv_cli.command import Command
from raftkv_cli.progress import ProgressBar
from raftkv_cli.session import Session, with_session

if TYPE_CHECKING:
    from raftkv_cli.migration.run import Outcome


@click.command(
    "migrate",
    cls=Command,
    examples="""
    raftkv --endpoints new:2379 migrate --from http://etcd:2379
    raftkv --endpoints new:2379 migrate --from http://etcd:2379 --cut-over
    raftkv migrate --from https://etcd:2379 --from-cacert ca.pem --from-user root:secret --passwords passwords.txt
    """,
)
@click.option("--from", "old", required=True, metavar="URL,...", help="Endpoints of the old cluster.")
@click.option(
    "--from-user", default="", metavar="NAME:PASSWORD", help="Who to be there; it must be allowed to read everything."
)
@click.option("--from-cacert", default="", metavar="FILE", help="Trust old servers that this CA bundle vouches for.")
@click.option("--from-cert", default="", metavar="FILE", help="The client's certificate for the old cluster.")
@click.option("--from-key", default="", metavar="FILE", help="The private key of --from-cert.")
@click.option("--users/--no-users", default=True, help="Whether to copy users and roles.")
@click.option(
    "--passwords",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file with NAME:PASSWORD lines: etcd does not hand out the passwords of its users.",
)
@click.option("--cut-over", is_flag=True, help="End as soon as everything is copied, instead of at Ctrl-C.")
@with_session
def migrate(session: Session, /, *, users: bool, passwords: Path | None, cut_over: bool, **old: str) -> None:
    """Copy a live etcd cluster to this one, and follow it until cut-over.

    Keys, leases, users and roles are copied, and every change that follows, in the order of their revisions. The new cluster must be
    empty. When it says that it follows, stop the writers, then press Ctrl-C (or send SIGTERM): it waits for the last change, compares
    both clusters, and says that the new one may be used. If it breaks off before, run it again: it goes on where it was.
    """
    outcome = asyncio.run(_migrate(session, _old_session(session, old), users, _read_passwords(passwords), cut_over))
    click.echo(
        f"Cut over: {outcome.keys} keys and {outcome.leases} leases of revision {outcome.source_revision} there "
        f"are at revision {outcome.target_revision} here, and nothing differs"
    )


async def _migrate(session: Session, old: Session, users: bool, passwords: dict[str, str], cut_over: bool) -> "Outcome":  # noqa: FBT001 - options
    from raftkv_cli.migration.rights import copy_rights  # noqa: PLC0415 - it takes a while to load
    from raftkv_cli.migration.run import Migration  # noqa: PLC0415 - as above

    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def following(keys: int) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, asked.set)
        click.echo(f"Copied {keys} keys. Following the old cluster: stop its writers, then press Ctrl-C to cut over")
        sys.stdout.flush()
        if cut_over:
            asked.set()

    async with old.client() as source, session.client() as target:
        if users:
            _say_rights(await copy_rights(source, target, passwords), enabled=(await source.auth_status()).enabled)
        with ProgressBar("copying") as bar:
            return await Migration(source, target, bar.show).run(asked, following)


def _say_rights(without: list[str], *, enabled: bool) -> None:
    if without:
        click.echo(f"Users without a password yet: {', '.join(without)}. Set them with: raftkv user passwd NAME")
    if enabled:
        click.echo("Authentication is on at the old cluster. After the cut-over: raftkv auth enable")


def _old_session(session: Session, options: dict[str, str]) -> Session:
    """The same command line, with the old cluster in place of the new one."""
    from dataclasses import replace  # noqa: PLC0415 - for this alone

    settings = replace(
        session.settings,
        endpoints=options["old"],
        user=options["from_user"],
        password="",
        cacert=options["from_cacert"],
        cert=options["from_cert"],
        key=options["from_key"],
    )
    return Session(settings)


def _read_passwords(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    lines = [line for line in file.read_text().splitlines() if line.strip()]
    if wrong := [number for number, line in enumerate(lines, 1) if ":" not in line]:
        raise click.UsageError(f"{file}: line {wrong[0]} is not NAME:PASSWORD")
    return dict(line.split(":", 1) for line in lines)
