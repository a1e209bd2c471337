"""A folder: room in it, and a file written, synced and read back, as it was and in time."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from raftkv.clock import SystemClock
from raftkv.preflight.check import DEFAULT_TIMEOUT_S, Finding

MIB, GIB = 1 << 20, 1 << 30
BLOCK_BYTES = 1 * MIB


@dataclass(frozen=True, slots=True)
class DiskCheck:
    """`write_mib_s` and `read_mib_s`: slower has not passed; 0: any speed."""

    folder: Path
    free_gib: float = 1.0
    size_mib: int = 64
    """Of the file that is written."""
    write_mib_s: float = 0.0
    read_mib_s: float = 0.0
    timeout_s: float = DEFAULT_TIMEOUT_S
    now: Callable[[], float] = SystemClock().now

    @property
    def name(self) -> str:
        return f"disk:{self.folder}"

    def look(self) -> Finding:
        """Leaves nothing behind."""
        try:
            free_gib = shutil.disk_usage(self.folder).free / GIB
            if free_gib < self.free_gib:
                return self._finding(f"{free_gib:.1f} GiB free, {self.free_gib:g} needed", passed=False)
            return self._try(free_gib)
        except OSError as error:
            return self._finding(f"{error.strerror}", passed=False)

    def _try(self, free_gib: float) -> Finding:
        block = os.urandom(BLOCK_BYTES)
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".raftkv-check-") as file:
            begun = self.now()
            written = self._write(file.fileno(), block, begun)
            synced = self.now()
            if not written:
                return self._finding(f"writing took longer than {self.timeout_s:g} s", passed=False)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # so that it is read from the disk
            same = self._read(file.fileno(), block)
            read = self.now()
        write_mib_s, read_mib_s = self._speed(synced - begun), self._speed(read - synced)
        text = f"{free_gib:.1f} GiB free, {write_mib_s:.0f} MiB/s written, {read_mib_s:.0f} MiB/s read"
        if not same:
            return self._finding("what was read is not what was written", passed=False)
        return self._finding(text, passed=write_mib_s >= self.write_mib_s and read_mib_s >= self.read_mib_s)

    def _write(self, descriptor: int, block: bytes, begun: float) -> bool:
        """Whether it was in time."""
        for _ in range(self.size_mib):
            written = 0
            while written < len(block):
                written += os.write(descriptor, block[written:])
            if self.now() - begun > self.timeout_s:
                return False
        os.fsync(descriptor)
        return True

    def _read(self, descriptor: int, block: bytes) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return all(file.read(len(block)) == block for _ in range(self.size_mib))

    def _speed(self, seconds: float) -> float:
        return self.size_mib / max(seconds, 1e-6)

    def _finding(self, text: str, *, passed: bool) -> Finding:
        return Finding(self.name, passed=passed, text=text)
