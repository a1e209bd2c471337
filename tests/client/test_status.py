import pytest

from raftkv.client.channel import Reply
from raftkv.client.status import error_of
from raftkv.errors import (
    BY_TEXT,
    Code,
    CompactedError,
    InvalidArgumentError,
    LeaderChangedError,
    RequestError,
    UnavailableError,
)


def error(code: int, text: str) -> RequestError:
    return error_of(Reply(code, text, b"", ()))


def test_known_text_comes_back_as_its_class() -> None:
    assert type(error(11, "etcdserver: mvcc: required revision has been compacted")) is CompactedError
    assert type(error(14, "etcdserver: leader changed")) is LeaderChangedError


def test_every_text_is_known_once() -> None:
    assert all(kind.text == text for text, kind in BY_TEXT.items())
    assert len({kind.text for kind in BY_TEXT.values()}) == len(BY_TEXT)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(14, UnavailableError), (3, InvalidArgumentError), (9, RequestError), (2, RequestError), (99, RequestError)],
)
def test_unknown_text_comes_back_by_its_code(code: int, kind: type[RequestError]) -> None:
    failure = error(code, "something new")
    assert type(failure) is kind
    assert str(failure) == "something new"
    assert failure.code == (code if code < 17 else Code.UNKNOWN)


def test_code_of_the_answer_wins_over_that_of_the_class() -> None:
    """etcd 3.5 and 3.6 do not agree on the code of every text."""
    assert error(2, "etcdserver: too many requests").code is Code.UNKNOWN


def test_status_without_text_says_so() -> None:
    assert str(error(13, "")) == "the server answered INTERNAL without a text"
