"""The backup job, against a real node."""

import os
import subprocess
import sysconfig
from pathlib import Path

from raftkv.pb import rpc
from tests.conftest import StartCluster
from tests.harness.raftkv import RaftkvCluster

JOB = Path(__file__).parents[2] / "deploy" / "backup" / "raftkv-backup"


def run(directory: Path, endpoint: str, *arguments: str, path: str = "") -> "subprocess.CompletedProcess[str]":
    scripts = f"{path}{os.pathsep}" if path else ""
    environment = {
        **os.environ,
        "PATH": f"{scripts}{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
        "RAFTKV_ENDPOINTS": endpoint,
    }
    return subprocess.run([str(JOB), str(directory), *arguments], env=environment, capture_output=True, text=True, check=False)


def test_a_snapshot_is_saved_checked_and_old_ones_go(start_cluster: StartCluster, tmp_path: Path) -> None:
    (node,) = start_cluster(RaftkvCluster).nodes
    node.caller.ask(rpc.PutRequest(key=b"k", value=b"v"))
    backups = tmp_path / "backups"
    backups.mkdir()
    old = [backups / f"raftkv-2020010{day}T000000Z.snapshot" for day in range(1, 5)]
    for file in (*old, backups / "notes.txt"):
        file.touch()
    done = run(backups, node.endpoint, "3")
    assert done.returncode == 0, done.stderr
    kept = sorted(file.name for file in backups.iterdir())
    newest = kept[-1]
    assert kept == ["notes.txt", old[2].name, old[3].name, newest]
    assert f"{newest}: " in done.stdout
    assert backups.stat().st_mode & 0o077 == 0
    restored = subprocess.run(
        [
            f"{sysconfig.get_path('scripts')}/raftkv",
            "snapshot",
            "restore",
            str(backups / newest),
            "--data-dir",
            str(tmp_path / "new"),
        ],
        capture_output=True,
        check=False,
    )
    assert restored.returncode == 0, restored.stderr


def test_what_cannot_be_checked_is_not_kept(start_cluster: StartCluster, tmp_path: Path) -> None:
    (node,) = start_cluster(RaftkvCluster).nodes
    programs = tmp_path / "bin"
    programs.mkdir()
    broken = programs / "raftkv"
    broken.write_text(
        f'#!/bin/sh\n{sysconfig.get_path("scripts")}/raftkv "$@" || exit\n[ "$2" = save ] && echo x >> "$3"\nexit 0\n'
    )
    broken.chmod(0o755)
    done = run(tmp_path / "backups", node.endpoint, path=str(programs))
    assert done.returncode != 0
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_cluster_that_is_away_leaves_the_old_ones(tmp_path: Path) -> None:
    old = tmp_path / "raftkv-20200101T000000Z.snapshot"
    old.touch()
    done = run(tmp_path, "127.0.0.1:1", "1")
    assert done.returncode != 0
    assert old.exists()
