"""What a member's /metrics says, as numbers that can be asked for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_SAMPLE: Final = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)", re.MULTILINE)
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scrape:
    """One answer of /metrics: by name, each sample's labels and value."""

    samples: Mapping[str, list[tuple[Labels, float]]]

    @classmethod
    def parse(cls, text: str) -> "Scrape":
        """Reads Prometheus' text format; what it does not understand is left out."""
        samples: dict[str, list[tuple[Labels, float]]] = {}
        for name, labels, value in _SAMPLE.findall(text):
            samples.setdefault(name, []).append((dict(_LABEL.findall(labels)), float(value)))
        return cls(samples)

    def value(self, name: str, *, default: float = 0.0, **labels: str) -> float:
        """The sum of all samples that have these labels; `default` where there is none."""
        found = [value for _, value in self.each(name, **labels)]
        return sum(found) if found else default

    def each(self, name: str, **labels: str) -> Iterator[tuple[Labels, float]]:
        """The samples that have these labels."""
        for found, value in self.samples.get(name, ()):
            if labels.items() <= found.items():
                yield found, value

    def count(self, name: str, **labels: str) -> float:
        """How much a histogram has seen."""
        return sum(value for _, value in self.each(f"{name}_count", **labels))

    def quantile(self, name: str, share: float, **labels: str) -> float:
        """The upper end of the bucket in which that share of all values is reached; infinity for the last, zero for none."""
        by_bound: dict[float, float] = {}
        for found, value in self.each(f"{name}_bucket", **labels):
            bound = float(found["le"])
            by_bound[bound] = by_bound.get(bound, 0.0) + value
        wanted = share * by_bound.get(float("inf"), 0.0)
        return next((bound for bound, count in sorted(by_bound.items()) if wanted and count >= wanted), 0.0)

    def label(self, name: str, label: str) -> str:
        """The value of a label of an info metric."""
        return next((found.get(label, "") for found, _ in self.each(name)), "")
