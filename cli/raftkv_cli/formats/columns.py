"""Columns of text, as wide as their widest cells."""

from collections.abc import Iterator


def columns(rows: list[list[str]]) -> Iterator[bytes]:
    """A line for each row."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip().encode()
