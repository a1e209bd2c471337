"""The first use: a reader follows README.md, or docs/tutorial.md, from an empty directory on."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Example, blocks, examples
from tests.docs.shell import PATIENCE_S, Shell
from tests.harness.ports import Ports

USUAL_PORTS = ("2379", "22379", "32379")
LEADER = "4243"  # the leader's process in the pages' examples


class Dev:
    """`raftkv dev` in the reader's first terminal."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, text=True)
        self._nodes: dict[str, str] = {}
        self.leader = ""

    def wait_for_leader(self) -> None:
        """Reads what the terminal shows up to the line that names one."""
        assert self._process.stdout is not None
        patience = threading.Timer(PATIENCE_S, self._process.kill)
        patience.start()
        shown = ""
        for line in self._process.stdout:
            shown += line
            if node := re.match(r"(\w+) \| process (\d+) ", line):
                self._nodes[node[1]] = node[2]
            if (leader := re.match(r"leader \| (\w+)", line)) and leader[1] in self._nodes:
                self.leader = self._nodes[leader[1]]
                break
        patience.cancel()
        assert self.leader, shown

    def stop(self) -> None:
        """Ctrl-C."""
        self._process.terminate()
        self._process.communicate(timeout=PATIENCE_S)
        assert self._process.returncode == 0


@contextmanager
def dev(raftkv: Path, folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[Dev, int]]:
    """A cluster like that of the pages, at free ports, the first of which is told."""
    with Ports() as ports:
        first = ports.take_row(6)
        running = Dev([str(raftkv), "dev", "--data-dir", "cluster", "--base-port", str(first)], folder, environment)
        try:
            running.wait_for_leader()
            yield running, first
        finally:
            running.stop()


def as_here(text: str, running: Dev, first_port: int) -> str:
    """The page's text with the ports and the process of this cluster."""
    ports = {usual: str(first_port + 2 * node) for node, usual in enumerate(USUAL_PORTS)}
    found = ports | {LEADER: running.leader}
    return re.sub(rf"(?<=127\.0\.0\.1:)\d+|\b{LEADER}\b", lambda match: found[match[0]], text)


@pytest.fixture
def reader(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has never seen this tree: its copy lies in `raftkv`."""
    (tmp_path / "raftkv").symlink_to(ROOT)
    ours = ("PYTHON", "RAFTKV", "ETCDCTL", "VIRTUAL_ENV", "COV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept["PATH"] = os.pathsep.join(part for part in kept["PATH"].split(os.pathsep) if ".venv" not in part)
    return kept | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_COMPILE": "1", "PIP_QUIET": "3"}


def commands_of(page: Path) -> list[Example]:
    return [example for block in blocks(page) if block.language == "console" for example in examples(block.text)]


@pytest.mark.timeout(300)  # it installs raftkv with what it needs
def test_the_tutorial_from_an_empty_directory(tmp_path: Path, reader: dict[str, str]) -> None:
    page = ROOT / "docs" / "tutorial.md"
    commands = commands_of(page)
    (program,) = (block.text for block in blocks(page) if block.language == "python")
    start = next(number for number, example in enumerate(commands) if example.command == "raftkv dev --data-dir cluster")
    installed = tmp_path / "venv" / "bin"
    with Shell(tmp_path, reader) as shell:
        for example in commands[:start]:
            shell.type(example.command, example.output)
        with dev(installed / "raftkv", tmp_path, reader) as (running, first_port):
            (tmp_path / "scheduler.py").write_text(as_here(program, running, first_port))
            for example in commands[start + 1 :]:
                shell.type(as_here(example.command, running, first_port), as_here(example.output, running, first_port))
        # What is installed is whole: nothing of it is imported from the source tree.
        shell.type(
            f"{installed}/python -c 'import raftkv.daemon, raftkv_chaos.sim, raftkv_jepsen; print(raftkv.__file__)'",
            f"{installed.parent}...\n",
        )


def test_what_the_readme_shows_first(tmp_path: Path, reader: dict[str, str]) -> None:
    commands = commands_of(ROOT / "README.md")
    assert [example.command for example in commands[:2]] == [
        "make up",
        "export ETCDCTL_ENDPOINTS=" + ",".join(f"127.0.0.1:{port}" for port in USUAL_PORTS),
    ]
    assert "$(BIN)/raftkv dev" in (ROOT / "Makefile").read_text()  # that is `make up`
    (tmp_path / ".venv").symlink_to(sys.prefix)
    environment = reader | {"PATH": f"{sys.prefix}/bin{os.pathsep}{reader['PATH']}"}
    with (
        Shell(tmp_path, environment) as shell,
        dev(Path(sys.prefix) / "bin" / "raftkv", tmp_path, reader) as (running, first_port),
    ):
        for example in commands[1:]:
            shell.type(as_here(example.command, running, first_port), as_here(example.output, running, first_port))
        shell.type("raftkv put /jobs/7/state done", "OK\n")
