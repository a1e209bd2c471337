"""A shell that a page's commands are typed into, one after the other, as a reader would."""

import doctest
import re
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

END = "end-of-command"
KILLED = re.compile(
    r"bash: line \d+: +\d+ (Killed|Terminated) "
)  # what bash itself says of jobs; a terminal shows it elsewhere
PATIENCE_S = 120.0


class Shell:
    """One bash for a whole page, so what a command exports or starts is there for the next ones."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # between commands
            text=True,
            start_new_session=True,
        )
        self._changed = threading.Condition()
        self._printed = ""
        self._ended = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write("kill $(jobs -p)\nwait\n")
        self._bash.stdin.close()
        self._bash.wait(PATIENCE_S)
        self._reader.join()
        assert self._bash.stdout is not None
        self._bash.stdout.close()

    def type(self, command: str, expected: str = "") -> None:
        """Runs a command; it has to end, and to print what the page says, where `...` stands for anything.

        What a command in the background prints may come later than its end.
        """
        assert self._bash.stdin is not None
        with self._changed:
            self._printed = ""
            number = self._ended + 1
            self._bash.stdin.write(f"exec 3>&2 2>&1\n{command}\nexec 2>&3 3>&-\necho {END}\n")
            self._bash.stdin.flush()
            done = self._changed.wait_for(lambda: self._ended >= number and _same(expected, self._printed), PATIENCE_S)
            assert done, f"$ {command}\n{self._printed}\n--- not ---\n{expected}"

    def _read(self) -> None:
        assert self._bash.stdout is not None
        for line in self._bash.stdout:
            with self._changed:
                if line.endswith(f"{END}\n"):
                    self._ended += 1
                    line = line.removesuffix(f"{END}\n")  # noqa: PLW2901 (what the command printed without an end of line)
                self._printed += "" if KILLED.match(line) else line
                self._changed.notify_all()


def _same(expected: str, printed: str) -> bool:
    return doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS)
