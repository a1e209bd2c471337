import pytest

from raftkv.pb import rpc
from raftkv_cli.transaction_text import Parts, TransactionTextError, parse_compare, read_parts, split_words

Compare = rpc.Compare


@pytest.mark.parametrize(
    ("line", "compare"),
    [
        (b'mod("key1") > "0"', Compare(result=Compare.GREATER, target=Compare.MOD, key=b"key1", mod_revision=0)),
        (b'm("k") = "-1"', Compare(target=Compare.MOD, key=b"k", mod_revision=-1)),
        (b'create("k") < "9"', Compare(result=Compare.LESS, target=Compare.CREATE, key=b"k", create_revision=9)),
        (b'c("k") != "9"', Compare(result=Compare.NOT_EQUAL, target=Compare.CREATE, key=b"k", create_revision=9)),
        (b'version("k")=1', Compare(target=Compare.VERSION, key=b"k", version=1)),
        (b'ver( k )  =  "1"', Compare(target=Compare.VERSION, key=b"k", version=1)),
        (b'lease("k") = "1a"', Compare(target=Compare.LEASE, key=b"k", lease=26)),
        (b'lease("k") = "0x1a"', Compare(target=Compare.LEASE, key=b"k", lease=26)),
        (b'value("a b") = "x y"', Compare(target=Compare.VALUE, key=b"a b", value=b"x y")),
        (b'val("k(\\"") = "a=)\\x80"', Compare(target=Compare.VALUE, key=b'k("', value=b"a=)\x80")),
        (b'value("k") = ""', Compare(target=Compare.VALUE, key=b"k", value=b"")),
        (b"value(\xffk) = \xfe", Compare(target=Compare.VALUE, key=b"\xffk", value=b"\xfe")),
    ],
)
def test_reads_a_compare(line: bytes, compare: rpc.Compare) -> None:
    assert parse_compare(line) == compare


@pytest.mark.parametrize(
    "line",
    [
        b'mod("k") == "0"',
        b'mod("k") >= "0"',
        b"mod k > 0",
        b'foo("k") = "1"',
        b'VALUE("k") = "1"',
        b'version("k") = "x"',
        b'mod("k") > "0x1"',
        b'mod("k") > "9223372036854775808"',
        b'value("k") = "x',
        b'value("k") = "x" more',
        b'value("k") = "\\q"',
        b'value("k") = "\\777"',
        b'value("k") = "\\ud800"',
        b"",
    ],
)
def test_refuses_what_is_no_compare(line: bytes) -> None:
    with pytest.raises(TransactionTextError):
        parse_compare(line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"put  a \t b", [b"put", b"a", b"b"]),
        (b'put a "b c"', [b"put", b"a", b"b c"]),
        (b"put a 'b \\n \"c'", [b"put", b"a", b'b \\n "c']),
        (b"put a \"\" ''", [b"put", b"a", b"", b""]),
        (b'put a "\\101\\u00e9\\U0001F600\\xff\\"\\\\\\n"', [b"put", b"a", "Aé😀".encode() + b'\xff"\\\n']),
        (b"put a b\\nc", [b"put", b"a", b"b\\nc"]),
        (b"put a b'c\"d", [b"put", b"a", b"b'c\"d"]),
        (b"put \xff \x00", [b"put", b"\xff", b"\x00"]),
    ],
)
def test_splits_words(line: bytes, words: list[bytes]) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize("line", [b'put a "b', b"put a 'b", b'put a "b"c', b"put a 'b''c'", b'put a "\\x4"'])
def test_refuses_a_quote_that_does_not_end_a_word(line: bytes) -> None:
    with pytest.raises(TransactionTextError):
        split_words(line)


def read(text: bytes) -> Parts:
    return read_parts(text.splitlines(keepends=True), lambda _: None)


def test_reads_three_parts() -> None:
    parts = read(b'mod("k") > "0"\n\nput a b\nget a\n\ndel a\n\n')
    assert [compare.key for compare in parts.compares] == [b"k"]
    assert parts.success == [[b"put", b"a", b"b"], [b"get", b"a"]]
    assert parts.failure == [[b"del", b"a"]]


def test_every_part_may_be_empty_and_lines_may_end_in_crlf() -> None:
    assert read(b"\r\nput a b\r\n\r\n\r\n").success == [[b"put", b"a", b"b"]]
    assert read(b"\n\n\n") == Parts()


def test_the_input_may_end_the_last_part() -> None:
    assert read(b"\n\nget a").failure == [[b"get", b"a"]]
    assert read(b"\n\n").failure == []


@pytest.mark.parametrize("text", [b"", b'mod("k") > "0"', b"\nput k v", b"\nput k v\n"])
def test_a_text_cut_short_is_refused(text: bytes) -> None:
    with pytest.raises(TransactionTextError, match="ends too early"):
        read(text)


def test_each_part_is_announced_before_it_is_read() -> None:
    heard: list[str] = []

    def lines() -> object:
        yield b"\n"
        heard.append("-")
        yield b"\n"
        heard.append("-")
        yield b"\n"

    read_parts(lines(), heard.append)  # type: ignore[arg-type]  # a generator is an iterable of lines
    assert heard == ["compares:", "success requests (get, put, del):", "-", "failure requests (get, put, del):", "-"]
