"""A command that runs on while a test talks with it: watch, lock, elect."""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from raftkv.clock import SystemClock
from tests.harness.etcd import ETCDCTL

RAFTKV = (sys.executable, "-m", "raftkv_cli.main")
PROGRAMS = {"raftkv": RAFTKV, "etcdctl": (str(ETCDCTL),)}
PATIENCE_S = 30.0


class Conversation:
    """Any program. A context manager; the process never outlives it."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        self.output = b""
        self._clock = SystemClock()

    def say(self, line: bytes) -> None:
        """A line on its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def read_until(self, *marks: bytes) -> bytes:
        """Reads its standard output until each mark has come; answers all that has come so far."""
        assert self._process.stdout is not None
        deadline = self._clock.now() + PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not all(mark in self.output for mark in marks):
                assert selector.select(deadline - self._clock.now()), f"{marks} not in {self.output!r}"
                chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                assert chunk, f"it ended: {self.output!r} {self._rest()[1]!r}"
                self.output += chunk
        return self.output

    def send(self, number: signal.Signals) -> None:
        """To the process alone."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals | None = None) -> tuple[int, bytes, bytes]:
        """Waits for its end, after a signal if one is given: exit code, all of its output, and what it complained."""
        if number is not None:
            self.send(number)
        output, complaints = self._rest()
        return self._process.returncode, self.output + output, complaints

    def _rest(self) -> tuple[bytes, bytes]:
        return self._process.communicate(timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


class CommandLine(Conversation):
    """One of PROGRAMS, told where the cluster is."""

    def __init__(self, program: Sequence[str], endpoints: Sequence[str], *arguments: str) -> None:
        super().__init__([*program, f"--endpoints={','.join(endpoints)}", *arguments])
