"""Texts that Go's own functions wrote, read off etcdctl 3.5.1's output."""

import pytest

from raftkv_cli.formats import go


@pytest.mark.parametrize(
    ("data", "quoted"),
    [
        (b"foo", '"foo"'),
        (b"", '""'),
        (b'ta"b<>&', '"ta\\"b<>&"'),
        (
            b"\x01\xff q \n \xc3\xa9 \xe2\x80\xa8 \xf0\x9d\x84\x9e \x7f\t\\",
            '"\\x01\\xff q \\n \u00e9 \\u2028 \U0001d11e \\u007f\\t\\\\"',
        ),
        (b"\xe2\x80a\xed\xa0\x80", '"\\xe2\\x80a\\xed\\xa0\\x80"'),
        (b"\a\b\f\v\r\0", '"\\a\\b\\f\\v\\r\\x00"'),
        ("\U000e0001".encode(), '"\\U000e0001"'),
        ("\u00a0\u00ad\ufffd".encode(), '"\\u00a0\\u00ad\ufffd"'),
    ],
)
def test_quotes_bytes_as_go_does(data: bytes, quoted: str) -> None:
    assert go.quote(data) == quoted


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1e-9, "1ns"),
        (24.326e-6, "24.326µs"),
        (0.001890411, "1.890411ms"),
        (0.5014342, "501.4342ms"),
        (0.9999999994, "999.999999ms"),
        (1, "1s"),
        (5.25, "5.25s"),
        (90.5, "1m30.5s"),
        (3600, "1h0m0s"),
        (100_000, "27h46m40s"),
    ],
)
def test_writes_durations_as_go_does(seconds: float, text: str) -> None:
    assert go.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (9, "9 B"),
        (82, "82 B"),
        (1000, "1.0 kB"),
        (20480, "20 kB"),
        (32768, "33 kB"),
        (999_999, "1000 kB"),
        (1_500_000, "1.5 MB"),
        (2_147_483_648, "2.1 GB"),
    ],
)
def test_writes_sizes_as_humanize_does(count: int, text: str) -> None:
    assert go.size(count) == text


def test_json_escapes_what_go_escapes() -> None:
    assert (
        go.dump_json({"a": '<b>&"\\b\b\f\u2028\x7f\u00e9'})
        == r'{"a":"\u003cb\u003e\u0026\"\\b\u0008\u000c\u2028' + '\x7f\u00e9"}'
    )
