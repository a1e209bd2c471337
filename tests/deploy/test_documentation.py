"""The examples of the operators' pages, run by a shell as a reader would run them."""

import doctest
import os
import re
import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest

from raftkv_cli.root import raftkv
from tests.cli.test_documentation import SET_ENDPOINTS, examples
from tests.conftest import StartCluster
from tests.harness.raftkv import RaftkvCluster

ROOT = Path(__file__).parents[2]
PAGES = ("monitoring", "inspection", "migration", "deployment")
COMPARE = doctest.OutputChecker().check_output


@pytest.mark.parametrize("page", ["monitoring", "inspection", "deployment"])
def test_examples_print_what_the_page_says(page: str, start_cluster: StartCluster) -> None:
    cluster = start_cluster(RaftkvCluster)
    environment = {
        **os.environ,
        "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
        "RAFTKV_ENDPOINTS": cluster.endpoints[0],
    }
    for example in examples((ROOT / "docs" / f"{page}.md").read_text()):
        if example.command == SET_ENDPOINTS:
            continue
        done = subprocess.run(
            ["bash", "-c", example.command],
            env=environment,
            cwd=ROOT,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert COMPARE(example.output, done.stdout, doctest.ELLIPSIS), f"$ {example.command}\n{done.stdout}"


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_the_options_that_the_page_gives_them(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    for block in re.findall(r"^ *```bash\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            words = shlex.split(line)
            if words and words[0] == "raftkv":
                context = raftkv.make_context("raftkv", words[1:])
                name, command, rest = raftkv.resolve_command(context, [*context._protected_args, *context.args])
                assert command is not None, name
                command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    for name in set(re.findall(r"(?<![\w/])(deploy/[\w./-]*\w/?)", text)):
        assert (ROOT / name).exists(), name
    for link in re.findall(r"\]\(([\w./-]+)\)", text):
        assert (ROOT / "docs" / link).exists(), link


def test_metrics_that_the_page_names_are_told() -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text().partition("## What etcd has")[0]
    told = (ROOT / "raftkv" / "metrics").glob("*.py")
    source = "".join(file.read_text() for file in told)
    for name in set(re.findall(r"`((?:raftkv|etcd)_[a-z_]+)", text)) - {"raftkv_job_"}:
        assert f'"{name}"' in source, name
