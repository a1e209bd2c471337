"""Where the clients are that cannot live in our own environment."""

import os
import subprocess
import sys
from pathlib import Path

CLIENTS = Path(sys.prefix) / "clients"
PYTHON = CLIENTS / "bin" / "python"
ETCDCTL_3_4 = CLIENTS / "debian" / "usr" / "bin" / "etcdctl"
HERE = Path(__file__).parent


def run_with_its_own_libraries(script: str, endpoint: str) -> None:
    """Runs a script of this folder as a program of the clients' environment.

    The generated code of etcd3 is older than today's protobuf, which takes it in its implementation in Python only.
    """
    assert PYTHON.exists(), f"no {PYTHON}: run `make {CLIENTS}/.done`"
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python", "PYTHONPATH": ""}
    result = subprocess.run(
        [PYTHON, HERE / script, endpoint], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert result.returncode == 0, result.stdout + result.stderr
