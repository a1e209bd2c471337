"""Figures as text: the same Markdown tables on the terminal and in docs/benchmarks.md."""

from collections.abc import Sequence

from benchmarks.figures import REFERENCE, TARGET, Figures, Quantity, Row, Span

HEAD = ("", REFERENCE, TARGET, "ratio", "lowest", "highest")
MISSING = "-"

INTRODUCTION = """\
# Benchmarks

Written by `python -m benchmarks --write`. Three nodes of etcd 3.5.1 and three nodes of raftkv in turn, on one machine over
loopback, driven by etcd's own Go client on the same cores; values of 256 bytes, every write synced to disk, every read
linearizable but for `srange`. A figure is the median over the rounds. A ratio is taken within a round; above 1, raftkv is
the better one.

Operations: `put` a random key of 10,000; `range` one key, `srange` the same with a serializable read; `txn` a compare and
a put; `mixed` nine reads to one put; `scan` a page of 1,000 keys; `count` a prefix; `page` ten keys from a random one; `keepalive` renews
a lease on a new stream each time (`KeepAliveOnce`), `renew` on one that stays open (`KeepAlive`, what sessions and locks use). Watchers
count the events in what they are told; one of each stream decodes them.
"""


def tables(figures: Figures) -> str:
    """A table for each quantity, then what could not be measured."""
    parts = [_table(figures, quantity) for quantity in figures.quantities()]
    if figures.failures:
        parts.append("\n".join(["## Not as planned", "", *(f"- {failure}" for failure in figures.failures)]))
    return "\n\n".join(parts) + "\n"


def document(figures: Figures, *, facts: Sequence[str], settings: str, chart: str | None) -> str:
    """docs/benchmarks.md; `chart` is the picture's file name."""
    about = "\n".join(["## Machine and settings", "", *(f"- {fact}" for fact in (*facts, settings))])
    picture = f"\n## Latency against offered load\n\n![Latency of puts against offered load]({chart})\n" if chart else ""
    return "\n".join([INTRODUCTION, about, picture, tables(figures)])


def _table(figures: Figures, quantity: Quantity) -> str:
    cells = [list(HEAD), *(_cells(figures, row) for row in figures.rows(quantity))]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [_line(line, widths) for line in cells]
    rule = "|" + "|".join(_rule(column, width) for column, width in enumerate(widths)) + "|"
    return "\n".join([f"## {quantity.title} ({quantity.unit})", "", lines[0], rule, *lines[1:]])


def _cells(figures: Figures, row: Row) -> list[str]:
    ratio = figures.advantage(row)
    return [
        row.label,
        _middle(figures.span(row, REFERENCE)),
        _middle(figures.span(row, TARGET)),
        *((f"{value:.2f}" for value in (ratio.middle, ratio.low, ratio.high)) if ratio else (MISSING,) * 3),
    ]


def _middle(span: Span | None) -> str:
    return MISSING if span is None else rounded(span.middle)


def rounded(value: float) -> str:
    """Three digits, or whole numbers where there are more."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    return f"| {' | '.join([first, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))])} |"


def _rule(column: int, width: int) -> str:
    """Numbers stand to the right."""
    return "-" * (width + 2) if column == 0 else "-" * (width + 1) + ":"
