"""Log entries in few words, and a state machine over an engine in memory."""

from collections.abc import Iterator
from typing import Any

from raftkv.apply import Outcome, StateMachine
from raftkv.mvcc import finish
from raftkv.pb import rpc
from raftkv.pb.command import Command, RequestId
from raftkv.raft.messages import Entry, EntryKind
from raftkv.storage.engine import Batch, Table
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.overlay import Overlay

Rows = dict[Table, dict[bytes, bytes]]


class Machine:
    """A state machine that is fed commands, each as the next entry of the log."""

    def __init__(self, engine: MemoryEngine | None = None) -> None:
        self.engine = MemoryEngine() if engine is None else engine
        self.state = Overlay(self.engine)
        self.machine = StateMachine(self.state)
        finish(self.machine.load())

    def apply(self, *, request_id: tuple[bytes, int] | None = None, **body: Any) -> Outcome:
        """Applies a command: `apply(put=PutRequest(...))`."""
        return self.apply_data(command(request_id=request_id, **body))

    def apply_data(self, data: bytes, kind: EntryKind = EntryKind.NORMAL) -> Outcome:
        return self.apply_entry(Entry(self.machine.applied_index + 1, 3, kind, data))

    def apply_entry(self, entry: Entry) -> Outcome:
        outcome = finish(self.machine.apply(entry))
        assert isinstance(outcome, Outcome)
        return outcome

    def write(self) -> None:
        """Writes what was applied."""
        self.machine.record_progress()
        self.engine.write(Batch(rows=self.state.seal()), sync=True)
        self.state.written()

    def restarted(self) -> "Machine":
        """A machine that has nothing but what was written."""
        self.write()
        return Machine(self.engine)

    def rows(self) -> Rows:
        """All rows, written or not."""
        self.machine.record_progress()
        return {table: dict(self.state.scan(table)) for table in Table if table.replicated}


def command(*, request_id: tuple[bytes, int] | None = None, proposer: int = 1, proposal: int = 7, **body: Any) -> bytes:
    """An encoded command."""
    message = Command(proposer=proposer, proposal=proposal, **body)
    if request_id is not None:
        message.request_id.CopyFrom(RequestId(client=request_id[0], sequence=request_id[1]))
    return message.SerializeToString()


def put(key: bytes, value: bytes = b"", **options: Any) -> dict[str, Any]:
    """The body of a put: `apply(**put(b"a"))`."""
    return {"put": rpc.PutRequest(key=key, value=value, **options)}


def entries(commands: list[bytes]) -> Iterator[Entry]:
    for index, data in enumerate(commands, start=1):
        yield Entry(index, 1, EntryKind.NORMAL, data)
