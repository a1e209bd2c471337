"""The state machine: the one place where log entries become state.

    entry -> command -> request id known? -> its answer again
                     -> not allowed?      -> refusal, which is not remembered
                     -> alarm?            -> refusal
                     -> store, members, alarms, users, version -> answer, events

All replicas apply the same entries to the same state with the same result. So nothing here depends on a clock, dice, the
size of the disk, hash order or which node this is; a refusal is a result like any other. An exception other than
RequestError is a bug, and the node must stop rather than go on with half an entry.
"""

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from struct import error as StructError  # noqa: N812 (a name of its own, beside Struct)
from typing import Any

import structlog
from google.protobuf.message import DecodeError

from raftkv.apply.alarms import Alarms
from raftkv.apply.changes import REFUSALS
from raftkv.apply.command import plain_put
from raftkv.apply.members import Members
from raftkv.apply.outcome import NOTHING, Outcome, Response
from raftkv.apply.requests import Answer, RequestTable
from raftkv.apply.rights import check_rights
from raftkv.apply.updates import Updates
from raftkv.auth.state import Auth, Author
from raftkv.errors import CorruptClusterError, NoSpaceError, NotAllowedError, RequestError, StorageError
from raftkv.lease import LeaseCommands, Lessor
from raftkv.lighthouse import Lighthouses
from raftkv.mvcc import Event, Steps, Store
from raftkv.mvcc.checks import puts_anything
from raftkv.mvcc.steps import begin
from raftkv.pb.command import ChangeMember, Command, IssueToken, SetClusterVersion, SetDowngrade, SetMember
from raftkv.pb.raft import MembershipChange
from raftkv.pb.rpc import AlarmRequest, Member
from raftkv.quotas import QuotaBook
from raftkv.raft.messages import ChangeKind, Entry, EntryKind, Membership
from raftkv.rendezvous import Rendezvous
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

log = structlog.get_logger(__name__)

APPLIED_ROW = b"applied"
"""The key of the applied index and term in STATE."""

_VERSION_ROW = b"cluster_version"
_DOWNGRADE_ROW = b"downgrade"
_applied = Struct(">QQ")

_KEY_REQUESTS = {
    "put",
    "delete_range",
    "txn",
    "compact",
    "lease_grant",
    "lease_revoke",
    "expire_leases",
    "update",
    "rendezvous",
    "form_quorum",
}
"""The commands that alarms may forbid."""
_NEED_SPACE = {"put", "lease_grant", "update"}
_BOUND_BY_QUOTAS = {"put", "txn", "update"}

Result = tuple[Response | None, Sequence[Event]]
"""An answer and the events."""


def _read(data: bytes) -> Command | None:
    """None where it cannot be read. The leader lets no such thing in (server/forwarded.py); to stop at it would be for ever."""
    try:
        return Command.FromString(data)
    except DecodeError:
        return None


def decode_applied(row: bytes | None) -> tuple[int, int]:
    """The index and term that a row of STATE holds; zeros, where there is none."""
    if row is None:
        return 0, 0
    index, term = _applied.unpack(row)
    return index, term


class StateMachine:
    """The replicated state: the store, the members, the alarms, the request ids. `load` comes first, and again after a
    snapshot was installed.
    """

    def __init__(self, state: Overlay, store: Store | None = None) -> None:
        self._state = state
        self.lessor = Lessor(state)
        self.store = store if store is not None else Store(state, self.lessor.exists, self.lessor)
        self.leases = LeaseCommands(self.lessor, self.store)
        self.rendezvous = Rendezvous(state, self.store, self.lessor)
        self.lighthouses = Lighthouses(state, self.store)
        self.applied_index = 0
        self.applied_term = 0
        self._term = 0
        """Of the entry that is being applied."""
        self.cluster_version = ""
        """As SetClusterVersion gave it; empty before the first one."""
        self.downgrade_target = ""
        """The version that the cluster is being brought down to; empty: none."""
        self._members = Members(state)
        self._alarms = Alarms(state)
        self._requests = RequestTable(state)
        self.auth = Auth(state, self._lease_keys)
        self.quotas = QuotaBook(state, self.store, self.auth)
        self._handlers: dict[str, Callable[[Any], Result | Steps[Result]]] = {
            "put": self.store.put,
            "delete_range": self.store.delete_range,
            "txn": self.store.txn,
            "compact": self.store.compact,
            "alarm": self._alarm,
            "lease_grant": self.leases.grant,
            "lease_revoke": lambda request: begin(self._with_deaths(self.leases.revoke(request), (request.ID,))),
            "expire_leases": lambda request: begin(self._with_deaths(self.leases.expire(request, self._term), request.ids)),
            "checkpoint_leases": lambda request: self.leases.checkpoint(request, self._term),
            "set_member": self._set_member,
            "change_member": self._change_member,
            "set_cluster_version": self._set_cluster_version,
            "set_downgrade": self._set_downgrade,
            "issue_token": self._issue_token,
            "rendezvous": self.rendezvous.apply,
            "rendezvous_timeouts": lambda request: self.rendezvous.time_out(request, self._term),
            "form_quorum": lambda request: self.lighthouses.form(request, self._term),
            "update": Updates(self.store).apply,
            "set_quota": lambda request: begin(self.quotas.set(request)),
            "remove_quota": self.quotas.remove,
            **{name: self._of_auth(handler) for name, handler in self.auth.handlers().items()},
        }

    @property
    def membership(self) -> Membership:
        """Who votes and who learns, as of the applied index."""
        return self._members.membership

    @property
    def members(self) -> dict[int, Member]:
        """What is known of each member, by id; not to be changed."""
        return self._members.by_id

    @property
    def removed(self) -> frozenset[int]:
        """Who was a member and never will be again."""
        return self._members.removed

    @property
    def alarms(self) -> set[tuple[int, int]]:
        """The alarms that are up: (member id, type); not to be changed."""
        return self._alarms.raised

    def load(self) -> Steps[None]:
        """Takes up what the tables hold.

        Raises:
            StorageError: something in them was never written so.
        """
        try:
            yield from self._load()
        except (DecodeError, StructError, ValueError, LookupError) as error:
            raise StorageError(f"the stored state is damaged: {error}") from error

    def _load(self) -> Steps[None]:
        self.applied_index, self.applied_term = decode_applied(self._state.get(Table.STATE, APPLIED_ROW))
        self.cluster_version = (self._state.get(Table.STATE, _VERSION_ROW) or b"").decode()
        self.downgrade_target = (self._state.get(Table.STATE, _DOWNGRADE_ROW) or b"").decode()
        self._members.load()
        self._alarms.load()
        self.auth.load()
        self.quotas.load()
        yield from self._requests.load()
        yield from self.lessor.load()
        yield from self.store.load()
        yield from self.rendezvous.load()
        yield from self.lighthouses.load()

    def bootstrap(self, membership: Membership, members: list[Member], *, index: int = 0, term: int = 0) -> None:
        """The members that a cluster starts with, which no entry of the log adds: this is the state at that index and term.
        Also where there is data already, of which nothing but the members and what was said of them is replaced.
        """
        assert index >= self.applied_index, "what is applied stays applied"
        self._members.set_membership(membership)
        self._members.begin_anew(members)
        self._alarms.put_all_down()
        self.applied_index, self.applied_term = index, term

    def keep_only(self, member_id: int) -> None:
        """Removes all members but one, which votes: what no entry does, for a cluster that has lost its quorum for good."""
        self._members.keep_only(member_id)
        self._alarms.put_all_down()

    def record_progress(self) -> None:
        """Stores how far this state is: once in each pass of `apply`, before the pass is sealed. Its rows and these reach the
        disk in one batch, so an entry is never applied twice.
        """
        self._state.put(Table.STATE, APPLIED_ROW, _applied.pack(self.applied_index, self.applied_term))
        self.store.record()
        self.quotas.record()

    def apply(self, entry: Entry) -> Outcome | Steps[Outcome]:
        """Applies the entry after the last one. Where this takes long it returns steps; they are to be finished before the
        next entry, and before `record_progress`.
        """
        assert entry.index == self.applied_index + 1, f"entry {entry.index} follows {self.applied_index}"
        data = entry.data
        if entry.kind == EntryKind.MEMBERSHIP:
            change = MembershipChange.FromString(data)
            self._members.change(ChangeKind(change.kind), change.node_id)
            data = change.context
        if not data:
            self.applied_index, self.applied_term = entry.index, entry.term
            return NOTHING
        if not self.auth.enabled and not self._alarms.raised and not self.quotas.counting:
            plain = plain_put(data)
            if plain is not None:
                proposer, proposal, key, value = plain
                event = self.store.put_plain(key, value)
                self.applied_index, self.applied_term = entry.index, entry.term
                return Outcome(None, None, (event,), proposer, proposal, event.revision)
        command = _read(data)
        if command is None:
            log.error("an entry of the log cannot be read and is passed over", index=entry.index)
            self.applied_index, self.applied_term = entry.index, entry.term
            return NOTHING
        return self._apply_command(entry, command)

    def _apply_command(self, entry: Entry, command: Command) -> Outcome | Steps[Outcome]:
        if command.HasField("request_id"):
            request_id = command.request_id
            known = self._requests.find(request_id.client, request_id.sequence)
            if known is not None:
                self.applied_index, self.applied_term = entry.index, entry.term
                return Outcome(known.response, known.error, (), command.proposer, command.proposal)
        self._term = entry.term
        try:
            result = self._execute(command)
        except RequestError as error:
            return self._settle(entry, command, None, (), error)
        if isinstance(result, tuple):
            return self._settle(entry, command, *result)
        return self._finish(entry, command, result)

    def _execute(self, command: Command) -> Result | Steps[Result]:
        body = command.WhichOneof("body")
        assert body is not None, "a command that this version does not know"
        if command.refusal:
            raise REFUSALS[command.refusal]
        request = getattr(command, body)
        if self.auth.enabled:
            check_rights(self.auth, body, request, Author(command.user, command.auth_revision))
        if self._alarms.raised:
            self._check_alarms(body, request)
        if self.quotas.counting:
            self.quotas.asked_by(command.user if body in _BOUND_BY_QUOTAS else None)
        return self._handlers[body](request)

    def _finish(self, entry: Entry, command: Command, steps: Steps[Result]) -> Steps[Outcome]:
        try:
            response, events = yield from steps
        except RequestError as error:
            return self._settle(entry, command, None, (), error)
        return self._settle(entry, command, response, events)

    def _settle(
        self,
        entry: Entry,
        command: Command,
        response: Response | None,
        events: Sequence[Event],
        error: RequestError | None = None,
    ) -> Outcome:
        if command.HasField("request_id") and not isinstance(error, NotAllowedError):
            request_id = command.request_id
            self._requests.keep(request_id.client, request_id.sequence, entry.index, Answer(response, error))
        self.applied_index, self.applied_term = entry.index, entry.term
        return Outcome(response, error, events, command.proposer, command.proposal, trace=command.trace)

    def _check_alarms(self, body: str, request: Any) -> None:
        if body not in _KEY_REQUESTS:
            return
        if self._alarms.corrupt:
            raise CorruptClusterError
        if self._alarms.no_space and (body in _NEED_SPACE or (body == "txn" and puts_anything(request))):
            raise NoSpaceError

    def _alarm(self, request: AlarmRequest) -> Result:
        return self._alarms.apply(request, self.store.revision), ()

    def _set_member(self, request: SetMember) -> Result:
        self._members.publish(request.member)
        return None, ()

    def _change_member(self, request: ChangeMember) -> Result:
        return self._members.apply(request), ()

    def _set_cluster_version(self, request: SetClusterVersion) -> Result:
        self.cluster_version = request.version
        self._state.put(Table.STATE, _VERSION_ROW, request.version.encode())
        return None, ()

    def _set_downgrade(self, request: SetDowngrade) -> Result:
        self.downgrade_target = request.target_version
        self._state.put(Table.STATE, _DOWNGRADE_ROW, request.target_version.encode())
        return None, ()

    def _of_auth(self, handler: Callable[[Any], Response]) -> Callable[[Any], Result]:
        """A handler of users and roles, its answer with the revision of the keys, as all answers have it."""

        def handle(request: Any) -> Result:
            response = handler(request)
            response.header.revision = self.store.revision
            return response, ()

        return handle

    def _issue_token(self, request: IssueToken) -> Result:
        response = self.auth.issue_token(request, self.applied_index + 1)
        response.header.revision = self.store.revision
        return response, ()

    def _with_deaths(self, ending: Steps[Result], lease_ids: Sequence[int]) -> Steps[Result]:
        """Ends leases, and with them, in the same entry, the nodes of jobs that live by them."""
        response, events = yield from ending
        if self.rendezvous.holds(lease_ids):
            events = [*events, *self.rendezvous.leases_ended(lease_ids)]
        return response, events

    def _lease_keys(self, lease_id: int) -> Iterable[bytes]:
        lease = self.lessor.leases.get(lease_id)
        return () if lease is None else lease.keys
