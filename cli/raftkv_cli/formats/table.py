"""`-w table`: lists of members and endpoints in a frame, cells to the right, long texts broken into lines.

The look is that of github.com/olekukonko/tablewriter, which etcdctl prints with.
"""

from collections.abc import Iterator, Sequence

import click

from raftkv.pb import rpc
from raftkv_cli.formats import go
from raftkv_cli.formats.answers import Answer, Healths, Statuses, Style, Tabular, member_row, status_row

MEMBER_COLUMNS = ("ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER")
STATUS_COLUMNS = (
    "ENDPOINT",
    "ID",
    "VERSION",
    "DB SIZE",
    "IS LEADER",
    "IS LEARNER",
    "RAFT TERM",
    "RAFT INDEX",
    "RAFT APPLIED INDEX",
    "ERRORS",
)
HEALTH_COLUMNS = ("ENDPOINT", "HEALTH", "TOOK", "ERROR")
BREAK_AFTER = 30
"""A longer cell is broken at its blanks."""


def render(answer: Answer, style: Style) -> bytes:  # noqa: ARG001 - every format takes a style
    """The answer as a table."""
    match answer:
        case rpc.MemberListResponse():
            return _table(MEMBER_COLUMNS, [member_row(member) for member in answer.members])
        case Statuses():
            return _table(STATUS_COLUMNS, [status_row(item, go.size(item.status.dbSize)) for item in answer.items])
        case Healths():
            rows = [
                [item.endpoint, "false" if item.error else "true", go.duration(item.seconds), item.error]
                for item in answer.items
            ]
            return _table(HEALTH_COLUMNS, rows)
        case Tabular():
            return _table(*answer.table())
        case _:
            raise click.UsageError("table not supported as output format")


def _table(columns: Sequence[str], rows: list[list[str]]) -> bytes:
    broken = [[_broken(cell) for cell in row] for row in rows]
    widths = [
        max([len(columns[i]), *(_width(row[i], cells[i]) for row, cells in zip(rows, broken, strict=True))])
        for i in range(len(columns))
    ]
    frame = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    head = _line([_centred(name, width) for name, width in zip(columns, widths, strict=True)])
    body = [line for cells in broken for line in _row(cells, widths)]
    return "".join(f"{line}\n" for line in [frame, head, frame, *body, frame]).encode()


def _row(cells: list[list[str]], widths: list[int]) -> Iterator[str]:
    for number in range(max(map(len, cells))):
        yield _line(
            [(cell[number] if number < len(cell) else "").rjust(width) for cell, width in zip(cells, widths, strict=True)]
        )


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _centred(text: str, width: int) -> str:
    """An odd blank goes to the right, where str.center might put it to the left."""
    left = (width - len(text)) // 2
    return " " * left + text.ljust(width - left)


def _width(text: str, lines: list[str]) -> int:
    return max(min(len(text), BREAK_AFTER), *map(len, lines))


def _broken(text: str) -> list[str]:
    """Lines of at most BREAK_AFTER characters (a longer word stands alone), as even as they can be: the sum of the squares of
    the blanks at their ends, the last line's not counted, is the least possible (Knuth and Plass).
    """
    if len(text) <= BREAK_AFTER:
        return [text]
    words = text.split(" ")
    limit = max(BREAK_AFTER, *map(len, words))
    best: list[tuple[float, list[str]]] = [(0.0, [])] * (len(words) + 1)
    for first in range(len(words) - 1, -1, -1):
        rest = " ".join(words[first:])
        best[first] = (0.0, [rest]) if len(rest) <= limit else _best_break(words, first, limit, best)
    return best[0][1]


def _best_break(words: list[str], first: int, limit: int, best: list[tuple[float, list[str]]]) -> tuple[float, list[str]]:
    """The best lines from word `first` on, when those from every later word on are known."""
    candidates = []
    for end in range(first + 1, len(words)):
        line = " ".join(words[first:end])
        if len(line) > limit:
            break
        candidates.append(((limit - len(line)) ** 2 + best[end][0], [line, *best[end][1]]))
    return min(candidates, key=lambda candidate: candidate[0])
