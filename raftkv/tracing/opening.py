"""A recorder, if an operator wants one."""

from collections.abc import Callable

from raftkv.errors import ConfigError
from raftkv.tracing.recorder import Recorder


def open_recorder(
    collector: str, *, service: str, node: str, now: Callable[[], float], unix_time: Callable[[], float]
) -> Recorder | None:
    """Who is told of requests that are traced; without a collector, nobody.

    Raises:
        ConfigError: the collector cannot be one, or OpenTelemetry is not installed.
    """
    if not collector:
        return None
    try:
        from raftkv.tracing.otlp import to_collector  # noqa: PLC0415 (optional, and it takes a while to load)
    except ImportError as error:
        raise ConfigError("--tracing-endpoint: traces need OpenTelemetry: pip install 'raftkv[tracing]'") from error
    return to_collector(collector, service=service, node=node, now=now, unix_time=unix_time)
