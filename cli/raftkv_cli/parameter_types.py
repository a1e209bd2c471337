"""The types of options and arguments that click has not."""

import os
import re
from typing import Any

import click

SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
SIZES: dict[str, int] = {"": 1, "B": 1} | {
    prefix + unit: base**power for power, prefix in enumerate("KMGT", start=1) for unit, base in (("B", 1000), ("IB", 1024))
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


class DurationType(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.4 on
    """A length of time as Go writes it: `500ms`, `5s`, `1m30s`. The value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        parts = _PART.findall(value)
        if not parts or "".join(number + unit for number, unit in parts) != value:
            self.fail(f"{value!r} is not a duration such as 500ms, 5s or 1m30s", param, ctx)
        seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
        if seconds <= 0:
            self.fail(f"{value!r} must be longer than nothing", param, ctx)
        return seconds


class BytesType(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.4 on
    """The very bytes that the shell handed over, whether or not they are text."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:  # noqa: ARG002 - click's signature
        return value if isinstance(value, bytes) else os.fsencode(value)


class SizeType(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.4 on
    """A number of bytes: `4096`, `64kB`, `64KiB`, `2MiB`, `1GiB`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,18})(|B|kB|KB|KiB|MB|MiB|GB|GiB|TB|TiB)", value)
        size = 1 << 63 if match is None else int(match[1]) * SIZES[match[2].upper()]
        if size >= 1 << 63:
            self.fail(f"{value!r} is not a size such as 4096, 64kB or 64MiB", param, ctx)
        return size


class LeaseType(click.ParamType):  # type: ignore[type-arg]  # generic only from click 8.4 on
    """A lease id in hexadecimal, as every command prints it; `0x` may stand before it."""

    name = "hex id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"(0[xX])?[0-9a-fA-F]{1,16}", value) or int(value, 16) >= 1 << 63:
            self.fail(f"{value!r} is not a lease id in hexadecimal", param, ctx)
        return int(value, 16)


DURATION = DurationType()
BYTES = BytesType()
SIZE = SizeType()
LEASE = LeaseType()
REVISION = click.IntRange(min=0, max=(1 << 63) - 1)
