"""What is wrong with a JSON text, in the words of Go's encoding/json (scanner.go), which clients of the gateway know.

Runs only on texts that are known to be wrong.
"""

import re
from typing import Final, NamedTuple

STREAM_ENDS: Final = "unexpected EOF"
"""How Go calls a text from a connection that ends too early."""
TEXT_ENDS: Final = "unexpected end of JSON input"
"""And a text in memory."""
VALUE: Final = "looking for beginning of value"
KEY: Final = "looking for beginning of object key string"

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_STRING_PART: Final = re.compile(rb'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_ESCAPE: Final = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?")
_NUMBER: Final = re.compile(rb"(-)?(0|[1-9][0-9]*)?(?:(\.)([0-9]*))?(?:([eE])([+-]?)([0-9]*))?")
_LITERALS: Final = {b"t": b"true", b"f": b"false", b"n": b"null"}
_PLAIN_ESCAPES: Final = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 92: "\\"}


class Explanation(NamedTuple):
    """A byte that cannot stand where it stands."""

    byte: int
    context: str

    @property
    def text(self) -> str:
        """In Go's words."""
        return f"invalid character {_quoted(self.byte)} {self.context}"


def _quoted(byte: int) -> str:
    """A byte as Go's quoteChar shows it: taken for a Latin-1 character."""
    if byte == ord("'"):
        return r"'\''"
    if byte in _PLAIN_ESCAPES:
        return f"'\\{_PLAIN_ESCAPES[byte]}'"
    character = chr(byte)
    if character.isprintable():
        return f"'{character}'"
    return f"'\\x{byte:02x}'" if byte < 0x80 else f"'\\u{byte:04x}'"


class _TextEndsError(Exception):
    """The text ends before the value does."""


class _WrongByteError(Exception):
    """The first byte that cannot be."""

    def __init__(self, data: bytes, position: int, context: str) -> None:
        if position >= len(data):
            raise _TextEndsError
        super().__init__()
        self.explanation = Explanation(data[position], context)


def explain(data: bytes, at_end: str) -> str:
    """Why the first value of a text is not well formed; `at_end` if it only ends too early."""
    try:
        _Scan(data).value()
    except _TextEndsError:
        return at_end
    except _WrongByteError as error:
        return error.explanation.text
    return "raftkv: the request is not well-formed JSON"


class _Scan:
    """One pass over a text. Containers are kept in a stack of closing bytes, not on Python's."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._open: list[int] = []

    def value(self) -> None:
        """Reads one value to its end."""
        self._begin_value()
        while self._open:
            self._go_on()

    def _go_on(self) -> None:
        """After a value within a container: the next one, or the container's end."""
        closing = self._open[-1]
        context = "after array element" if closing == ord("]") else "after object key:value pair"
        byte = self._peek(context)
        if byte == closing:
            self._at += 1
            self._open.pop()
        elif byte == ord(","):
            self._at += 1
            if closing == ord("}"):
                self._key()
            self._begin_value()
        else:
            raise _WrongByteError(self._data, self._at, context)

    def _begin_value(self) -> None:
        """A whole scalar, or a container up to the end of its first value."""
        while True:
            byte = self._peek(VALUE)
            first = bytes((byte,))
            if first == b'"':
                self._string()
            elif first in _LITERALS:
                self._literal(_LITERALS[first])
            elif first in b"-0123456789":
                self._number()
            elif first in b"{[":
                self._at += 1
                self._open.append(byte + 2)  # the closing one, in ASCII
                if self._peek(KEY if first == b"{" else VALUE) != byte + 2:
                    if first == b"{":
                        self._key()
                    continue
            else:
                raise _WrongByteError(self._data, self._at, VALUE)
            return

    def _key(self) -> None:
        if self._peek(KEY) != ord('"'):
            raise _WrongByteError(self._data, self._at, KEY)
        self._string()
        if self._peek("after object key") != ord(":"):
            raise _WrongByteError(self._data, self._at, "after object key")
        self._at += 1

    def _string(self) -> None:
        self._at = self._match(_STRING_PART, self._at + 1).end()
        rest = self._data[self._at : self._at + 1]
        if rest == b'"':
            self._at += 1
        elif rest == b"\\":
            end = self._match(_ESCAPE, self._at).end()
            hexadecimal = end > self._at + 1
            context = "in \\u hexadecimal character escape" if hexadecimal else "in string escape code"
            raise _WrongByteError(self._data, end, context)
        else:
            raise _WrongByteError(self._data, self._at, "in string literal")

    def _literal(self, word: bytes) -> None:
        for offset, expected in enumerate(word):
            if self._data[self._at + offset : self._at + offset + 1] != bytes((expected,)):
                context = f"in literal {word.decode()} (expecting {_quoted(expected)})"
                raise _WrongByteError(self._data, self._at + offset, context)
        self._at += len(word)

    def _number(self) -> None:
        found = self._match(_NUMBER, self._at)
        _, digits, point, decimals, exponent, _, power = found.groups()
        if digits is None:
            raise _WrongByteError(self._data, self._at + 1, "in numeric literal")
        if point and not decimals:
            raise _WrongByteError(self._data, found.end(3), "after decimal point in numeric literal")
        if exponent and not power:
            raise _WrongByteError(self._data, found.end(7), "in exponent of numeric literal")
        self._at = found.end()

    def _peek(self, context: str) -> int:
        """The next byte that is not space."""
        self._at = self._match(_SPACE, self._at).end()
        if self._at >= len(self._data):
            raise _WrongByteError(self._data, self._at, context)
        return self._data[self._at]

    def _match(self, pattern: re.Pattern[bytes], position: int) -> re.Match[bytes]:
        found = pattern.match(self._data, position)
        assert found is not None, "every pattern matches nothing, too"
        return found
