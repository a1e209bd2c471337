"""What happened, as this node saw it: leaders, members, alarms, rounds of jobs. In memory, bounded, gone with the process.

The log knows no time, so each node notes when it saw things happen: nodes differ by what their clocks and networks do, and
what was before a node started has no time here. Rounds are noted in the very turn in which they are applied; the rest is
looked at once a second.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from raftkv.metrics.sources import Sources
from raftkv.pb.rpc import AlarmType
from raftkv.rpc.method import Call
from raftkv.ui.question import Gate, Json, Parameters
from raftkv.ui.visible import may_see_job

INTERVAL_S: Final = 1.0
MAX_EVENTS: Final = 2000

GOOD, INFO, WARN, BAD = "good", "info", "warn", "bad"
LEADER, MEMBER, ALARM, JOB, NODE = "leader", "member", "alarm", "job", "node"


class Event(NamedTuple):
    """One thing that happened."""

    number: int
    at: float
    """Seconds since 1970, by this node's clock."""
    kind: str
    severity: str
    subject: str
    """Whom it is about: a member's or a job's name."""
    text: str


class Journal:
    """The last events."""

    def __init__(self, sources: Sources, gate: Gate, unix_time: Callable[[], float]) -> None:
        self._sources = sources
        self._gate = gate
        self._unix_time = unix_time
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._number = 0
        self._leader = 0
        self._members: dict[int, str] = {}
        self._connected: set[int] = set()
        self._alarms: set[tuple[int, int]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.began = unix_time()

    def start(self) -> None:
        """Begins to look."""
        replica = self._sources.replica
        self._members = {member: self._name(member) for member in replica.members}
        self._alarms = set(replica.machine.alarms)
        self.note(NODE, INFO, self._name(replica.settings.node_id), "started to keep this journal")
        self._timer = self._loop.call_later(INTERVAL_S, self._look)

    def stop(self) -> None:
        """Ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def note(self, kind: str, severity: str, subject: str, text: str) -> None:
        """Something has happened."""
        self._number += 1
        self._events.append(Event(self._number, self._unix_time(), kind, severity, subject, text))

    async def page(self, call: Call, parameters: Parameters) -> Json:
        """`limit` events `before` a number, the newest first; of one `kind`, if said."""
        limit, kind = parameters.limit(), parameters.text("kind")
        before = parameters.number("before", 0, most=2**62) or 2**62
        chosen = (event for event in reversed(self._events) if event.number < before and kind in {"", event.kind})
        seen = (event for event in chosen if event.kind != JOB or may_see_job(self._gate, call, event.subject))
        rows = [event._asdict() for event in islice(seen, limit + 1)]
        return {"since": self.began, "events": rows[:limit], "more": len(rows) > limit}

    # --- looking ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._timer = self._loop.call_later(INTERVAL_S, self._look)
        self._look_at_leader()
        self._look_at_members()
        self._look_at_connections()
        self._look_at_alarms()

    def _look_at_leader(self) -> None:
        leader = self._sources.replica.leader
        if leader == self._leader:
            return
        if leader:
            self.note(LEADER, GOOD, self._name(leader), f"leads in term {self._sources.replica.term}")
        else:
            self.note(LEADER, BAD, self._name(self._leader), "is not the leader any more, and no other is known")
        self._leader = leader

    def _look_at_members(self) -> None:
        replica = self._sources.replica
        present = {member: self._name(member) for member in replica.members}
        for member, name in _differences(present, self._members):
            if member not in self._members:
                self.note(MEMBER, INFO, name, "was added to the cluster")
            elif member not in present:
                self.note(MEMBER, WARN, name, "was removed from the cluster")
            else:
                self.note(MEMBER, INFO, present[member], "has said its name and where it serves")
        self._members = present

    def _look_at_connections(self) -> None:
        present = set(self._sources.peers.connected)
        for member in sorted(present - self._connected):
            self.note(MEMBER, GOOD, self._name(member), "is connected")
        for member in sorted(self._connected - present):
            if member in self._members:
                self.note(MEMBER, BAD, self._name(member), "cannot be reached any more")
        self._connected = present

    def _look_at_alarms(self) -> None:
        present = set(self._sources.replica.machine.alarms)
        for member, alarm in sorted(present - self._alarms):
            self.note(ALARM, BAD, self._name(member), f"raised the alarm {_alarm(alarm)}")
        for member, alarm in sorted(self._alarms - present):
            self.note(ALARM, GOOD, self._name(member), f"alarm {_alarm(alarm)} was lowered")
        self._alarms = present

    def _name(self, member: int) -> str:
        found = self._sources.replica.members.get(member)
        return (found.name if found is not None else "") or self._members.get(member) or f"{member:x}"


def _alarm(alarm: int) -> str:
    return AlarmType.Name(alarm)


def _differences(present: dict[int, str], before: dict[int, str]) -> Iterator[tuple[int, str]]:
    for member in sorted(present.keys() | before.keys()):
        if present.get(member) != before.get(member):
            yield member, present.get(member) or before.get(member) or f"{member:x}"
