r"""The text of a transaction: compares, what to do if all hold, what to do if not; an empty line ends each part.

    mod("key1") > "0"
    value("k") = "v"

    put key1 "a value with \n escapes"
    get key1

    del key1 --prefix

A compare is `target(key) operator value`; an operation is a get, put or del as on the command line. A word in double quotes
may hold blanks and Go's escapes, one in single quotes is taken as it is. The input is bytes, for keys and values are.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from raftkv.errors import ConfigError
from raftkv.pb import rpc

Compare = rpc.Compare
OPERATORS = {b"=": Compare.EQUAL, b"!=": Compare.NOT_EQUAL, b"<": Compare.LESS, b">": Compare.GREATER}
TARGETS = {
    b"c": Compare.CREATE,
    b"create": Compare.CREATE,
    b"m": Compare.MOD,
    b"mod": Compare.MOD,
    b"ver": Compare.VERSION,
    b"version": Compare.VERSION,
    b"val": Compare.VALUE,
    b"value": Compare.VALUE,
    b"lease": Compare.LEASE,
}
_QUOTED = rb'"(?:[^"\\]|\\.)*"'
_COMPARE = re.compile(rb"(\w+)\s*\(\s*(" + _QUOTED + rb'|[^\s"()]+)\s*\)\s*(!=|=|<|>)\s*(' + _QUOTED + rb'|[^\s"=]+)')
_WORD = re.compile(rb"(" + _QUOTED + rb")|'([^']*)'|([^\s'\"]\S*)")
_ESCAPE = re.compile(rb"\\(?:([abfnrtv\\\"'])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|.?)", re.DOTALL)
_SHORT_ESCAPES = dict(zip(b"abfnrtv\\\"'", b"\a\b\f\n\r\t\v\\\"'", strict=True))


class TransactionTextError(ConfigError):
    """The text does not read as a transaction."""


@dataclass(slots=True)
class Parts:
    """A transaction as it was read; operations are still lists of words."""

    compares: list[rpc.Compare] = field(default_factory=list)
    success: list[list[bytes]] = field(default_factory=list)
    failure: list[list[bytes]] = field(default_factory=list)


def read_parts(lines: Iterable[bytes], announce: Callable[[str], None]) -> Parts:
    """Reads the three parts; `announce` is told of each before its first line.

    Only the last part may end with the input: a text cut short before it would be another transaction.
    """
    source = iter(lines)
    parts = Parts()
    announce("compares:")
    parts.compares = [parse_compare(line) for line in _part(source, "the compares")]
    announce("success requests (get, put, del):")
    parts.success = [split_words(line) for line in _part(source, "the success requests")]
    announce("failure requests (get, put, del):")
    parts.failure = [split_words(line) for line in _part(source, None)]
    return parts


def _part(source: Iterator[bytes], must_end: str | None) -> Iterator[bytes]:
    for line in source:
        if not line.strip():
            return
        yield line.strip()
    if must_end is not None:
        raise TransactionTextError(f"the transaction ends too early: an empty line must follow {must_end}")


def parse_compare(line: bytes) -> rpc.Compare:
    """Reads a line such as `mod("key") > "0"`. Numbers are decimal, but a lease id is hexadecimal, as everywhere."""
    match = _COMPARE.fullmatch(line.strip())
    if match is None:
        raise TransactionTextError(f'malformed comparison: {_shown(line)}; it should look like mod("key") > "0"')
    name, key, operator, value = match.groups()
    if name not in TARGETS:
        raise TransactionTextError(f"malformed comparison: {_shown(line)}; compare one of value, version, create, mod, lease")
    target = TARGETS[name]
    compare = Compare(result=OPERATORS[operator], target=target, key=_unquoted(key))
    content = _unquoted(value)
    if target == Compare.VALUE:
        compare.value = content
    elif target == Compare.VERSION:
        compare.version = _number(content, line)
    elif target == Compare.CREATE:
        compare.create_revision = _number(content, line)
    elif target == Compare.MOD:
        compare.mod_revision = _number(content, line)
    else:
        compare.lease = _number(content, line, hexadecimal=True)
    return compare


def split_words(line: bytes) -> list[bytes]:
    """Splits an operation at its blanks, and takes the quotes off."""
    words = []
    position = 0
    for match in _WORD.finditer(line):
        gap = line[position : match.start()]
        if gap.strip() or (position and not gap):
            break
        double, single, plain = match.groups()
        words.append(_unquoted(double) if double is not None else single if single is not None else plain)
        position = match.end()
    if line[position:].strip():
        raise TransactionTextError(f"a quote is not closed, or not followed by a blank: {_shown(line)}")
    return words


def _unquoted(text: bytes) -> bytes:
    """The content of a text in double quotes; any other text as it is."""
    return _ESCAPE.sub(_unescaped, text[1:-1]) if text.startswith(b'"') else text


def _unescaped(match: re.Match[bytes]) -> bytes:
    short, octal, byte, code, long_code = match.groups()
    if short:
        return bytes([_SHORT_ESCAPES[short[0]]])
    if octal or byte:
        number = int(octal, 8) if octal else int(byte, 16)
        if number < 256:
            return bytes([number])
    elif code or long_code:
        number = int(code or long_code, 16)
        if number < 0xD800 or 0xDFFF < number < 0x110000:
            return chr(number).encode()
    raise TransactionTextError(f"unknown escape {_shown(match[0])}")


def _number(content: bytes, line: bytes, *, hexadecimal: bool = False) -> int:
    digits = rb"(0[xX])?[0-9a-fA-F]{1,16}" if hexadecimal else rb"[+-]?[0-9]{1,19}"
    if not re.fullmatch(digits, content):
        raise TransactionTextError(f"malformed comparison: {_shown(line)}; it needs a number")
    number = int(content, 16 if hexadecimal else 10)
    if not -(1 << 63) <= number < 1 << 63:
        raise TransactionTextError(f"malformed comparison: {_shown(line)}; the number is too large")
    return number


def _shown(text: bytes) -> str:
    return text.strip().decode("utf-8", "backslashreplace")
