"""The whole etcd store with revisions, transactions and leases, as one object.

It is not partitioned, for the revision ties all keys together; but the revision in an answer says where in the order the
request belongs, which keeps the search short. Requests whose outcome is not known stay open: they may or may not have taken
place. Serializable reads are of the past and have a checker of their own.
"""

from collections.abc import Hashable, Sequence

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import UNKNOWN, Operation
from raftkv_jepsen.models.model import WHOLE, Action, Model, State
from raftkv_jepsen.store import EMPTY, Range, Store, apply, matches, parse_request, writes


class EtcdModel(Model):
    """Actions: (request, recorded answer, its revision or None). A lease may expire at any time after it was granted."""

    name = "etcd"

    def initial(self) -> State:
        return EMPTY

    def action(self, operation: Operation) -> Action | None:
        try:
            request = parse_request(operation.f, operation.argument)
            told = dict(operation.outcome) if operation.end is not None and isinstance(operation.outcome, tuple) else {}
        except (HistoryError, ValueError) as error:
            raise HistoryError(f"{operation}: {error}") from error
        if isinstance(request, Range) and (request.serializable or request.max_staleness_s is not None):
            return None
        if operation.end is None or operation.outcome is UNKNOWN:
            return None if not writes(request) else (request, UNKNOWN, None)
        return (request, operation.outcome, told.get("revision"))

    def step(self, state: State, action: Action) -> Sequence[State]:
        request, recorded, revision = action
        assert isinstance(state, Store)
        if revision is not None and not 0 <= revision - state.revision <= 1:
            return ()
        after, expected = apply(state, request)
        if recorded is UNKNOWN:
            return (after,)
        return (after,) if matches(expected, recorded) else ()

    def reads(self, action: Action) -> bool:
        return not writes(action[0])

    def part(self, operation: Operation) -> Hashable:  # noqa: ARG002
        return WHOLE
