r"""Reads EDN, the data notation of Clojure (github.com/edn-format/edn), as far as histories use it, and a little further.

    nil true false 12 12N 3.5 3.5M "text" \c :keyword  :name/space symbol     atoms
    [1 2] (1 2) {:a 1} #{1 2}                                                 collections; commas are white space
    #inst "2026-01-01"  #some.Record{:a 1}                                    tagged: the tag is dropped, the value kept
    ; comment      #_ form (left out)

Keywords become `Keyword`, a str of its own kind, so that :ok and "ok" differ. Nothing here recurses, so that no input is
too deep.
"""

import re
from collections.abc import Iterator
from typing import Any

from raftkv_jepsen.errors import HistoryError


class Keyword(str):
    """A keyword without its colon; `name` leaves out the namespace."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return self.rsplit("/", 1)[-1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyword) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return str.__hash__(self)


TOKEN = re.compile(
    r"""[\s,]+ | ;[^\n]*
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<open>\#\{|[\[({])
    | (?P<close>[\])}])
    | (?P<discard>\#_)
    | (?P<character>\\(?:newline|space|tab|return|u[0-9a-fA-F]{4}|.))
    | (?P<tag>\#[^\s,;"\[\](){}\#]+)
    | (?P<atom>[^\s,;"\[\](){}]+)
    | (?P<meta>\^)
    """,
    re.VERBOSE | re.DOTALL,
)
NUMBER = re.compile(r"[+-]?\d+N?\Z")
REAL = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?M?\Z")
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\"}
CHARACTERS = {"newline": "\n", "space": " ", "tab": "\t", "return": "\r"}
CONSTANTS = {"nil": None, "true": True, "false": False, "##NaN": float("nan"), "##Inf": float("inf"), "##-Inf": float("-inf")}
CLOSING = {"[": "]", "(": ")", "{": "}", "#{": "}"}
DISCARD = object()


def read_all(text: str) -> Iterator[Any]:
    """Every form at the top level.

    Raises:
        HistoryError: the text is no EDN.
    """
    stack: list[tuple[str, list[Any], int]] = []
    forms: list[Any] = []
    for kind, token, place in _tokens(text):
        if kind == "open":
            stack.append((token, forms, place))
            forms = []
            continue
        if kind == "close":
            if not stack or CLOSING[stack[-1][0]] != token:
                raise HistoryError(f"line {_line(text, place)}: {token!r} closes nothing")
            bracket, outer, begun = stack.pop()
            if bracket == "{" and len(forms) % 2:
                raise HistoryError(f"line {_line(text, begun)}: a map with a key that has no value")
            value = _collection(bracket, forms)
            forms = outer
        elif kind == "discard":
            forms.append(DISCARD)
            continue
        else:
            value = _atom(kind, token)
        if forms and forms[-1] is DISCARD:
            forms.pop()
        else:
            forms.append(value)
        if not stack and forms and forms[-1] is not DISCARD:
            yield from forms
            forms = []
    if stack:
        raise HistoryError(f"line {_line(text, stack[-1][2])}: {stack[-1][0]!r} is never closed")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    place = 0
    for match in TOKEN.finditer(text):
        if match.start() != place:
            break
        place = match.end()
        kind = match.lastgroup
        if kind is not None and kind not in {"tag", "meta"}:
            yield kind, match.group(), match.start()
    if place != len(text):
        raise HistoryError(f"line {_line(text, place)}: not EDN: {text[place : place + 20]!r}")


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _atom(kind: str, token: str) -> Any:
    if kind == "string":
        return ESCAPE.sub(_unescape, token[1:-1]) if "\\" in token else token[1:-1]
    if kind == "character":
        name = token[1:]
        return chr(int(name[1:], 16)) if len(name) == 5 and name[0] == "u" else CHARACTERS.get(name, name)
    if token[0] == ":":
        return Keyword(token[1:])
    if token in CONSTANTS:
        return CONSTANTS[token]
    if NUMBER.match(token):
        return int(token.rstrip("N"))
    return float(token.rstrip("M")) if REAL.match(token) else token


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1)
    return chr(int(code[1:], 16)) if len(code) == 5 else ESCAPES.get(code, code)


def _collection(bracket: str, forms: list[Any]) -> Any:
    if bracket == "{":
        return dict(zip(map(_key, forms[::2]), forms[1::2], strict=True))
    if bracket == "#{":
        return frozenset(map(_key, forms))
    return tuple(forms)


def _key(form: Any) -> Any:
    """Maps are no keys in Python; their pairs are."""
    return tuple((_key(name), _key(value)) for name, value in form.items()) if isinstance(form, dict) else form
