"""The Huffman code of HPACK (RFC 7541, section 5.2 and appendix B).

The code is canonical: symbols sorted by code length, then by value, count upwards. So the table of lengths is the whole code.
Decoding takes a byte per step: a step is (state, byte) -> (state, symbols that ended), a state being an inner node of the
code's tree. Only the steps that traffic uses are ever computed.
"""

from typing import Final

from raftkv.http2.violation import CompressionError

END_OF_STRING: Final = 256

# fmt: off
CODE_LENGTHS: Final[tuple[int, ...]] = (
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
)
# fmt: on
"""Bits per symbol: 256 octets and the end of string."""


def _codes() -> list[int]:
    """The code word of every symbol."""
    codes = [0] * len(CODE_LENGTHS)
    code = length = 0
    for symbol in sorted(range(len(CODE_LENGTHS)), key=lambda symbol: (CODE_LENGTHS[symbol], symbol)):
        code <<= CODE_LENGTHS[symbol] - length
        length = CODE_LENGTHS[symbol]
        codes[symbol] = code
        code += 1
    return codes


def _tree() -> tuple[list[list[int]], frozenset[int]]:
    """The inner nodes, and those at which a string may end.

    A node is its two children: an inner node's number, or ~symbol. A string is padded with the most significant bits of the
    end-of-string code, which are ones, and fewer than eight of them.
    """
    nodes = [[0, 0]]
    for symbol, code in enumerate(_codes()):
        at = 0
        for bit in range(CODE_LENGTHS[symbol] - 1, 0, -1):
            branch = code >> bit & 1
            if not nodes[at][branch]:
                nodes[at][branch] = len(nodes)
                nodes.append([0, 0])
            at = nodes[at][branch]
        nodes[at][code & 1] = ~symbol
    ends, at = [0], 0
    for _ in range(7):
        at = nodes[at][1]
        ends.append(at)
    return nodes, frozenset(ends)


_NODES, _ENDS = _tree()
_CODES = _codes()


class _Steps(dict[int, tuple[int, bytes]]):
    """state << 8 | byte -> (next state << 8, the octets that ended within the byte)."""

    def __missing__(self, key: int) -> tuple[int, bytes]:
        at, octets = key >> 8, bytearray()
        for bit in range(7, -1, -1):
            at = _NODES[at][key >> bit & 1]
            if at < 0:
                if ~at == END_OF_STRING:
                    raise CompressionError("end of string inside a Huffman-coded string")
                octets.append(~at)
                at = 0
        step = self[key] = (at << 8, bytes(octets))
        return step


_STEPS = _Steps()


def decode(data: bytes) -> bytes:
    """The octets of a Huffman-coded string. Raises CompressionError where the padding is wrong."""
    state, parts, steps = 0, [], _STEPS
    for byte in data:
        state, octets = steps[state | byte]
        parts.append(octets)
    if state >> 8 not in _ENDS:
        raise CompressionError("bad padding of a Huffman-coded string")
    return b"".join(parts)


def encode(octets: bytes) -> bytes:
    """The Huffman code of `octets`, padded with ones."""
    bits = length = 0
    for octet in octets:
        bits = bits << CODE_LENGTHS[octet] | _CODES[octet]
        length += CODE_LENGTHS[octet]
    padding = -length % 8
    return (bits << padding | (1 << padding) - 1).to_bytes((length + padding) // 8, "big")
