"""Samples of both targets, and what is made of them: medians, spans and ratios.

A row is one quantity (puts per second of 100 clients). Each round gives it one sample for each target, and the ratio of
a row is taken within a round, where both targets ran under the same conditions, then over the rounds. Above 1 the
target is better than the reference, whatever the quantity.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

REFERENCE = "etcd"
TARGET = "raftkv"


class Quantity(NamedTuple):
    """What is measured; one table of the report each."""

    title: str
    unit: str
    more_is_better: bool


class Row(NamedTuple):
    """One line of a table."""

    quantity: Quantity
    label: str


class Span(NamedTuple):
    """Lowest, median and highest of the samples."""

    low: float
    middle: float
    high: float


def span(samples: Sequence[float]) -> Span:
    """The span of at least one sample."""
    return Span(min(samples), median(samples), max(samples))


def advantage(quantity: Quantity, reference: float, target: float) -> float:
    """How many times better the target is: 2.0 is twice the throughput, or half the latency."""
    better, worse = (target, reference) if quantity.more_is_better else (reference, target)
    return better / worse if worse else float("inf")


@dataclass
class Figures:
    """All samples of a run, in the order in which the rows came up."""

    samples: dict[Row, dict[str, dict[int, float]]] = field(default_factory=dict)
    """Row, cluster and round to the sample."""
    failures: list[str] = field(default_factory=list)
    """What could not be measured, in words."""

    def add(self, row: Row, cluster: str, value: float, *, round_number: int = 1) -> None:
        """One more sample."""
        self.samples.setdefault(row, {}).setdefault(cluster, {})[round_number] = value

    def quantities(self) -> list[Quantity]:
        """The quantities in the order in which they came up."""
        return list(dict.fromkeys(row.quantity for row in self.samples))

    def rows(self, quantity: Quantity) -> list[Row]:
        """The rows of one table."""
        return [row for row in self.samples if row.quantity == quantity]

    def span(self, row: Row, cluster: str) -> Span | None:
        """The span of one target's samples, or None where it has none."""
        samples = self.samples[row].get(cluster)
        return span(list(samples.values())) if samples else None

    def advantage(self, row: Row) -> Span | None:
        """The ratio over the rounds that have both targets, or None where there is no such round."""
        reference, target = self.samples[row].get(REFERENCE, {}), self.samples[row].get(TARGET, {})
        both = sorted(reference.keys() & target.keys())
        ratios = [advantage(row.quantity, reference[number], target[number]) for number in both]
        return span(ratios) if ratios else None
