"""Text as Go's standard library writes it, for scripts that compare our output with etcdctl's.

Sources: strconv.Quote, time.Duration.String, encoding/json; sizes as github.com/dustin/go-humanize Bytes.
"""

import json
import math
import re

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def quote(data: bytes | str) -> str:
    r"""`%q`: in double quotes; what cannot be printed is escaped, bytes that are not UTF-8 as \xNN."""
    text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def hex_escaped(data: bytes) -> bytes:
    r"""Every byte as \xNN."""
    return "".join(f"\\x{byte:02x}" for byte in data).encode()


def duration(seconds: float) -> str:
    """`1.890411ms`, `501.4342ms`, `1m30.5s`: the largest unit below a second, then hours, minutes and seconds."""
    nanoseconds = round(seconds * 1e9)
    if nanoseconds == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if nanoseconds < size * 1000:
            return _decimal(nanoseconds, size) + unit
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    text = _decimal(rest, 1_000_000_000) + "s"
    if minutes:
        text = f"{minutes % 60}m{text}"
    return f"{minutes // 60}h{text}" if minutes >= 60 else text


def _decimal(amount: int, size: int) -> str:
    whole, rest = divmod(amount, size)
    digits = len(str(size)) - 1
    fraction = f"{rest:0{digits}d}".rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


def size(count: int) -> str:
    """`33 kB`: powers of 1000, one digit after the point below ten."""
    if count < 10:
        return f"{count} B"
    exponent = math.floor(math.log(count) / math.log(1000))
    amount = math.floor(count / 1000**exponent * 10 + 0.5) / 10
    return f"{amount:.1f} {_SIZE_UNITS[exponent]}" if amount < 10 else f"{amount:.0f} {_SIZE_UNITS[exponent]}"


_JSON_SPECIAL = re.compile(r"[<>&\u2028\u2029]|\\.")
_JSON_SHORT = {"\\b": "\\u0008", "\\f": "\\u000c"}


def dump_json(value: object) -> str:
    """JSON without blanks, escaped as Go escapes it. What is looked for occurs in strings only."""
    return _JSON_SPECIAL.sub(_json_escaped, json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def _json_escaped(match: re.Match[str]) -> str:
    found = match[0]
    return _JSON_SHORT.get(found, found) if len(found) > 1 else f"\\u{ord(found):04x}"
