"""The new cluster: changes and the marker in one transaction."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

import click

from raftkv.client import Client
from raftkv.client.transaction import Delete, Put, Value, Version
from raftkv.pb import rpc
from raftkv_cli.migration import MARKER
from raftkv_cli.migration.leases import LeaseMirror
from raftkv_cli.migration.plan import Change, portions


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a migration is."""

    source: str
    """The id of the old cluster."""
    snapshot: int
    """The revision as of which the keys are copied."""
    at: int = 0
    """Everything up to this revision is here."""

    def encode(self) -> bytes:
        """As it stands under MARKER."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """What `encode` made."""
        return cls(**json.loads(value))


class Target:
    """Writes to the new cluster."""

    def __init__(self, client: Client, leases: LeaseMirror) -> None:
        self.client = client
        self._leases = leases
        self._progress: Progress

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    async def begin(self, source: rpc.ResponseHeader) -> None:
        """Takes up what was begun, or begins where there is nothing yet."""
        name = f"{source.cluster_id:x}"
        marker = await self.client.get(MARKER)
        if marker is not None:
            self._progress = Progress.decode(marker.value)
            if self._progress.source != name:
                raise click.ClickException(f"the new cluster is being filled from cluster {self._progress.source}, not {name}")
            return
        if (await self.client.range(b"\0", from_key=True, limit=1, keys_only=True)).kvs:
            raise click.ClickException("the new cluster has keys; a migration needs an empty one")
        self._progress = Progress(name, source.revision)
        done = await self.client.txn([Version(MARKER) == 0], [Put(MARKER, self._progress.encode())])
        self._check(done)

    async def apply(self, revision: int, changes: Sequence[Change]) -> None:
        """Makes the changes of one revision of the old cluster, in one transaction if they fit, and notes that it is done."""
        known = self._progress
        after = Progress(known.source, known.snapshot, revision)
        pieces = list(portions(changes)) or [[]]
        for number, piece in enumerate(pieces, 1):
            operations = [await self._operation(change) for change in piece]
            if number == len(pieces):
                operations.append(Put(MARKER, after.encode()))
            self._check(await self.client.txn([Value(MARKER) == known.encode()], operations))
        self._progress = after

    async def end(self) -> None:
        """The migration is over."""
        await self.client.delete(MARKER)

    async def _operation(self, change: Change) -> rpc.RequestOp:
        if change.kv is None:
            return Delete(change.key)
        lease = await self._leases.grant(change.kv.lease) if change.kv.lease else 0
        return Put(change.key, change.kv.value, lease=lease)

    @staticmethod
    def _check(done: rpc.TxnResponse) -> None:
        if not done.succeeded:
            raise click.ClickException("somebody else migrates into this cluster as well")
