"""A command of the operator's own: exit status 0 says that the node is fit. What it prints is kept, the end of it."""

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from raftkv.preflight.check import DEFAULT_TIMEOUT_S, Finding

KEPT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """Runs it without a shell, in a process group of its own, which is killed when its time is over."""

    command: Sequence[str]
    timeout_s: float = DEFAULT_TIMEOUT_S
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside that of this process."""

    @property
    def name(self) -> str:
        return f"command:{shlex.join(self.command)}"

    def look(self) -> Finding:
        """Waits for the command."""
        with tempfile.TemporaryFile() as output:  # a file, not a pipe: who inherits a pipe could keep us waiting
            try:
                status = self._run(output)
            except OSError as error:
                return Finding(self.name, passed=False, text=f"cannot be run: {error.strerror}")
            return Finding(self.name, passed=status == 0, text=self._text(status), output=_end_of(output))

    def _run(self, output: IO[bytes]) -> int | None:
        """Its exit status; None: it took too long."""
        with subprocess.Popen(  # noqa: S603 (to run what the operator says is its purpose)
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.environment},
            start_new_session=True,
        ) as process:
            try:
                return process.wait(self.timeout_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return None

    def _text(self, status: int | None) -> str:
        if status is None:
            return f"took longer than {self.timeout_s:g} s"
        if status < 0:
            return f"was ended by signal {-status}"
        return f"exit status {status}"


def _end_of(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - KEPT_BYTES))
    return output.read().decode(errors="replace").strip()
