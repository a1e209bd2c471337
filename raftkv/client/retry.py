"""What a failed attempt means for the call: pure decisions, and the account of the attempts made so far.

    failure                                        reads        writes
    no connection; stream refused; GOAWAY below it retry        retry: the server has not seen the request
    "no leader", "too many requests", a learner    retry        retry: refused before anything was done
    connection broke after the request was sent    retry        in doubt
    "request timed out", any other Unavailable     retry        in doubt
    deadline passed at the server                  retry        in doubt
    any other status                               final        final, if no earlier attempt is in doubt

A write in doubt is sent again, under the same request id, only to a server that applies a request id once, which is raftkv.
Everywhere else a second copy could be applied too; there the call ends with OutcomeUnknownError.

Once a write is in doubt, a refusal of its repetition proves nothing about the first copy (which may be in the log still),
unless the request was wrong from the start. Only an answer ends the doubt.
"""

from enum import Enum
from random import Random

from raftkv.client.channel import UnaryCall
from raftkv.client.method import Repeat
from raftkv.errors import (
    AnswerNotKeptError,
    Code,
    ConnectError,
    ConnectionBrokenError,
    DeadlineExceededError,
    InvalidArgumentError,
    KeyNotFoundError,
    LearnerError,
    NoLeaderError,
    NotLeaderError,
    OutcomeUnknownError,
    RaftKVError,
    RequestError,
    TooManyRequestsError,
    WriteTimeoutError,
)

FIRST_BACKOFF_S = 0.05
MAX_BACKOFF_S = 1.0

REFUSED_UNSEEN = (NoLeaderError, NotLeaderError, LearnerError, TooManyRequestsError)
"""What a server says before it has done anything."""


class Verdict(Enum):
    """What may be done after a failed attempt."""

    RETRY = "retry"
    DOUBT = "doubt"
    FINAL = "final"


def judge(failure: RaftKVError, repeat: Repeat) -> Verdict:
    """The table above."""
    if isinstance(failure, REFUSED_UNSEEN) or (isinstance(failure, ConnectionBrokenError) and not failure.sent):
        return Verdict.RETRY
    if failure.retryable or isinstance(failure, DeadlineExceededError):
        return Verdict.RETRY if repeat is Repeat.ALWAYS else Verdict.DOUBT
    return Verdict.FINAL


def backoff(failures: int, rng: Random) -> float:
    """Seconds to wait after so many failures: anything up to a bound that doubles ("full jitter"), so that clients spread."""
    return rng.uniform(0.0, min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failures, 10)))


class Account:
    """The attempts of one call, and the error that they add up to."""

    __slots__ = ("_doubt", "_last", "_repeat", "_timeout", "_unreachable", "attempts")

    def __init__(self, repeat: Repeat, timeout: float) -> None:
        self.attempts = 0
        self._repeat = repeat
        self._timeout = timeout
        self._doubt: RaftKVError | None = None
        self._last: RaftKVError | None = None
        self._unreachable: dict[str, str] = {}

    def note(self, failure: RaftKVError, *, doubtful: bool) -> None:
        """One more attempt has failed."""
        self.attempts += 1
        self._last = failure
        if doubtful:
            self._doubt = failure
        if isinstance(failure, ConnectionBrokenError) and not failure.sent:
            self._unreachable[failure.endpoint] = failure.reason
        else:
            self._unreachable.clear()

    def unreachable(self, endpoints: int) -> RaftKVError | None:
        """The error to raise when, since one last answered, each of so many endpoints turned out to be unreachable.

        That nobody takes the repetition of a write says nothing about its first copy.
        """
        if len(self._unreachable) < endpoints:
            return None
        return ConnectError(self._unreachable) if self._doubt is None else self.unknown()

    def unknown(self) -> OutcomeUnknownError:
        """The error for a write that is in doubt and cannot be repeated."""
        assert self._doubt is not None
        code = self._doubt.code if isinstance(self._doubt, RequestError) else Code.UNAVAILABLE
        kind = WriteTimeoutError if isinstance(self._doubt, DeadlineExceededError) else OutcomeUnknownError
        return kind(f"{OutcomeUnknownError.text}: {self._doubt}", code=code)

    def refused(self, failure: RaftKVError) -> RaftKVError:
        """The error for a call that was refused for good."""
        if self._doubt is None or _settles_doubt(failure):
            return failure
        return OutcomeUnknownError(f"{OutcomeUnknownError.text}: {self._doubt}; when repeated: {failure}")

    def timed_out(self, attempt: UnaryCall | None, endpoint: str) -> RaftKVError:
        """The error at the deadline, in the middle of an attempt at `endpoint` or before any (None)."""
        sent = attempt is not None and attempt.sent
        if attempt is not None and not attempt.connected and self._doubt is None:
            self._unreachable.setdefault(endpoint, f"no connection within {self._timeout:g} s")
        if self._unreachable and not sent and self._doubt is None:
            return ConnectError(self._unreachable)
        waited = f"no answer from {endpoint}" if sent else "not sent"
        text = f"{DeadlineExceededError.text}: {waited} within {self._timeout:g} s"
        if self._last is not None:
            text += f", after {self.attempts} failed attempts, the last: {self._last}"
        if self._repeat is not Repeat.ALWAYS and (sent or self._doubt is not None):
            return WriteTimeoutError(f"{text}; the write may have been applied")
        return DeadlineExceededError(text)


def _settles_doubt(failure: RaftKVError) -> bool:
    """Whether a refusal says what became of an earlier copy: the request is wrong whenever it comes, or was applied."""
    return isinstance(failure, InvalidArgumentError | AnswerNotKeptError) and not isinstance(failure, KeyNotFoundError)
