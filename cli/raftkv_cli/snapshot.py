"""The commands about snapshots: everything in one file."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from raftkv.config import parse_cluster, parse_urls
from raftkv.errors import SnapshotFileError
from raftkv_cli.command import Group
from raftkv_cli.formats.snapshots import SnapshotStatus
from raftkv_cli.progress import ProgressBar
from raftkv_cli.session import Session, with_session

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.group("snapshot", cls=Group)
def snapshot() -> None:
    """Save everything to a file, look at it, or make a new cluster of it."""


@snapshot.command("save", examples="raftkv snapshot save backup.snapshot")
@_FILE
@with_session
def save(session: Session, /, *, file: Path) -> None:
    """Save what one node has to a file.

    The file appears when it is complete, and its checksum right.
    """
    asyncio.run(_save(session, file))
    click.echo(f"Snapshot saved at {file}")


async def _save(session: Session, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            part.chmod(0o600)
            await _download(session, file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


async def _download(session: Session, file: BinaryIO) -> None:
    digest, last = hashlib.sha256(), b""
    async with session.client() as client:
        with _progress("received") as report:
            async for piece in client.snapshot():
                digest.update(last)
                last = piece.blob
                file.write(last)
                report(file.tell(), file.tell() + piece.remaining_bytes)
    if last != digest.digest():
        raise SnapshotFileError("the snapshot was damaged on its way, or broke off: its checksum does not match")


@snapshot.command(
    "status",
    tabular=True,
    examples="raftkv snapshot status backup.snapshot -w table",
)
@_FILE
@with_session
def status(session: Session, /, *, file: Path) -> None:
    """Check a file and show what is in it.

    The simple format lists: hash, revision, number of keys, size.
    """
    from raftkv.server.restore import inspect  # noqa: PLC0415 - it loads the database

    with _progress("checked") as report:
        found = inspect(file, report)
    session.show(SnapshotStatus(found.checksum, found.revision, found.keys, found.size))


@snapshot.command(
    "restore",
    examples="""
    raftkv snapshot restore backup.snapshot --data-dir /var/lib/raftkv
    raftkv snapshot restore backup.snapshot --name a --data-dir a.raftkv \\
      --initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2380 \\
      --initial-advertise-peer-urls http://10.0.0.1:2380
    """,
)
@_FILE
@click.option("--name", default="default", show_default=True, help="Name of the new member.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Default: <name>.raftkv.")
@click.option(
    "--initial-cluster", default="default=http://localhost:2380", show_default=True, help="The members of the new cluster."
)
@click.option("--initial-cluster-token", default="etcd-cluster", show_default=True, help="Token of the new cluster.")
@click.option(
    "--initial-advertise-peer-urls", default="http://localhost:2380", show_default=True, help="Where the others find it."
)
@click.option("--skip-hash-check", is_flag=True, help="Do not compare the file with the checksum at its end.")
@click.option("--bump-revision", type=click.IntRange(0), default=0, help="By how much the revision is to jump.")
@click.option("--mark-compacted", is_flag=True, help="Count all history as compacted; needed with --bump-revision.")
def restore(
    *,
    file: Path,
    name: str,
    data_dir: Path | None,
    initial_cluster: str,
    initial_cluster_token: str,
    initial_advertise_peer_urls: str,
    skip_hash_check: bool,
    bump_revision: int,
    mark_compacted: bool,
) -> None:
    """Make the data directory of a new cluster's member from a file.

    Each member is restored from the same file, with its own name and URLs, and then started.
    """
    from raftkv.server.restore import NewMember, restore_file  # noqa: PLC0415 - it loads the database

    new = NewMember(
        name=name,
        members=parse_cluster(initial_cluster),
        peer_urls=[str(url) for url in parse_urls(initial_advertise_peer_urls, "initial-advertise-peer-urls")],
        token=initial_cluster_token,
        bump_revision=bump_revision,
        mark_compacted=mark_compacted,
    )
    directory = data_dir if data_dir is not None else Path(f"{name}.raftkv")
    with _progress("restored") as report:
        identity = restore_file(file, directory, new, report, check=not skip_hash_check)
    click.echo(f"Restored {file} to {directory}: member {identity.node_id:x} of cluster {identity.cluster_id:x}")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Says on a terminal how many bytes are done, of about how many."""
    with ProgressBar(what, as_bytes=True) as bar:
        yield lambda done, total: bar.show(what, done, total)
