"""What a node says about itself: structured logs, to standard error unless an operator wants them elsewhere.

Nothing that callers hand over is ever in them: no keys or values, no passwords, no tokens. What is said on behalf of a request that
is traced has its trace id.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO, cast

import structlog

from raftkv.errors import ConfigError
from raftkv.tracing import current

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


STREAMS = {"stderr": lambda: sys.stderr, "stdout": lambda: sys.stdout, "default": lambda: sys.stderr}


def configure_logs(level: str, style: str, outputs: Sequence[str] = ("stderr",)) -> None:
    """Sends log lines of at least `level` to standard error, standard output or files, as `console` or `json`.

    Raises:
        ConfigError: a file cannot be appended to.
    """
    targets = [_open(output) for output in dict.fromkeys(outputs)]
    colours = [output for output in outputs if output in STREAMS] == list(outputs) and all(file.isatty() for file in targets)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_trace_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if style == "json" else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Several(targets))),
        cache_logger_on_first_use=True,
    )


class _Several:
    """One file to write to that is several."""

    def __init__(self, files: Sequence[TextIO]) -> None:
        self._files = files

    def write(self, text: str) -> int:
        for file in self._files:
            file.write(text)
        return len(text)

    def flush(self) -> None:
        for file in self._files:
            file.flush()


def _open(output: str) -> TextIO:
    stream = STREAMS.get(output)
    if stream is not None:
        return stream()
    try:
        return Path(output).open("a", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--log-outputs: cannot write to {output}: {error.strerror}") from error


def _add_trace_id(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = current.get()
    if context is not None:
        event.setdefault("trace_id", context.trace_hex)
    return event
