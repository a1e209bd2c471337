"""Writes what an entry does to jobs: as rows of the state, which count, and as keys, which everybody can see.

Both are in the same entry of the log, and all keys of it in one revision. The rows are what a node starts from; so whatever
clients do to the keys, which they can delete or overwrite as any others, the jobs stay as they are.
"""

from collections.abc import Iterator, Sequence

from raftkv.mvcc import Event, Steps, Store
from raftkv.mvcc.steps import SLICE_ROWS, finish
from raftkv.pb.rpc import TxnRequest
from raftkv.rendezvous.layout import PREFIX, job_prefix, prefix_end
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

_ROW = b"rendezvous:"


class Ledger:
    """The writes of one entry at a time."""

    def __init__(self, state: Overlay, store: Store) -> None:
        self._state = state
        self._store = store
        self._puts: dict[str, tuple[str, int]] = {}
        self._deletes: dict[str, None] = {}
        self._removed: list[str] = []

    @property
    def revision(self) -> int:
        """That of what is being written."""
        return self._store.revision + 1

    @property
    def settled(self) -> int:
        """The newest one of the store."""
        return self._store.revision

    def put(self, key: str, value: str, lease: int = 0) -> None:
        self._deletes.pop(key, None)
        self._puts[key] = (value, lease)

    def delete(self, key: str) -> None:
        self._puts.pop(key, None)
        self._deletes[key] = None

    def remove_job(self, job: str) -> None:
        """Deletes all keys of a job, also those that clients have put there."""
        self._removed.append(job)

    def flush(self) -> Sequence[Event]:
        """Writes it; the events."""
        if not (self._puts or self._deletes or self._removed):
            return ()
        request = TxnRequest()
        for job in self._removed:
            self._remove(job, request)
        for key in self._deletes:
            self._state.delete(Table.STATE, _ROW + key.encode())
            request.success.add().request_delete_range.key = key.encode()
        for key, (value, lease) in self._puts.items():
            data = value.encode()
            self._state.put(Table.STATE, _ROW + key.encode(), data)
            put = request.success.add().request_put
            put.key, put.value, put.lease = key.encode(), data, lease
        self._puts, self._deletes, self._removed = {}, {}, []
        return finish(self._store.txn(request)).events

    def _remove(self, job: str, request: TxnRequest) -> None:
        prefix = job_prefix(job).encode()
        first = _ROW + prefix
        for row, _ in list(self._state.scan(Table.STATE, first, prefix_end(first))):
            self._state.delete(Table.STATE, row)
        whole = request.success.add().request_delete_range
        whole.key, whole.range_end = prefix, prefix_end(prefix)
        for kept in (self._puts, self._deletes):
            for key in [key for key in kept if key.startswith(job_prefix(job))]:
                del kept[key]

    def read(self, key: str) -> str | None:
        """The row of a key."""
        row = self._state.get(Table.STATE, _ROW + key.encode())
        return None if row is None else row.decode()

    def rows(self, prefix: str = PREFIX) -> Iterator[tuple[str, str]]:
        """All rows of keys with a prefix that ends in a slash, in their order."""
        first = _ROW + prefix.encode()
        for row, value in self._state.scan(Table.STATE, first, prefix_end(first)):
            yield row[len(_ROW) :].decode(), value.decode()


def in_slices(rows: Iterator[tuple[str, str]]) -> Steps[list[tuple[str, str]]]:
    """All of them, a slice of work at a time."""
    found = []
    for number, row in enumerate(rows, start=1):
        found.append(row)
        if number % SLICE_ROWS == 0:
            yield
    return found
