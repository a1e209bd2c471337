import random

import pytest

from raftkv.client.channel import UnaryCall
from raftkv.client.method import Repeat
from raftkv.client.retry import MAX_BACKOFF_S, Account, Verdict, backoff, judge
from raftkv.errors import (
    AnswerNotKeptError,
    Code,
    CompactedError,
    ConnectError,
    ConnectionBrokenError,
    DeadlineExceededError,
    DuplicateKeyError,
    KeyNotFoundError,
    LeaderChangedError,
    LearnerError,
    NoLeaderError,
    NoSpaceError,
    OutcomeUnknownError,
    RaftKVError,
    RequestIdExpiredError,
    RequestTimeoutError,
    StoppedError,
    TooManyRequestsError,
    UnavailableError,
    WriteTimeoutError,
)

UNSENT = ConnectionBrokenError("a:1", "connection refused", sent=False)
SENT = ConnectionBrokenError("a:1", "connection reset", sent=True)
WRITES = [Repeat.BY_ID, Repeat.NEVER]


@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize("failure", [UNSENT, NoLeaderError(), LearnerError(), TooManyRequestsError()])
def test_what_the_server_has_not_begun_is_always_retried(failure: RaftKVError, repeat: Repeat) -> None:
    assert judge(failure, repeat) is Verdict.RETRY


@pytest.mark.parametrize(
    "failure",
    [SENT, RequestTimeoutError(), StoppedError(), LeaderChangedError(), UnavailableError("proxy"), DeadlineExceededError()],
)
def test_what_may_have_been_done_is_retried_for_reads_and_in_doubt_for_writes(failure: RaftKVError) -> None:
    assert judge(failure, Repeat.ALWAYS) is Verdict.RETRY
    assert [judge(failure, repeat) for repeat in WRITES] == [Verdict.DOUBT, Verdict.DOUBT]


@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize("failure", [CompactedError(), NoSpaceError(), KeyNotFoundError(), RequestIdExpiredError()])
def test_refusal_is_final(failure: RaftKVError, repeat: Repeat) -> None:
    assert judge(failure, repeat) is Verdict.FINAL


def test_refusal_of_a_first_attempt_is_the_error_itself() -> None:
    refusal = NoSpaceError()
    assert Account(Repeat.BY_ID, 5.0).refused(refusal) is refusal


@pytest.mark.parametrize("refusal", [NoSpaceError(), RequestIdExpiredError(), KeyNotFoundError()])
def test_refusal_of_a_repetition_leaves_the_doubt(refusal: RaftKVError) -> None:
    account = Account(Repeat.BY_ID, 5.0)
    account.note(SENT, doubtful=True)
    error = account.refused(refusal)
    assert isinstance(error, OutcomeUnknownError)
    assert str(refusal) in str(error)


@pytest.mark.parametrize("refusal", [DuplicateKeyError(), AnswerNotKeptError()])
def test_refusal_that_speaks_of_the_first_copy_too_ends_the_doubt(refusal: RaftKVError) -> None:
    account = Account(Repeat.BY_ID, 5.0)
    account.note(SENT, doubtful=True)
    assert account.refused(refusal) is refusal


def test_unknown_outcome_names_its_cause_and_is_not_retryable() -> None:
    account = Account(Repeat.BY_ID, 5.0)
    account.note(RequestTimeoutError(), doubtful=True)
    error = account.unknown()
    assert str(error) == "raftkv: the outcome of the write is unknown: etcdserver: request timed out"
    assert error.code is Code.UNAVAILABLE
    assert not error.retryable


def test_deadline_that_the_server_saw_first_is_a_write_timeout() -> None:
    account = Account(Repeat.BY_ID, 5.0)
    account.note(DeadlineExceededError(), doubtful=True)
    assert isinstance(account.unknown(), WriteTimeoutError)


def attempt(*, connected: bool, sent: bool) -> UnaryCall:
    call = UnaryCall("/p", b"")
    call.connected, call.sent = connected, sent
    return call


def test_deadline_with_a_write_under_way_leaves_its_outcome_open() -> None:
    error = Account(Repeat.BY_ID, 5.0).timed_out(attempt(connected=True, sent=True), "a:1")
    assert isinstance(error, WriteTimeoutError)
    assert isinstance(error, DeadlineExceededError)
    assert isinstance(error, OutcomeUnknownError)
    assert "no answer from a:1 within 5 s" in str(error)


def test_deadline_of_a_read_or_of_what_was_not_sent_leaves_nothing_open() -> None:
    read = Account(Repeat.ALWAYS, 5.0).timed_out(attempt(connected=True, sent=True), "a:1")
    unsent = Account(Repeat.BY_ID, 5.0).timed_out(attempt(connected=True, sent=False), "a:1")
    waiting = Account(Repeat.BY_ID, 5.0).timed_out(None, "None")
    assert [type(error) for error in (read, unsent, waiting)] == [DeadlineExceededError] * 3


def test_deadline_without_a_connection_names_each_endpoint_and_why() -> None:
    account = Account(Repeat.ALWAYS, 5.0)
    account.note(UNSENT, doubtful=False)
    error = account.timed_out(attempt(connected=False, sent=False), "b:2")
    assert isinstance(error, ConnectError)
    assert error.reasons == {"a:1": "connection refused", "b:2": "no connection within 5 s"}


def test_deadline_after_an_answer_says_what_the_last_one_was() -> None:
    account = Account(Repeat.ALWAYS, 5.0)
    account.note(UNSENT, doubtful=False)
    account.note(NoLeaderError(), doubtful=False)
    error = account.timed_out(None, "a:1")
    assert type(error) is DeadlineExceededError
    assert "after 2 failed attempts, the last: etcdserver: no leader" in str(error)


def test_endpoints_count_as_unreachable_only_while_none_has_answered() -> None:
    account = Account(Repeat.ALWAYS, 5.0)
    account.note(UNSENT, doubtful=False)
    assert account.unreachable(2) is None
    account.note(NoLeaderError(), doubtful=False)
    account.note(ConnectionBrokenError("b:2", "connection refused", sent=False), doubtful=False)
    assert account.unreachable(2) is None
    account.note(UNSENT, doubtful=False)
    error = account.unreachable(2)
    assert isinstance(error, ConnectError)
    assert set(error.reasons) == {"a:1", "b:2"}


def test_backoff_doubles_up_to_a_bound_with_full_jitter() -> None:
    rng = random.Random(1)
    for failures in range(50):
        bound = min(MAX_BACKOFF_S, 0.05 * 2.0**failures)
        pauses = [backoff(failures, rng) for _ in range(100)]
        assert 0 <= min(pauses) < bound / 4
        assert bound * 3 / 4 < max(pauses) <= bound


def test_write_in_doubt_stays_in_doubt_when_nobody_can_be_reached_any_more() -> None:
    account = Account(Repeat.BY_ID, 5.0)
    account.note(ConnectionBrokenError("a:1", "reset", sent=True), doubtful=True)
    account.note(ConnectionBrokenError("a:1", "refused", sent=False), doubtful=False)
    assert isinstance(account.unreachable(1), OutcomeUnknownError)
