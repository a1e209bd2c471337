"""The examples of docs/cli.md, run by a shell as a reader would run them."""

import doctest
import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import StartCluster
from tests.harness.cluster import Cluster
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"
SET_ENDPOINTS = "export RAFTKV_ENDPOINTS=..."


class Example(NamedTuple):
    """A command, which may go over several lines, and what it prints."""

    command: str
    output: str


def examples(text: str) -> Iterator[Example]:
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            more = next((number for number, line in enumerate(lines[1:], 1) if not line.startswith(">")), len(lines))
            command = lines[0] + "".join(line[2:] if line.startswith("> ") else line[1:] for line in lines[1:more])
            yield Example(command.strip(), "".join(lines[more:]))


@pytest.mark.parametrize("target", [EtcdCluster, RaftkvCluster], ids=["etcd", "raftkv"])
def test_examples_print_what_the_document_says(target: type[Cluster], start_cluster: StartCluster) -> None:
    cluster = start_cluster(target)
    environment = {
        **os.environ,
        "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
        "RAFTKV_ENDPOINTS": cluster.endpoints[0],
    }
    compare = doctest.OutputChecker().check_output
    ran = 0
    for example in examples(DOCUMENT.read_text()):
        if example.command == SET_ENDPOINTS:
            continue
        command = ["bash", "-c", example.command]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert compare(example.output, done.stdout, doctest.ELLIPSIS), f"$ {example.command}\n{done.stdout}"
        ran += 1
    assert ran > 20
