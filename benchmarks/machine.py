"""What the kernel knows: facts of the machine for the report, and what a server process has used."""

import os
import platform
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads (proc(5), /proc/PID/stat)."""
    return cpu_seconds_of_stat(Path(f"/proc/{pid}/stat").read_text())


def cpu_seconds_of_stat(stat: str) -> float:
    """Fields 14 and 15. Field 2 is the program's name in parentheses and may hold spaces, so counting starts behind it."""
    after_name = stat[stat.rindex(")") + 2 :].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Memory in RAM (proc(5), /proc/PID/statm, field 2)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def facts(data: Path) -> list[str]:
    """A line each on processor, memory, system and the disk below `data`."""
    memory = os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES / 2**30
    return [
        f"{os.cpu_count()} cores, {_processor()}; {memory:.0f} GiB of memory",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}; data on {_file_system(data)}",
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system that `folder` is on: the longest mount point above it wins."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    resolved = folder.resolve()
    above = [(len(point), kind) for point, kind in mounts if resolved.is_relative_to(point)]
    return max(above)[1] if above else "an unknown file system"
