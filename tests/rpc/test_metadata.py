"""Metadata as typed values; nonsense is refused, never guessed at."""

import pytest

from raftkv.errors import InvalidRequestIdError, InvalidStalenessError
from raftkv.rpc.metadata import max_staleness_s, needs_leader, request_id


def test_a_request_id_is_client_and_sequence() -> None:
    identifier = request_id({"raftkv-request-id": "00ff-12"})
    assert identifier is not None
    assert (identifier.client, identifier.sequence) == (b"\x00\xff", 12)
    assert request_id({}) is None


@pytest.mark.parametrize("text", ["", "12", "-1", "zz-1", "00-", "00-x", "00-0", "00--1", f"{'00' * 65}-1", f"00-{2**63}"])
def test_other_request_ids_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequestIdError):
        request_id({"raftkv-request-id": text})


def test_staleness_is_in_milliseconds() -> None:
    assert max_staleness_s({"raftkv-max-staleness-ms": "250"}) == 0.25
    assert max_staleness_s({}) is None


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "²"])
def test_other_stalenesses_are_refused(text: str) -> None:
    with pytest.raises(InvalidStalenessError):
        max_staleness_s({"raftkv-max-staleness-ms": text})


def test_hasleader_is_true_or_nothing() -> None:
    assert needs_leader({"hasleader": "true"})
    assert not needs_leader({"hasleader": "false"})
    assert not needs_leader({})
