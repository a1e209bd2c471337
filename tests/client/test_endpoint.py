import pytest

from raftkv.client.endpoint import Endpoint, parse_endpoint, parse_endpoints
from raftkv.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("node1", Endpoint("node1", 2379)),
        ("node1:1234", Endpoint("node1", 1234)),
        ("http://node1:1234", Endpoint("node1", 1234)),
        ("https://node1", Endpoint("node1", 2379, tls=True)),
        ("http://10.0.0.1:80/", Endpoint("10.0.0.1", 80)),
        ("[::1]:2379", Endpoint("::1", 2379)),
    ],
)
def test_endpoint_is_read_as_users_write_it(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text, tls=False) == expected


def test_options_with_tls_encrypt_endpoints_without_a_scheme() -> None:
    assert parse_endpoint("node1", tls=True).tls


def test_plain_text_is_refused_where_tls_was_asked_for() -> None:
    with pytest.raises(ConfigError, match="http contradicts"):
        parse_endpoint("http://node1", tls=True)


@pytest.mark.parametrize("text", ["node1:port", "ftp://node1", "node1:1/path", "user@node1:1", "http://", "node1:70000", "a?b"])
def test_what_is_no_endpoint_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(ConfigError, match="endpoint"):
        parse_endpoint(text, tls=False)


def test_string_of_endpoints_is_cut_at_commas_and_doubles_are_dropped() -> None:
    assert parse_endpoints("a:1, b:2,a:1,") == (Endpoint("a", 1), Endpoint("b", 2))
    assert parse_endpoints(["a:1", "b:2"]) == (Endpoint("a", 1), Endpoint("b", 2))


@pytest.mark.parametrize("nothing", ["", " , ", []])
def test_no_endpoint_at_all_is_refused(nothing: str | list[str]) -> None:
    with pytest.raises(ConfigError, match="no endpoint"):
        parse_endpoints(nothing)


@pytest.mark.parametrize("text", ["node1:2379", "[::1]:2379"])
def test_endpoint_reads_as_it_was_written(text: str) -> None:
    assert str(parse_endpoint(text, tls=False)) == text
