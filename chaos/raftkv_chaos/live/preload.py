"""The layer between a server and its C library (`preload.c`): compiled when it is needed, steered while the server runs.

It reaches what calls the C library, which CPython and RocksDB do. A Go program makes its system calls by itself.
"""

import ctypes
import mmap
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from raftkv.clock import Clock

SOURCE = Path(__file__).with_name("preload.c")
COMPILE_TIMEOUT_S = 60.0


class PreloadError(Exception):
    """The layer cannot be made here; the text says why."""


def build(folder: Path) -> Path:
    """Compiles the layer.

    Raises:
        PreloadError: there is no compiler, or it refuses.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise PreloadError("there is no C compiler (cc) to make the layer for clocks and disks with")
    library = folder / "preload.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False)  # noqa: S603
    if made.returncode != 0:
        raise PreloadError(f"{compiler} does not compile the layer for clocks and disks: {made.stderr.strip()[-500:]}")
    return library


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server's clocks and disk are like. `rate` is how fast its monotonic clock runs, an errno of 0 is no failure."""

    wall_offset_s: float = 0.0
    rate: float = 1.0
    sync_delay_s: float = 0.0
    sync_errno: int = 0
    write_errno: int = 0


class _Block(ctypes.Structure):
    """`struct control` of preload.c."""

    _fields_ = (
        ("version", ctypes.c_uint64),
        ("wall_offset_ns", ctypes.c_int64),
        ("rate_from_ns", ctypes.c_int64),
        ("rate_base_ns", ctypes.c_int64),
        ("rate", ctypes.c_double),
        ("sync_delay_us", ctypes.c_int64),
        ("sync_errno", ctypes.c_int64),
        ("write_errno", ctypes.c_int64),
    )


class Control:
    """The settings of one server, shared with it through a file."""

    def __init__(self, library: Path, *, folder: Path, data: Path, clock: Clock) -> None:
        self._clock = clock
        self.settings = Settings()
        self.journal = folder / "syncs"
        path = folder / "control"
        path.write_bytes(bytes(ctypes.sizeof(_Block)))
        with path.open("r+b") as file:
            self._block = _Block.from_buffer(mmap.mmap(file.fileno(), ctypes.sizeof(_Block)))
        self._block.rate = 1.0
        self.environment = {
            "LD_PRELOAD": str(library),
            "RAFTKV_CHAOS_CONTROL": str(path),
            "RAFTKV_CHAOS_DATA": str(data),
            "RAFTKV_CHAOS_JOURNAL": str(self.journal),
        }

    def change(self, **settings: float) -> None:
        """Changes some settings, for the server as it runs."""
        self.settings = replace(self.settings, **settings)  # type: ignore[arg-type]  # an int where the field is one
        block, wanted = self._block, self.settings
        block.version += 1
        if wanted.rate != block.rate:  # monotonic time must not jump where its rate changes
            now = int(self._clock.now() * 1e9)
            block.rate_base_ns = block.rate_base_ns + int((now - block.rate_from_ns) * block.rate)
            block.rate_from_ns = now
            block.rate = wanted.rate
        block.wall_offset_ns = int(wanted.wall_offset_s * 1e9)
        block.sync_delay_us = int(wanted.sync_delay_s * 1e6)
        block.sync_errno = int(wanted.sync_errno)
        block.write_errno = int(wanted.write_errno)
        block.version += 1
