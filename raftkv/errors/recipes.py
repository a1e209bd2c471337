"""Locks, elections and the like: as etcd's services answer, and as the recipes raise."""

from raftkv.errors.root import RaftKVError, RequestError


class SessionExpiredError(RequestError):
    """The place in the line was lost while waiting in it: its lease ended, or somebody deleted its key."""

    text = "mutex: session is expired"


class NotElectedError(RequestError):
    """The leadership that the request speaks of has ended."""

    text = "election: not leader"


class NoElectedLeaderError(RequestError):
    """Nobody leads in this election."""

    text = "election: no leader"


class MissingLeaderKeyError(RequestError):
    """Proclaim or Resign without saying whose leadership is meant."""

    text = '"leader" field must be provided'


class RecipeError(RaftKVError):
    """What the recipes (locks, elections and the like) raise beyond the errors of requests."""


class LostError(RecipeError):
    """What was held is held no more: its lease ran out, or its key was deleted. Whoever waited may hold it already."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} is lost: {reason}")
        self.name = name
        self.reason = reason


class HeldAlreadyError(RecipeError):
    """The task that asks for a lock holds it already: it would wait for itself."""

    def __init__(self, name: str) -> None:
        super().__init__(f"this task holds {name} already, and would wait for itself")
        self.name = name


class ForeignKeyError(RecipeError):
    """Among the keys of those who wait there is one without a lease: data, where only locks belong. Nobody would take it away."""

    def __init__(self, key: bytes) -> None:
        super().__init__(f"{key!r} is no waiter's key, for it hangs on no lease: keep data away from the names of locks")
        self.key = key


class NotAcquiredError(RecipeError):
    """Somebody else holds it, and the caller did not want to wait."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is held by another")
        self.name = name
