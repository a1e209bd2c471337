"""`raftkv store serve` as a process: an endpoint shares no interpreter with a TCPStore client, whose calls may hold its lock."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COMMAND = (sys.executable, "-m", "raftkv_cli.main")


@contextmanager
def endpoint(endpoints: str, job: str, round_name: str = "1") -> Iterator[int]:
    """Its port."""
    arguments = [*COMMAND, "--endpoints", endpoints, "store", "serve", job, "--round", round_name]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    assert process.returncode == 0
