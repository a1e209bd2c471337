"""Server processes: started, signalled and always ended.

    (new) --start--> running --kill/terminate--> ended --start--> running ...
                        ^ |
                  resume| |pause
                        | v
                      paused

A process never outlives who started it: `Process.end` is in every teardown, and where setpriv(1) exists the kernel kills the
server when the thread that started it is gone. It has a session of its own, so a Ctrl-C at the terminal is not for it.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

TERMINATE_TIMEOUT_S = 10.0


class ProcessEndedError(Exception):
    """A server process ended that should be running; the end of its log is the message."""


class Process:
    """One server process; its standard output and error are appended to `log`."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        self.command = [*_die_with_parent(), *command]
        self._environment = {**os.environ, **(environment or {})}
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the running process (setpriv and the server are the same process)."""
        assert self._popen is not None, f"{self.name} was never started"
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended; a paused process is running."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Starts the process, for the first time or again."""
        assert not self.running, f"{self.name} is running"
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603  (the caller's own command)
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL: the process gets no chance to flush or say goodbye."""
        self._signal(signal.SIGKILL)
        self.wait_for_end(TERMINATE_TIMEOUT_S)

    def terminate(self) -> int:
        """SIGTERM, the orderly way; the exit status."""
        self._signal(signal.SIGTERM)
        return self.wait_for_end(TERMINATE_TIMEOUT_S)

    def pause(self) -> None:
        """SIGSTOP: alive for the kernel and its peers' connections, silent otherwise."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Makes sure that nothing is left of it, whatever state it is in."""
        if self.running:
            self.kill()

    def ended_within(self, seconds: float) -> bool:
        """Waits for the process to end: false when it still runs after `seconds`."""
        assert self._popen is not None, f"{self.name} was never started"
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait_for_end(self, seconds: float) -> int:
        """The exit status; a process that does not end in time is killed and reported."""
        assert self._popen is not None, f"{self.name} was never started"
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            raise ProcessEndedError(f"{self.name} did not end within {seconds} s of its signal:\n{self.log_tail()}") from None

    def check_running(self) -> None:
        """Raises with the end of the log when the process has ended by itself."""
        if not self.running:
            status = None if self._popen is None else self._popen.returncode
            raise ProcessEndedError(f"{self.name} ended with status {status}:\n{self.log_tail()}")

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        self.check_running()
        assert self._popen is not None
        self._popen.send_signal(number)


def _die_with_parent() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
