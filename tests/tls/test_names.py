"""Names in certificates."""

import pytest

from raftkv.tls.names import common_name, hosts_of, valid_for

CERTIFICATE = {
    "subject": ((("countryName", "x"),), (("commonName", "alice"),)),
    "subjectAltName": (("DNS", "a.test"), ("DNS", "*.b.test"), ("IP Address", "10.0.0.1"), ("IP Address", "0:0:0:0:0:0:0:1")),
}


def test_the_common_name_is_found_in_what_ssl_hands_out() -> None:
    assert common_name(CERTIFICATE) == "alice"
    assert common_name({}) == common_name(None) == ""


@pytest.mark.parametrize("host", ["a.test", "A.TEST.", "x.b.test", "10.0.0.1", "::1"])
def test_a_certificate_is_valid_for_the_hosts_that_it_names(host: str) -> None:
    assert valid_for(CERTIFICATE, host)


@pytest.mark.parametrize("host", ["b.test", ".b.test", "x.y.b.test", "10.0.0.2", "alice", "", "*.b.test.c"])
def test_and_for_no_others(host: str) -> None:
    assert not valid_for(CERTIFICATE, host)
    assert not valid_for(None, host)


def test_hosts_are_listed_for_complaints() -> None:
    assert hosts_of(CERTIFICATE) == ["a.test", "*.b.test", "10.0.0.1", "0:0:0:0:0:0:0:1"]
