"""How far long work is: a bar on standard error where that is a terminal, and nothing elsewhere."""

import sys
from types import TracebackType
from typing import Any, Self


class ProgressBar:
    """A context manager; `show` says how much is done."""

    def __init__(self, what: str, *, as_bytes: bool = False) -> None:
        """`as_bytes`: what is counted are bytes."""
        self._what = what
        self._as_bytes = as_bytes
        self._progress: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._progress = _make(as_bytes=self._as_bytes)
            self._task = self._progress.add_task(self._what, total=None)
            self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """So much of so much."""
        if self._progress is not None:
            self._progress.update(self._task, description=what, completed=done, total=max(done, total))


def _make(*, as_bytes: bool) -> Any:
    from rich.console import Console  # noqa: PLC0415 - it takes a while to load
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    amount = DownloadColumn() if as_bytes else MofNCompleteColumn()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        amount,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
