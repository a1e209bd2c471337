"""A new cluster from a snapshot's file (etcdutl snapshot restore).

    file -> checked -> a data directory beside the wanted one -> members, revision, log's start -> renamed

Every member of the new cluster is restored for itself from the same file: they start alike, at the same index. The members of
the old cluster, their alarms and whom they had removed are forgotten, for it is another cluster.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from raftkv.apply.changes import membership_of
from raftkv.apply.machine import StateMachine
from raftkv.errors import ConfigError, PeerError, SnapshotFileError
from raftkv.mvcc.layout import PROGRESS_ROW
from raftkv.mvcc.layout import Progress as StoreProgress
from raftkv.mvcc.steps import finish
from raftkv.pb import raft as pb
from raftkv.pb.rpc import CompactionRequest
from raftkv.server.bootstrap import cluster_id, first_members, member_id
from raftkv.storage.archive import Archive, Progress
from raftkv.storage.engine import Batch, Engine, Table
from raftkv.storage.identity import Identity, save_identity
from raftkv.storage.log import begin_log
from raftkv.storage.overlay import Overlay
from raftkv.storage.rocks import RocksEngine
from raftkv.storage.snapshot import SnapshotReceiver


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """Which member of which new cluster the data is to be of."""

    name: str
    members: Mapping[str, Sequence[str]]
    """Name -> its peer URLs, of the whole new cluster."""
    peer_urls: Sequence[str]
    token: str
    bump_revision: int = 0
    """How far the revision is to jump, so that clients which saw later ones than the file has do not see old numbers again."""
    mark_compacted: bool = False
    """All history counts as compacted, so watches of earlier revisions end instead of missing something."""

    def __post_init__(self) -> None:
        """Refuses what cannot be."""
        if self.name not in self.members:
            raise ConfigError(f"--initial-cluster: does not name this member, {self.name!r}")
        if set(self.members[self.name]) != set(self.peer_urls):
            raise ConfigError(f"--initial-cluster: has other URLs for {self.name!r} than --initial-advertise-peer-urls")
        if (self.bump_revision > 0) != self.mark_compacted:
            raise ConfigError("--mark-compacted: is needed with --bump-revision, and only there")


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is in a snapshot's file."""

    checksum: int
    """Over all its rows."""
    revision: int
    keys: int
    """How many are live."""
    size: int


def inspect(file: Path, progress: Progress) -> Inspected:
    """Checks a file and looks at it. Raises SnapshotFileError."""
    archive = Archive(file)
    archive.check(progress)
    checksum = keys = 0
    revision = 1
    for message in archive.messages(progress):
        if isinstance(message, pb.SnapshotHead):
            continue
        checksum = message.crc32
        if message.table == Table.LIVE:
            keys += len(message.keys)
        elif message.table == Table.STATE and PROGRESS_ROW in message.keys:
            revision = StoreProgress.decode(message.values[list(message.keys).index(PROGRESS_ROW)]).revision
    return Inspected(checksum, revision, keys, archive.size)


def restore_file(file: Path, directory: Path, new: NewMember, progress: Progress, *, check: bool = True) -> Identity:
    """Makes the data directory of a new member; all of it or nothing. `check`: compare the file with its checksum first.

    Raises:
        ConfigError: there is something in the directory.
        SnapshotFileError: the file is damaged.
        StorageError: the disk failed.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(f"--data-dir: {directory} is not empty")
    archive = Archive(file)
    if check:
        archive.check(progress)
    unfinished = directory.with_name(directory.name + ".restoring")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        identity = _fill(archive, unfinished, new, progress)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    if directory.exists():
        directory.rmdir()
    unfinished.rename(directory)
    _sync(directory.parent)
    return identity


def _fill(archive: Archive, directory: Path, new: NewMember, progress: Progress) -> Identity:
    engine = RocksEngine(directory)
    try:
        _receive(archive, engine, progress)
        return _settle(engine, new)
    finally:
        engine.close()


def _receive(archive: Archive, engine: Engine, progress: Progress) -> None:
    receiver: SnapshotReceiver | None = None
    try:
        for message in archive.messages(progress):
            if isinstance(message, pb.SnapshotHead):
                receiver = SnapshotReceiver(engine, message)
            elif receiver is not None:
                receiver.add(message)
    except PeerError as error:
        raise SnapshotFileError(f"{archive.path}: {error}") from error
    assert receiver is not None, "a file begins with its head"
    receiver.commit(Batch())


def _settle(engine: Engine, new: NewMember) -> Identity:
    """Gives the state its new members, and the node its identity."""
    overlay = Overlay(engine)
    machine = StateMachine(overlay)
    finish(machine.load())
    members = first_members(new.members, new.token)
    machine.bootstrap(membership_of(members), list(members.values()), index=machine.applied_index, term=machine.applied_term)
    machine.store.skip_revisions(new.bump_revision)
    if new.mark_compacted:
        machine.store.compact(CompactionRequest(revision=machine.store.revision))
    machine.record_progress()
    identity = Identity(cluster_id(members), member_id(new.peer_urls, new.token), new.name)
    batch = Batch(rows=overlay.seal())
    begin_log(batch, index=machine.applied_index, term=machine.applied_term)
    save_identity(batch, identity)
    engine.write(batch, sync=True)
    return identity


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
