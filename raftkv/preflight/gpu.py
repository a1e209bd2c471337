"""The GPUs, as nvidia-smi tells of them: whether all are there, answer, and have no errors that memory cannot correct."""

import csv
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raftkv.preflight.check import DEFAULT_TIMEOUT_S, Finding

FIELDS = (
    "index",
    "name",
    "temperature.gpu",
    "ecc.errors.uncorrected.volatile.total",
    "retired_pages.pending",
    "remapped_rows.pending",
    "remapped_rows.failure",
)
COUNTED = {
    "ecc.errors.uncorrected.volatile.total": "uncorrected memory errors",
    "remapped_rows.failure": "memory rows that could not be remapped",
}
"""Fields that are to be 0, in words."""
NEEDS_RESET = {"retired_pages.pending", "remapped_rows.pending"}
MAX_CELSIUS = 90


@dataclass(frozen=True, slots=True)
class GpuCheck:
    """`count`: as many are needed; 0: whatever there is must be well, and there may be none."""

    count: int = 0
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_celsius: int = MAX_CELSIUS
    command: Sequence[str] = ("nvidia-smi",)

    @property
    def name(self) -> str:
        return f"gpu:{self.count}" if self.count else "gpu"

    def look(self) -> Finding:
        """Asks nvidia-smi."""
        question = [*self.command, f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(question, capture_output=True, text=True, timeout=self.timeout_s, check=False)  # noqa: S603 (fixed words)
        except FileNotFoundError:
            return self._judge([], "there is no nvidia-smi")
        except subprocess.TimeoutExpired:
            return self._bad(f"nvidia-smi took longer than {self.timeout_s:g} s")
        except OSError as error:
            return self._bad(f"nvidia-smi cannot be run: {error.strerror}")
        if done.returncode:
            return self._bad(f"nvidia-smi: {(done.stdout + done.stderr).strip()[:500]}")
        rows = [row for row in csv.reader(done.stdout.splitlines(), skipinitialspace=True) if row]
        if any(len(row) != len(FIELDS) for row in rows):
            return self._bad(f"nvidia-smi said something else than was asked: {done.stdout[:200]!r}")
        return self._judge([dict(zip(FIELDS, row, strict=True)) for row in rows], "no GPU")

    def _judge(self, gpus: list[dict[str, str]], nothing: str) -> Finding:
        if len(gpus) < self.count:
            return self._bad(f"{len(gpus)} of {self.count} GPUs" + (f": {nothing}" if not gpus else ""))
        problems = [f"GPU {gpu['index']}: {problem}" for gpu in gpus for problem in self._problems(gpu)]
        if problems:
            return self._bad("; ".join(problems))
        return Finding(self.name, passed=True, text=f"{len(gpus)} GPUs ({gpus[0]['name']})" if gpus else nothing)

    def _problems(self, gpu: dict[str, str]) -> Iterator[str]:
        """What is `[N/A]`, as on cards without ECC, is no problem."""
        for field, words in COUNTED.items():
            if gpu[field].isdecimal() and int(gpu[field]):
                yield f"{gpu[field]} {words}"
        if any(gpu[field] in {"Yes", "1"} for field in NEEDS_RESET):
            yield "bad memory waits for a reset"
        if gpu["temperature.gpu"].isdecimal() and int(gpu["temperature.gpu"]) > self.max_celsius:
            yield f"{gpu['temperature.gpu']} °C"

    def _bad(self, text: str) -> Finding:
        return Finding(self.name, passed=False, text=text)
