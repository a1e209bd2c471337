"""The Slurm example, with stand-ins for Slurm's programs that run everything on this machine."""

import os
import subprocess
import sysconfig
from pathlib import Path

from tests.harness.ports import Ports

SCRIPT = Path(__file__).parents[2] / "deploy" / "slurm" / "training.sbatch"
SCONTROL = "#!/bin/sh\necho 127.0.0.1\n"
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
exec "$@"
"""
TORCHRUN = """#!/bin/bash
raftkv --endpoints "$(printf '%s\\n' "$@" | grep -A1 rdzv-endpoint | tail -n 1)" put trained "${@: -1}"
"""


def test_a_job_brings_its_cluster_and_takes_it_away(tmp_path: Path) -> None:
    for name, text in (("scontrol", SCONTROL), ("srun", SRUN), ("torchrun", TORCHRUN)):
        program = tmp_path / name
        program.write_text(text)
        program.chmod(0o755)
    with Ports() as ports:
        environment = {
            **os.environ,
            "PATH": f"{tmp_path}{os.pathsep}{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
            "SLURM_JOB_ID": "42",
            "SLURM_NNODES": "1",
            "SLURM_JOB_NODELIST": "127.0.0.1",
            "RAFTKV_CLIENT_PORT": str(ports.take()),
            "RAFTKV_PEER_PORT": str(ports.take()),
            "RAFTKV_SCRATCH": str(tmp_path),
        }
        done = subprocess.run(
            ["bash", str(SCRIPT), "train.py"], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "OK\n"
    assert (tmp_path / "raftkv-42").is_dir()
