"""Who opened a connection: the process behind a TCP port of this machine, read from /proc.

Nodes of a cluster all run on 127.0.0.1, and what they dial looks alike. Which of them it was says the kernel: the table
of sockets has the inode of the dialling end, and the open files of a process its sockets' inodes. That works for any
server, without its help.
"""

from collections.abc import Mapping
from pathlib import Path

TABLE = Path("/proc/net/tcp")
AVAILABLE = TABLE.exists()


def source_of(port: int, processes: Mapping[str, int]) -> str | None:
    """The name of the process whose socket has this local port; None where none of them has. `processes`: name to id."""
    inode = _inode(port)
    if inode is None:
        return None
    wanted = f"socket:[{inode}]"
    return next((name for name, process in processes.items() if _holds(process, wanted)), None)


def _inode(port: int) -> str | None:
    """Columns of the table: number, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode."""
    local = f"0100007F:{port:04X}"
    for line in TABLE.read_text().splitlines()[1:]:
        columns = line.split()
        if columns[1] == local and columns[9] != "0":
            return columns[9]
    return None


def _holds(process: int, wanted: str) -> bool:
    try:
        return any(_target(link) == wanted for link in Path(f"/proc/{process}/fd").iterdir())
    except OSError:  # it has ended, or is somebody else's
        return False


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed in between
        return ""
