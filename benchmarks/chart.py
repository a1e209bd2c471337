"""Curves as an SVG: offered load to the right, latency upwards on a logarithmic scale."""

import math
from collections.abc import Mapping, Sequence

from benchmarks.saturation import Point

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 30, 60
COLOURS = {"etcd": "#8a6d3b", "raftkv": "#1f6feb"}
OTHER_COLOUR = "#555555"
FONT = 'font-family="sans-serif" font-size="12"'

Coordinates = list[tuple[float, float]]


class Scale:
    """Values to pixels: x is linear from 0, y is logarithmic in whole decades."""

    def __init__(self, points: Sequence[Point]) -> None:
        latencies = [value for point in points for value in (point.p50_ms, point.p99_ms)]
        self.most_offered = max(point.offered_per_second for point in points)
        self.lowest_decade = math.floor(math.log10(min(latencies)))
        self.highest_decade = max(math.ceil(math.log10(max(latencies))), self.lowest_decade + 1)

    def x(self, offered: float) -> float:
        """Pixels from the left."""
        return LEFT + (WIDTH - LEFT - RIGHT) * offered / self.most_offered

    def y(self, latency_ms: float) -> float:
        """Pixels from the top."""
        share = (math.log10(latency_ms) - self.lowest_decade) / (self.highest_decade - self.lowest_decade)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def latency_chart(curves: Mapping[str, Sequence[Point]]) -> str:
    """The document: for each target a solid line (median) and a dashed one (99th percentile)."""
    scale = Scale([point for points in curves.values() for point in points])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>Latency of puts against offered load</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *_axes(scale),
    ]
    for name, points in curves.items():
        parts.extend(_curves(scale, name, points))
    return "\n".join([*parts, "</svg>", ""])


def _axes(scale: Scale) -> list[str]:
    parts = []
    for decade in range(scale.lowest_decade, scale.highest_decade + 1):
        y = scale.y(10.0**decade)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{10.0**decade:g} ms", anchor="end"))
    for quarter in range(5):
        offered = scale.most_offered * quarter / 4
        parts.append(_text(scale.x(offered), HEIGHT - BOTTOM + 20, f"{offered:,.0f}", anchor="middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 15, "puts per second, offered", anchor="middle"))
    return parts


def _curves(scale: Scale, name: str, points: Sequence[Point]) -> list[str]:
    colour = COLOURS.get(name, OTHER_COLOUR)
    median = [(scale.x(point.offered_per_second), scale.y(point.p50_ms)) for point in points]
    tail = [(scale.x(point.offered_per_second), scale.y(point.p99_ms)) for point in points]
    return [
        _line(median, colour, dashes=""),
        _line(tail, colour, dashes=' stroke-dasharray="6 4"'),
        _text(median[-1][0] + 8, median[-1][1] + 4, f"{name}, median", anchor="start", colour=colour),
        _text(tail[-1][0] + 8, tail[-1][1] + 4, f"{name}, 99 %", anchor="start", colour=colour),
    ]


def _line(coordinates: Coordinates, colour: str, *, dashes: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in coordinates)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'


def _text(x: float, y: float, text: str, *, anchor: str, colour: str = "#333333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" {FONT}>{text}</text>'
