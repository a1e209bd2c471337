r"""The replicated part of all lighthouses: which quorum a job had last. What is alive and who asks is the leader's to know.

    FormQuorum (the leader's, of its own term) --> quorum_id --> a row and a key, where the groups have changed
                                                            \--> audience: whose calls are answered

A quorum's id is decided here, in the order of the log: so it never comes back and never falls, whoever leads. It grows when the
groups change, or when one of them says that its last steps came to nothing. Between such quorums, one for each step of the
training, nothing is written: they are told, and forgotten.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from raftkv.errors import NotLeaderError
from raftkv.lighthouse.layout import quorum_key
from raftkv.mvcc import Event, Steps, Store
from raftkv.mvcc.steps import SLICE_ROWS
from raftkv.pb.lighthouse import FormQuorum
from raftkv.pb.rpc import PutRequest
from raftkv.pb.torchft import LighthouseQuorumResponse
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

MAX_JOBS = 10_000
"""Of more, the one is forgotten whose groups changed longest ago."""
_ROW = b"lighthouse:"
_ROWS_END = b"lighthouse;"
_FLOOR_ROW = b"lighthouse_floor"


class Formed(NamedTuple):
    """What is kept of a quorum."""

    quorum_id: int
    groups: tuple[str, ...]
    """In order."""
    revision: int
    """At which its groups, or its id, changed."""


class Audience(Protocol):
    """Whoever waits for quorums; what it does must not change what is replicated."""

    def formed(self, job: str, tickets: Sequence[int], response: bytes) -> None:
        """These calls have their answer."""
        ...


class Lighthouses:
    """Those of all jobs. `load` comes first, and again after a snapshot was installed."""

    def __init__(self, state: Overlay, store: Store) -> None:
        self._state = state
        self._store = store
        self._jobs: dict[str, Formed] = {}
        """In the order in which their groups changed last."""
        self._floor = 0
        """No id of a job that was forgotten is above it, and no job begins below."""
        self.audience: list[Audience] = []

    @property
    def jobs(self) -> Mapping[str, Formed]:
        """The last quorum of each job; not to be changed."""
        return self._jobs

    def form(self, request: FormQuorum, term: int) -> tuple[None, Sequence[Event]]:
        """A quorum, as the leader of a term decided it. `term` is the entry's own.

        Raises:
            NotLeaderError: the entry comes from a leader that was deposed before it was appended.
        """
        if request.term != term:
            raise NotLeaderError
        groups = tuple(member.replica_id for member in request.participants)
        last = self._jobs.get(request.job)
        events: Sequence[Event] = ()
        if last is None or last.groups != groups or any(member.commit_failures > 0 for member in request.participants):
            before = self._floor if last is None else last.quorum_id
            last = Formed(before + 1, groups, self._store.revision + 1)
            events = self._keep(last, request)
        response = _response(request, last.quorum_id)
        for listener in self.audience:
            listener.formed(request.job, request.tickets, response)
        return None, events

    def _keep(self, formed: Formed, request: FormQuorum) -> Sequence[Event]:
        job = request.job
        self._jobs.pop(job, None)
        self._jobs[job] = formed
        self._state.put(Table.STATE, _ROW + job.encode(), json.dumps(formed._asdict()).encode())
        if len(self._jobs) > MAX_JOBS:
            self._forget(next(iter(self._jobs)))
        view = PutRequest(key=quorum_key(job).encode(), value=_view(formed, request))
        return self._store.put(view).events

    def _forget(self, job: str) -> None:
        forgotten = self._jobs.pop(job)
        self._state.delete(Table.STATE, _ROW + job.encode())
        if forgotten.quorum_id > self._floor:
            self._floor = forgotten.quorum_id
            self._state.put(Table.STATE, _FLOOR_ROW, b"%d" % self._floor)

    def load(self) -> Steps[None]:
        """Takes up what the rows hold."""
        found: list[tuple[str, Formed]] = []
        for number, (row, value) in enumerate(self._state.scan(Table.STATE, _ROW, _ROWS_END), start=1):
            fields = json.loads(value)
            found.append((row[len(_ROW) :].decode(), Formed(fields["quorum_id"], tuple(fields["groups"]), fields["revision"])))
            if number % SLICE_ROWS == 0:
                yield
        found.sort(key=lambda item: item[1].revision)
        self._jobs.clear()
        self._jobs.update(found)
        self._floor = int(self._state.get(Table.STATE, _FLOOR_ROW) or b"0")


def _response(request: FormQuorum, quorum_id: int) -> bytes:
    response = LighthouseQuorumResponse()
    quorum = response.quorum
    quorum.quorum_id = quorum_id
    quorum.participants.extend(request.participants)
    quorum.created.seconds, quorum.created.nanos = divmod(request.created_ns, 1_000_000_000)
    return response.SerializeToString(deterministic=True)


def _view(formed: Formed, request: FormQuorum) -> bytes:
    created = datetime.fromtimestamp(request.created_ns // 1_000_000_000, UTC)
    names = ("replica_id", "address", "store_address", "step", "world_size")
    participants = [{name: getattr(member, name) for name in names} for member in request.participants]
    shown = {"quorum_id": formed.quorum_id, "created": created.isoformat(), "participants": participants}
    return json.dumps(shown, sort_keys=True).encode()
