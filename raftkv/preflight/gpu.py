"""The GPUs, as nvidia-smi tells of them: whether all are there, answer, and have no errors that memory cannot correct."""

import csv
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raftkv.preflight.check import DEFAULT_TIMEOUT_S, Finding

ERRORS = "ecc.errors.uncorrected.volatile.total"
FIELDS = ("index", "name", "temperature.gpu", ERRORS)
"""Every driver knows these."""
NEWER_FIELDS = ("retired_pages.pending", "remapped_rows.pending", "remapped_rows.failure")
UNKNOWN_FIELD = "is not a valid field"
"""What a driver says that is older than a field."""
FLAGGED = {
    "retired_pages.pending": "bad memory pages wait for a reset",
    "remapped_rows.pending": "bad memory rows wait for a reset",
    "remapped_rows.failure": "bad memory rows could not be remapped",
}
"""Fields that are to be No, or 0, in words."""
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
        found = self._ask((*FIELDS, *NEWER_FIELDS))
        if isinstance(found, Finding) and UNKNOWN_FIELD in found.text:
            found = self._ask(FIELDS)
        return found if isinstance(found, Finding) else self._judge(found, "no GPU")

    def _ask(self, fields: Sequence[str]) -> list[dict[str, str]] | Finding:
        """What there is, or what is wrong."""
        question = [*self.command, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
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
        if any(len(row) != len(fields) for row in rows):
            return self._bad(f"nvidia-smi said something else than was asked: {done.stdout[:200]!r}")
        return [dict(zip(fields, row, strict=True)) for row in rows]

    def _judge(self, gpus: list[dict[str, str]], nothing: str) -> Finding:
        if len(gpus) < self.count:
            return self._bad(f"{len(gpus)} of {self.count} GPUs" + (f": {nothing}" if not gpus else ""))
        problems = [f"GPU {gpu['index']}: {problem}" for gpu in gpus for problem in self._problems(gpu)]
        if problems:
            return self._bad("; ".join(problems))
        return Finding(self.name, passed=True, text=f"{len(gpus)} GPUs ({gpus[0]['name']})" if gpus else nothing)

    def _problems(self, gpu: dict[str, str]) -> Iterator[str]:
        """What is `[N/A]`, as on cards without ECC, is no problem."""
        if gpu[ERRORS].isdecimal() and int(gpu[ERRORS]):
            yield f"{gpu[ERRORS]} uncorrected memory errors"
        for field, words in FLAGGED.items():
            value = gpu.get(field, "")
            if value == "Yes" or (value.isdecimal() and int(value)):
                yield words
        if gpu["temperature.gpu"].isdecimal() and int(gpu["temperature.gpu"]) > self.max_celsius:
            yield f"{gpu['temperature.gpu']} °C"

    def _bad(self, text: str) -> Finding:
        return Finding(self.name, passed=False, text=text)
