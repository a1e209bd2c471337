"""Pictures of a run as SVG, with its faults shaded: latency of every operation, and operations a second.

They bring their colours along as CSS variables, with defaults, so that the report can show them in light and dark.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from raftkv_chaos.live.figures import Figures, Span

WIDTH, HEIGHT = 1000, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 20, 30
MOST_POINTS = 4000
"""Beyond that, points are left out at even distances, the slowest of each stretch being kept."""
LOWEST_MS, HIGHEST_MS = 0.5, 5000.0
STYLE = """
.axis { fill: var(--soft, #777); font: 11px system-ui, sans-serif; } .grid { stroke: var(--line, #ddd); }
.fault { fill: var(--fault, #f5a62333); } .gap { fill: var(--gap, #d62f2f44); }
.write { fill: var(--write, #1f6feb); stroke: var(--write, #1f6feb); } .read { fill: var(--read, #2da44e); stroke: var(--read, #2da44e); }
.failed { fill: var(--bad, #d62f2f); stroke: var(--bad, #d62f2f); } polyline { fill: none !important; stroke-width: 1.5; }
"""


class Frame:
    """The plane of a picture: time to the right, something upwards from 0 to 1."""

    def __init__(self, figures: Figures) -> None:
        self._begin = figures.begin
        self._seconds = max(figures.end - figures.begin, 0.001)

    def x(self, time: float) -> float:
        """Pixels from the left."""
        share = min(max((time - self._begin) / self._seconds, 0.0), 1.0)
        return LEFT + (WIDTH - LEFT - RIGHT) * share

    @staticmethod
    def y(share: float) -> float:
        """Pixels from the top."""
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(max(share, 0.0), 1.0))

    def picture(self, title: str, parts: Iterator[str], figures: Figures, label: Callable[[float], str]) -> str:
        """The document round the parts."""
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title>',
            f"<style>{STYLE}</style>",
            *self._shades(figures),
            *self._axes(label),
            *parts,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _shades(self, figures: Figures) -> Iterator[str]:
        yield from (self._shade(fault, "fault") for fault in figures.faults)
        gap = figures.gaps[0]
        yield self._shade(Span(f"no acknowledged write for {gap.seconds:.2f} s", gap.begin, gap.begin + gap.seconds), "gap")

    def _shade(self, span: Span, look: str) -> str:
        left, right = self.x(span.begin), self.x(span.end)
        return (
            f'<rect class="{look}" x="{left:.1f}" y="{TOP}" width="{max(right - left, 1):.1f}" height="{HEIGHT - TOP - BOTTOM}">'
            f"<title>{escape(span.name)}</title></rect>"
        )

    def _axes(self, label: Callable[[float], str]) -> Iterator[str]:
        for quarter in range(5):
            y = self.y(quarter / 4)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="axis" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label(quarter / 4)}</text>'
        for tenth in range(11):
            time = self._begin + self._seconds * tenth / 10
            text = f"{time - self._begin:.0f} s"
            yield f'<text class="axis" x="{self.x(time):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{text}</text>'


def latency(figures: Figures) -> str:
    """Every operation as a point: when it was answered, and how long that took, on a logarithmic scale; failures at the top."""
    frame = Frame(figures)
    decades = math.log10(HIGHEST_MS / LOWEST_MS)

    def share(latency_ms: float) -> float:
        return math.log10(max(latency_ms, LOWEST_MS) / LOWEST_MS) / decades

    def parts() -> Iterator[str]:
        step = max(1, len(figures.points) // MOST_POINTS)
        for first in range(0, len(figures.points), step):
            point = max(figures.points[first : first + step], key=lambda each: each.latency_s)
            x, y = frame.x(point.time), frame.y(share(point.latency_s * 1000))
            yield f'<circle class="{"write" if point.writes else "read"}" cx="{x:.1f}" cy="{y:.1f}" r="1.6"/>'
        yield from (f'<circle class="failed" cx="{frame.x(time):.1f}" cy="{TOP}" r="2"/>' for time in figures.failed)

    return frame.picture("Latency", parts(), figures, lambda part: f"{LOWEST_MS * 10 ** (decades * part):.3g} ms")


def throughput(figures: Figures) -> str:
    """Writes, reads and failures a second, over time."""
    frame = Frame(figures)
    seconds = math.ceil(figures.end - figures.begin) or 1
    width = max(1, seconds // 120)
    series = {
        "write": _counts((p.time for p in figures.points if p.writes), figures, width),
        "read": _counts((p.time for p in figures.points if not p.writes), figures, width),
        "failed": _counts(iter(figures.failed), figures, width),
    }
    most = max((max(counts, default=0.0) for counts in series.values()), default=0.0) or 1.0

    def parts() -> Iterator[str]:
        for name, counts in series.items():
            yield _line(frame, name, [(figures.begin + (n + 0.5) * width, count / most) for n, count in enumerate(counts)])

    return frame.picture("Throughput", parts(), figures, lambda part: f"{most * part:.0f} /s")


def _counts(times: Iterator[float], figures: Figures, width: int) -> list[float]:
    counts = [0.0] * max(1, math.ceil((figures.end - figures.begin) / width))
    for time in times:
        place = int((time - figures.begin) / width)
        if 0 <= place < len(counts):
            counts[place] += 1 / width
    return counts


def _line(frame: Frame, name: str, points: Sequence[tuple[float, float]]) -> str:
    path = " ".join(f"{frame.x(time):.1f},{frame.y(share):.1f}" for time, share in points)
    return f'<polyline class="{name}" points="{path}"/>'
