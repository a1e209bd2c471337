"""`raftkv lighthouse` as a process, and the options of jobs."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COMMAND = (sys.executable, "-m", "raftkv_cli.main")


@contextmanager
def lighthouse(endpoints: str, job: str) -> Iterator[str]:
    """The address of an endpoint beside the workers."""
    arguments = [*COMMAND, "--endpoints", endpoints, "lighthouse", "serve", job]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    assert process.returncode == 0


def set_options(endpoints: str, job: str, **options: int) -> None:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    subprocess.run([*COMMAND, "--endpoints", endpoints, "lighthouse", "set", job, *flags], check=True, capture_output=True)
