"""A cluster of Raft cores over an in-memory network and in-memory disks, every step of it in the hands of the test.

Nothing happens by itself: `tick` lets time pass at one server, `turn` takes its Ready, `sync` ends the persist it has in flight,
`deliver` hands a message over. `settle` does all of that until nothing is left to do. After every one of these the
invariants of Raft are checked (tests/raft/invariants.py).
"""

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from raftkv.errors import ProposalDroppedError
from raftkv.raft import Config, MemoryLog, Persist, Raft, Role, changed, decode_change, encode_change
from raftkv.raft.messages import (
    ChangeKind,
    Entry,
    EntryKind,
    HardState,
    InstallSnapshot,
    Membership,
    MembershipChange,
    Message,
    Snapshot,
)
from tests.raft.invariants import Invariants


@dataclass
class Disk:
    """What survives a crash. `applied` and `membership` are the last flushed state of the state machine."""

    log: MemoryLog = field(default_factory=MemoryLog)
    hard_state: HardState = field(default_factory=HardState)
    applied: int = 0
    membership: Membership = field(default_factory=Membership)


class Server:
    """One machine: a disk that lasts, and a Raft core that does not."""

    def __init__(self, config: Config, membership: Membership, rng: random.Random) -> None:
        self.config = config
        self.rng = rng
        self.disk = Disk(membership=membership)
        self.disk_held = False
        self.start()

    def start(self) -> None:
        """Starts from what the disk has."""
        disk = self.disk
        self.up = True
        self.in_flight: Persist | None = None
        self.applied = disk.applied
        self.membership = disk.membership
        self.raft = Raft(
            self.config,
            disk.log,
            self.rng,
            hard_state=disk.hard_state,
            membership=disk.membership,
            applied=disk.applied,
        )

    def write(self) -> Persist:
        """Brings the persist in flight to the disk."""
        persist = self.in_flight
        assert persist is not None
        self.in_flight = None
        disk = self.disk
        if persist.snapshot is not None:
            disk.log.install(persist.snapshot)
            disk.applied, disk.membership = persist.snapshot.index, persist.snapshot.membership
            self.applied, self.membership = disk.applied, disk.membership
        if persist.entries:
            disk.log.append(persist.entries)
        if persist.hard_state is not None:
            disk.hard_state = persist.hard_state
        return persist

    def apply(self, entry: Entry) -> None:
        """Applies one entry to the state machine in memory."""
        assert entry.index == self.applied + 1, "entries are applied in order, without a gap"
        self.applied = entry.index
        if entry.kind == EntryKind.MEMBERSHIP:
            self.membership = changed(self.membership, decode_change(entry.data))

    def flush(self) -> None:
        """Brings the state machine to the disk."""
        self.disk.applied, self.disk.membership = self.applied, self.membership


class Cluster:
    """Servers, and the messages between them."""

    def __init__(self, voters: Iterable[int], *, learners: Iterable[int] = (), seed: int = 0, **options: int) -> None:
        self.options = options
        self.rng = random.Random(seed)
        self.servers: dict[int, Server] = {}
        self.network: deque[Message] = deque()
        self.cuts: set[frozenset[int]] = set()
        self.invariants = Invariants()
        self.observers: list[Callable[[str], None]] = []
        self.reads: dict[bytes, int] = {}
        self.lost_reads: list[bytes] = []
        membership = Membership(tuple(sorted(voters)), tuple(sorted(learners)))
        for node_id in membership.voters + membership.learners:
            self.boot(node_id, membership)

    # --- servers ---------------------------------------------------------------------------------------------------

    def boot(self, node_id: int, membership: Membership | None = None) -> None:
        """A new server; without a membership it waits to be added."""
        config = Config(node_id=node_id, **self.options)  # type: ignore[arg-type] # all options given here are integers
        rng = random.Random(self.rng.getrandbits(32) ^ node_id)
        self.servers[node_id] = Server(config, membership or Membership(), rng)

    def __getitem__(self, node_id: int) -> Raft:
        return self.servers[node_id].raft

    def up(self) -> list[int]:
        """The servers that run."""
        return [node_id for node_id, server in self.servers.items() if server.up]

    def crash(self, node_id: int, *, synced: bool = False) -> None:
        """The machine loses what is not on its disk; `synced`: the persist in flight got there, its messages did not leave."""
        server = self.servers[node_id]
        if synced and server.in_flight is not None:
            server.write()
        server.up = False

    def restart(self, node_id: int) -> None:
        """The machine comes back with its disk."""
        self.servers[node_id].start()
        self._check(node_id)

    # --- single steps ----------------------------------------------------------------------------------------------

    def tick(self, node_id: int, count: int = 1) -> None:
        """Time passes at one server."""
        for _ in range(count):
            self[node_id].tick()
            self._check(node_id)

    def turn(self, node_id: int) -> None:
        """Takes the Ready of a server: sends, applies, and puts a persist in flight."""
        server = self.servers[node_id]
        ready = server.raft.ready()
        self._send(node_id, ready.messages)
        if ready.persist is not None:
            assert server.in_flight is None, "one persist at a time"
            server.in_flight = ready.persist
            self._tell(node_id, ready.persist)
        for entry in ready.committed:
            server.apply(entry)
            self.invariants.applied(entry)
        if ready.committed:
            server.raft.applied_to(server.applied)
            self._say(f"{node_id} applies {describe_entries(ready.committed)}")
        for context, index in ready.reads:
            self.invariants.read_answered(context, index)
            self.reads[context] = index
            self._say(f"{node_id} reads {context.decode()} at {index}")
        for context in ready.lost_reads:
            self.lost_reads.append(context)
            self._say(f"{node_id} lost read {context.decode()}")
        self._check(node_id)

    def sync(self, node_id: int) -> None:
        """The persist in flight reaches the disk; its messages leave."""
        server = self.servers[node_id]
        if server.in_flight is None:
            return
        persist = server.write()
        self._send(node_id, persist.messages)
        server.raft.persisted(persist)
        self._check(node_id)

    def deliver(self, message: Message) -> None:
        """Hands one message over, unless it cannot get there."""
        target = self.servers.get(message.target)
        arrives = target is not None and target.up and not self.is_cut(message.source, message.target)
        if isinstance(message, InstallSnapshot):
            self._report_snapshot(message, ok=arrives)
        if arrives:
            assert target is not None
            target.raft.step(message)
            self._check(message.target)

    def lose(self, message: Message) -> None:
        """A message is gone."""
        if isinstance(message, InstallSnapshot):
            self._report_snapshot(message, ok=False)

    def _report_snapshot(self, message: InstallSnapshot, *, ok: bool) -> None:
        source = self.servers.get(message.source)
        if source is not None and source.up:
            source.raft.report_snapshot(message.target, ok=ok)
            self._check(message.source)

    # --- many steps ------------------------------------------------------------------------------------------------

    def settle(self, limit: int = 10_000) -> None:
        """Turns, syncs and delivers until nothing is left to do; disks that are held stay busy."""
        for _ in range(limit):
            busy = False
            for node_id in self.up():
                server = self.servers[node_id]
                while server.raft.has_ready():
                    busy = True
                    self.turn(node_id)
                if server.in_flight is not None and not server.disk_held:
                    busy = True
                    self.sync(node_id)
            for _ in range(len(self.network)):
                busy = True
                self.deliver(self.network.popleft())
            if not busy:
                return
        raise AssertionError("the cluster never comes to rest")

    def pass_time(self, ticks: int) -> None:
        """Time passes everywhere, and everything settles after each tick."""
        for _ in range(ticks):
            for node_id in self.up():
                self.tick(node_id)
            self.settle()

    def elect(self, node_id: int) -> None:
        """Makes a server the leader."""
        self[node_id].campaign()
        self.settle()
        if self[node_id].leader != node_id:  # voters still hear from another leader
            for other in self.up():
                self[other].peer_lost(self[other].leader)
            self[node_id].campaign()
            self.settle()
        assert self[node_id].leader == node_id

    def leader(self) -> int | None:
        """Who leads in the highest term, if anybody."""
        leaders = [(self[i].term, i) for i in self.up() if self[i].status().role == Role.LEADER]
        return max(leaders)[1] if leaders else None

    # --- requests --------------------------------------------------------------------------------------------------

    def propose(self, node_id: int, *data: bytes) -> bool:
        """Proposes commands; False if they were dropped."""
        try:
            self[node_id].propose([(EntryKind.NORMAL, item) for item in data])
        except ProposalDroppedError:
            return False
        self._check(node_id)
        return True

    def change(self, node_id: int, kind: ChangeKind, member: int) -> bool:
        """Proposes a membership change; False if it was dropped."""
        data = encode_change(MembershipChange(kind, member))
        try:
            self[node_id].propose([(EntryKind.MEMBERSHIP, data)])
        except ProposalDroppedError:
            return False
        self._check(node_id)
        return True

    def read(self, node_id: int, context: bytes) -> None:
        """Asks for a read index."""
        self[node_id].read_index(context)
        self.invariants.read_asked(context)

    def compact(self, node_id: int, index: int | None = None) -> None:
        """Compacts a log up to what is applied, or to `index`."""
        server = self.servers[node_id]
        index = min(server.applied, server.disk.log.last_index(), index if index is not None else server.applied)
        if index > server.disk.log.first_index() - 1:
            server.flush()
            server.raft.compact(index)
            server.disk.log.compact(index)
            self._check(node_id)

    def data(self, node_id: int) -> list[bytes]:
        """The commands that a server has in its log."""
        return [entry.data for entry in log_of(self[node_id]) if entry.data and entry.kind == EntryKind.NORMAL]

    # --- the network -----------------------------------------------------------------------------------------------

    def cut(self, *groups: Iterable[int]) -> None:
        """Messages between different groups are lost from now on."""
        sets = [set(group) for group in groups]
        self.cuts = {frozenset((a, b)) for one in sets for other in sets if one is not other for a in one for b in other}

    def heal(self) -> None:
        """Every message may get through again."""
        self.cuts = set()

    def is_cut(self, source: int, target: int) -> bool:
        """Whether messages between the two are lost."""
        return frozenset((source, target)) in self.cuts

    def take(self, source: int, target: int) -> list[Message]:
        """Takes the messages of one link out of the network."""
        taken = [message for message in self.network if (message.source, message.target) == (source, target)]
        self.network = deque(message for message in self.network if (message.source, message.target) != (source, target))
        return taken

    def _send(self, node_id: int, messages: list[Message]) -> None:
        for message in messages:
            assert message.source == node_id
            self.invariants.sent(message, self.servers[node_id])
            self.network.append(message)
            self._say(describe(message))

    # --- watching --------------------------------------------------------------------------------------------------

    def _check(self, node_id: int) -> None:
        self.invariants.check(node_id, self.servers)

    def _tell(self, node_id: int, persist: Persist) -> None:
        if self.observers:
            self._say(f"{node_id} persists {describe_persist(persist)}")

    def _say(self, line: str) -> None:
        for observer in self.observers:
            observer(line)


def log_of(raft: Raft) -> list[Entry]:
    """All entries that a core has, on disk and in memory."""
    log = raft._log
    entries: list[Entry] = []
    index = log.start_index + 1
    while index <= log.last_index:
        entries += log.slice(index, log.last_index + 1, 1 << 30)
        index = entries[-1].index + 1
    return entries


def describe_entries(entries: Iterable[Entry]) -> str:
    """Entries as index@term:data."""
    return " ".join(f"{entry.index}@{entry.term}{describe_data(entry)}" for entry in entries)


def describe_data(entry: Entry) -> str:
    """The data of an entry, readable."""
    if entry.kind == EntryKind.MEMBERSHIP:
        change = decode_change(entry.data)
        return f":{change.kind.name.lower()}-{change.node_id}"
    return f":{entry.data.decode()}" if entry.data else ""


def describe_snapshot(snapshot: Snapshot) -> str:
    """A snapshot in one line."""
    learners = f"+{list(snapshot.membership.learners)}" if snapshot.membership.learners else ""
    return f"snapshot {snapshot.index}@{snapshot.term} of {list(snapshot.membership.voters)}{learners}"


def describe_persist(persist: Persist) -> str:
    """A persist in one line."""
    parts = [] if persist.must_sync else ["(unsynced)"]
    if persist.hard_state is not None:
        parts.append("term={} vote={} commit={}".format(*persist.hard_state))
    if persist.snapshot is not None:
        parts.append(describe_snapshot(persist.snapshot))
    if persist.entries:
        parts.append(describe_entries(persist.entries))
    return " ".join(parts)


def describe(message: Message) -> str:
    """A message in one line, without what is empty."""
    fields = []
    for name in message.__dataclass_fields__:
        value = getattr(message, name)
        if name in {"source", "target", "term"} or value in {False, b"", ()} or (value == 0 and name.startswith("hint")):
            continue
        if name == "entries":
            fields.append(f"[{describe_entries(value)}]")
        elif name == "snapshot":
            fields.append(describe_snapshot(value))
        elif name == "proposals":
            fields.append(str([data.decode() for _, data in value]))
        elif name == "context":
            fields.append(f"context={int.from_bytes(value, 'big') if len(value) == 8 else value.decode()}")
        else:
            fields.append(name if value is True else f"{name}={value}")
    return " ".join([f"{message.source}->{message.target}", type(message).__name__, f"term={message.term}", *fields])
