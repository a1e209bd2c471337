"""Every block of code in README.md and docs/ is tried: which test runs it stands here, and what cannot run here is at least read.

`python` and `console` blocks run. `bash` blocks are for other machines (other hosts, certificates, torch): their commands are held to
what the programs take. `text` is no code.
"""

import os
import re
import shlex
import subprocess
import sysconfig
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

from raftkv_chaos.command import cli as raftkv_chaos
from raftkv_cli.root import raftkv
from raftkv_jepsen.command import cli as raftkv_jepsen
from tests.client.test_guide import run_program
from tests.conftest import StartCluster
from tests.docs.pages import PAGES, ROOT, blocks, examples
from tests.docs.shell import Shell
from tests.harness.raftkv import RaftkvCluster

RUNS = {"python", "console"}
LANGUAGES = {*RUNS, "bash", "text"}
OURS = {"raftkv": raftkv, "raftkv-chaos": raftkv_chaos, "raftkv-jepsen": raftkv_jepsen}
OTHERS = {"curl", "deploy/rolling/rolling-restart", "etcdctl", "export", "pip", "source", "torchrun"}
HERE = ("chaos", "checking", "fencing", "tracing")
RUN_BY = {
    "README": "docs/test_tutorial.py",
    "auth": "auth/test_guide.py",
    "cli": "cli/test_documentation.py",
    "client": "client/test_guide.py",
    "deployment": "deploy/test_documentation.py",
    "gateway": "gateway/test_documentation.py",
    "inspection": "deploy/test_documentation.py",
    "jax": "jax/test_processes.py",
    "leader-election": "client/test_recipe_guides.py",
    "monitoring": "deploy/test_documentation.py",
    "quotas": "quotas/test_quotas_served.py",
    "recipes": "client/test_recipe_guides.py",
    "rendezvous": "rendezvous/test_rendezvous_guide.py",
    "training": "rendezvous/test_rendezvous_guide.py",
    "tutorial": "docs/test_tutorial.py",
    "watches-and-leases": "client/test_guide.py",
    **dict.fromkeys(HERE, "docs/test_blocks.py"),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_block_that_runs_has_a_test_that_runs_it(page: Path) -> None:
    languages = {block.language for block in blocks(page)}
    assert languages <= LANGUAGES
    assert page.read_text().count("```") == 2 * len(blocks(page)), "a fence is left open"
    if languages & RUNS:
        assert page.stem in (ROOT / "tests" / RUN_BY[page.stem]).read_text()


@pytest.mark.parametrize("name", HERE)
def test_blocks_of_pages_without_a_test_of_their_own(name: str, start_cluster: StartCluster, tmp_path: Path) -> None:
    page = ROOT / "docs" / f"{name}.md"
    text = page.read_text()
    endpoint = start_cluster(RaftkvCluster).endpoints[0] if "raftkv " in text or "Client(" in text else ""
    environment = os.environ | {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}
    with Shell(tmp_path, environment | {"RAFTKV_ENDPOINTS": endpoint}) as shell:
        for block in blocks(page):
            if block.language == "python":
                run_program(block.text.replace("127.0.0.1:2379", endpoint), name=str(page))
            elif block.language == "console":
                for example in examples(block.text):
                    shell.type(example.command, example.output)


def _commands(page: Path) -> Iterator[list[str]]:
    for block in blocks(page):
        if block.language == "bash":
            checked = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
            assert (checked.returncode, checked.stderr) == (0, ""), block.text
            for line in block.text.replace("\\\n", " ").splitlines():
                words = list(takewhile(lambda word: word not in {">", "|"}, shlex.split(line, comments=True)))
                if words:
                    yield words


def _parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """As far as the options of the last command; nothing is carried out."""
    try:
        context = command.make_context(command.name, words, parent=parent)
    except click.BadParameter as error:
        if not re.search("does not exist|No such file", error.message):  # a file of the reader's
            raise
        return
    if isinstance(command, click.Group):
        _, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert below is not None
        _parse(below, rest, context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_for_elsewhere_are_taken(page: Path) -> None:
    for words in _commands(page):
        if words[0] in OURS:
            _parse(OURS[words[0]], words[1:])
        elif words[0] == "make":
            assert f"\n{words[1]}: " in (ROOT / "Makefile").read_text(), words
        else:
            assert words[0] in OTHERS, words
