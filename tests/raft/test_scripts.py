"""Scenarios with everything that they cause written down: a change of behaviour shows as a change of a text file.

RAFTKV_REWRITE_TRACES=1 pytest tests/raft/test_scripts.py writes the files anew; then read the difference.
"""

import os
from pathlib import Path

import pytest

from tests.raft.script import run_script

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_causes_what_is_written(path: Path) -> None:
    text = path.read_text()
    trace = run_script(text)
    if os.environ.get("RAFTKV_REWRITE_TRACES"):
        path.write_text(trace)
    else:
        assert trace == text


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 15
