"""`raftkv-chaos run`, as a process of its own."""

import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "raftkv_chaos.command", "run")


def chaos(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A whole run; what it leaves is in `folder`."""
    command = [*COMMAND, "--folder", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
