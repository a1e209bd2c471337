"""The page about a verdict: one HTML file that needs nothing else, in light and dark.

Each process has a row, each operation a bar from its call to its end; faults shade the time behind them. Where there is a
longest linearizable prefix, its operations are filled and numbered in the order that explains them, and the first
operation that no order explains is red. Of a long history the part around that operation is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from raftkv_jepsen.history import Fault, History, Operation, Process
from raftkv_jepsen.verdict import Verdict

DRAWN = 2_000
"""Operations on the time line: more than that no browser shows well, and no reader reads."""
ROW = 26
LEFT = 90
TOP = 24
EVENT_WIDTH = 14
LAST_SHOWN = 25

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1a1a; --soft: #777; --line: #ddd; --done: #4a90d9; --rest: #c9d3dd;
  --bad: #d62f2f; --fault: #f5a62333; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e6e6e6; --soft: #999; --line: #333; --done: #3f7fc0;
  --rest: #45505b; --bad: #ff5c5c; --fault: #f5a62344; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;
  padding: 0 1rem; }
h1 span { padding: .1em .5em; border-radius: .3em; color: #fff; background: var(--done); }
h1 span.violation { background: var(--bad); } h1 span.unknown { background: #b58105; }
table { border-collapse: collapse; } td, th { padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top; }
.line { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; }
svg { display: block; } svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
.row { stroke: var(--line); } .rest { fill: var(--rest); } .done { fill: var(--done); } .bad { fill: var(--bad); }
.open { stroke: var(--soft); stroke-dasharray: 4 3; fill-opacity: .45; } .fault { fill: var(--fault); }
svg text.in { fill: #fff; pointer-events: none; } svg .rest + text.in { fill: var(--ink); }
code { font-size: 13px; } .soft { color: var(--soft); }
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """Places in the history to pixels. Equal steps per event: what matters is what overlaps, not for how long."""

    places: dict[int, int]
    ends: tuple[int, int]

    def x(self, place: int | None) -> int:
        """The pixel of a place; None is the right edge."""
        if place is None or place > self.ends[1]:
            return LEFT + EVENT_WIDTH * (len(self.places) + 1)
        if place < self.ends[0]:
            return LEFT
        return LEFT + EVENT_WIDTH * (self.places[place] + 1)


def render(title: str, history: History, verdict: Verdict) -> str:
    """The whole page as text."""
    operations = _window(history.operations, verdict)
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{escape(title)}: {verdict.validity}</title><style>{STYLE}</style></head><body>",
            f'<h1>{escape(title)} <span class="{verdict.validity}">{verdict.validity}</span></h1>',
            _figures(verdict),
            _findings(verdict),
            _time_line(operations, history.faults, verdict),
            _cut_note(len(operations), len(history.operations)),
            _prefix(verdict),
            "</body></html>\n",
        ]
    )


def _window(operations: Sequence[Operation], verdict: Verdict) -> list[Operation]:
    """What to draw: all, or those on the object that broke, or those around where it broke."""
    shown = list(operations)
    focus = verdict.impossible
    if focus is None and verdict.findings and verdict.findings[0].operations:
        focus = verdict.findings[0].operations[-1]
    if len(shown) > DRAWN and focus is not None and focus.key is not None:
        shown = [operation for operation in shown if operation.key == focus.key]
    if len(shown) <= DRAWN:
        return shown
    middle = next((n for n, operation in enumerate(shown) if focus is not None and operation.call >= focus.call), 0)
    begin = max(0, min(middle - DRAWN * 3 // 4, len(shown) - DRAWN))
    return shown[begin : begin + DRAWN]


def _figures(verdict: Verdict) -> str:
    rows = [*verdict.counts.items(), *((name, f"{rate:.4g}") for name, rate in verdict.rates.items())]
    if verdict.steps:
        rows.append(("steps", verdict.steps))
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{value}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def _findings(verdict: Verdict) -> str:
    items = "".join(
        f"<li><b>{escape(finding.name)}</b>: {escape(finding.text)}</li>" for finding in verdict.findings[:LAST_SHOWN]
    )
    more = len(verdict.findings) - LAST_SHOWN
    return f"<ul>{items}</ul>" + (f'<p class="soft">and {more} more</p>' if more > 0 else "")


def _time_line(operations: list[Operation], faults: list[Fault], verdict: Verdict) -> str:
    if not operations:
        return '<p class="soft">No operations to draw.</p>'
    scale = _scale(operations)
    rows: dict[Process, int] = {}
    for operation in operations:
        rows.setdefault(operation.process, len(rows))
    order = {id(operation): number for number, operation in enumerate(verdict.prefix, 1)}
    places = (
        {(operation.process, operation.call): number for number, operation in enumerate(verdict.prefix, 1)} if order else {}
    )
    width, height = scale.x(None) + 20, TOP + ROW * len(rows) + 10
    parts = [f'<div class="line"><svg width="{width}" height="{height}" role="img" aria-label="operations by process">']
    parts.extend(_fault(fault, scale, height) for fault in faults if _visible(fault, scale))
    for process, row in rows.items():
        y = TOP + ROW * row + ROW // 2
        parts.append(f'<line class="row" x1="{LEFT}" x2="{width}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="6" y="{y + 4}">{escape(f"process {process}")}</text>')
    parts.extend(_bar(operation, scale, rows[operation.process], places, verdict.impossible) for operation in operations)
    parts.append("</svg></div>")
    return "\n".join(parts)


def _scale(operations: list[Operation]) -> Scale:
    marks = sorted({place for o in operations for place in (o.call, o.end) if place is not None})
    return Scale({place: number for number, place in enumerate(marks)}, (marks[0], marks[-1]))


def _visible(fault: Fault, scale: Scale) -> bool:
    return fault.begin <= scale.ends[1] and (fault.end is None or fault.end >= scale.ends[0])


def _nearest(place: int, scale: Scale) -> int:
    """A fault begins between operations; it is drawn from the next one on."""
    return min((mark for mark in scale.places if mark >= place), default=scale.ends[1])


def _fault(fault: Fault, scale: Scale, height: int) -> str:
    begin = scale.x(_nearest(fault.begin, scale))
    end = scale.x(None if fault.end is None else _nearest(fault.end, scale))
    return (
        f'<rect class="fault" x="{begin}" y="0" width="{max(end - begin, 3)}" height="{height}"/>'
        f'<text x="{begin + 3}" y="14">{escape(fault.name)}</text>'
    )


def _bar(
    operation: Operation,
    scale: Scale,
    row: int,
    order: dict[tuple[Process, int], int],
    impossible: Operation | None,
) -> str:
    number = order.get((operation.process, operation.call))
    is_impossible = impossible is not None and (operation.process, operation.call) == (impossible.process, impossible.call)
    look = "bad" if is_impossible else "rest" if number is None and order else "done"
    begin, end = scale.x(operation.call), scale.x(operation.end)
    y = TOP + ROW * row + 4
    label = _short(operation, (end - begin) // 6)
    place = "" if number is None else f"\nnumber {number} in the order"
    return (
        f'<g><title>{escape(str(operation))}{place}</title><rect class="{look}{" open" if operation.end is None else ""}" '
        f'x="{begin}" y="{y}" width="{max(end - begin, 4)}" height="{ROW - 8}" rx="3"/>'
        f'<text class="in" x="{begin + 3}" y="{y + 13}">{escape(label)}</text></g>'
    )


def _short(operation: Operation, letters: int) -> str:
    argument = "" if operation.argument is None else f" {operation.argument!r}"
    seen = "" if operation.end is None or operation.outcome in {None, operation.argument} else f" {operation.outcome!r}"
    label = f"{operation.f}{argument}{seen}"
    return label if len(label) <= letters else label[: max(letters - 1, 0)]


def _cut_note(drawn: int, operations: int) -> str:
    return "" if drawn == operations else f'<p class="soft">{drawn} of {operations} operations are drawn.</p>'


def _prefix(verdict: Verdict) -> str:
    if not verdict.prefix and verdict.impossible is None:
        return ""
    first = max(0, len(verdict.prefix) - LAST_SHOWN)
    rows = "".join(
        f"<tr><td>{number}</td><td><code>{escape(str(operation))}</code></td></tr>"
        for number, operation in enumerate(verdict.prefix[first:], first + 1)
    )
    end = ""
    if verdict.impossible is not None:
        end = f"<p>First impossible operation: <code>{escape(str(verdict.impossible))}</code></p>"
    size = len(verdict.prefix)
    return f"<h2>Longest linearizable prefix: {size} operations</h2><p class=soft>Its last ones:</p><table>{rows}</table>{end}"
