"""Base64 as Go's encoding/base64 reads it: the standard alphabet with padding; line ends count for nothing."""

import binascii
from typing import Final

from raftkv.gateway.json_text import JsonError

_ALPHABET: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_LINE_ENDS: Final = b"\r\n"
_PADDING: Final = ord("=")


def decode(text: str) -> bytes:
    """The bytes.

    Raises:
        JsonError: the text is something else; it says where.
    """
    data = text.encode("utf-8", "replace")
    found = _strict(data)
    if found is None:
        found = _strict(data.translate(None, _LINE_ENDS))
    if found is not None:
        return found
    raise JsonError(f"illegal base64 data at input byte {_first_wrong(data)}")


def _strict(data: bytes) -> bytes | None:
    """The bytes, or None. Python's strict mode overlooks padding after a whole group."""
    if len(data) % 4 or data.count(_PADDING) > 2:
        return None
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        return None


def _first_wrong(data: bytes) -> int:
    """Where Go's decoder gives up: groups of four, of which only the last may end in padding."""
    at = 0
    while True:
        at, in_group = _skip_group(data, at)
        if in_group == 4:
            continue
        if at == len(data):  # the end comes within a group
            return at - in_group
        if data[at] != _PADDING or in_group < 2:
            return at
        return _after_padding(data, at + 1, needed=3 - in_group)


def _skip_group(data: bytes, at: int) -> tuple[int, int]:
    """Past up to four characters of the alphabet, and how many there were."""
    count = 0
    while at < len(data) and count < 4:
        if data[at] in _ALPHABET:
            count += 1
        elif data[at] not in _LINE_ENDS:
            break
        at += 1
    return at, count


def _after_padding(data: bytes, at: int, *, needed: int) -> int:
    """What is wrong after the first padding character: the second one is missing, or something follows."""
    while at < len(data) and data[at] in _LINE_ENDS:
        at += 1
    if needed and (at == len(data) or data[at] != _PADDING):
        return at if at == len(data) else at - 1
    at += needed
    while at < len(data) and data[at] in _LINE_ENDS:
        at += 1
    return at
