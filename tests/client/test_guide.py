"""The examples of the client's guides, run from top to bottom."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = DOCS / "client.md"
WATCHES_AND_LEASES = DOCS / "watches-and-leases.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def program(guide: Path, endpoint: str) -> str:
    """The examples as one program, each on the lines where it stands in the guide."""
    text = guide.read_text().replace("127.0.0.1:2379", endpoint)
    lines: list[str] = []
    for example in EXAMPLE.finditer(text):
        lines += [""] * (text[: example.start(1)].count("\n") - len(lines))
        lines += example[1].splitlines()
    return "\n".join(lines)


RUN = """
import ast, asyncio, inspect, sys
code = compile(sys.stdin.read(), sys.argv[1], "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
async def main():
    await eval(code, {"__name__": "guide"})
asyncio.run(main()) if code.co_flags & inspect.CO_COROUTINE else exec(code, {"__name__": "guide"})
"""


def run(guide: Path, endpoint: str) -> None:
    run_program(program(guide, endpoint), name=str(guide))


def run_program(text: str, *, name: str) -> None:
    """In a process of its own, for it may fork."""
    command = [sys.executable, "-W", "error", "-c", RUN, name]
    result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=90, check=False)
    assert (result.stderr, result.returncode) == ("", 0)


def test_examples_of_the_guide_work(endpoint: str) -> None:
    run(GUIDE, endpoint)


def test_examples_of_the_guide_to_watches_and_leases_work(endpoint: str) -> None:
    run(WATCHES_AND_LEASES, endpoint)


@pytest.mark.parametrize("guide", [GUIDE, WATCHES_AND_LEASES], ids=lambda path: path.stem)
def test_guide_has_examples(guide: Path) -> None:
    assert len(ast.parse(program(guide, "node1:2379"), mode="exec").body) > 20
