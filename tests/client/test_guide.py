"""The examples of docs/client.md, run from top to bottom."""

import ast
import re
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "client.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def program(endpoint: str) -> str:
    """The examples as one program, each on the lines where it stands in the guide."""
    text = GUIDE.read_text().replace("127.0.0.1:2379", endpoint)
    lines: list[str] = []
    for example in EXAMPLE.finditer(text):
        lines += [""] * (text[: example.start(1)].count("\n") - len(lines))
        lines += example[1].splitlines()
    return "\n".join(lines)


RUN = f"""
import ast, asyncio, inspect, sys
code = compile(sys.stdin.read(), {str(GUIDE)!r}, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
async def main():
    await eval(code, {{"__name__": "guide"}})
asyncio.run(main())
"""


def test_examples_of_the_guide_work(endpoint: str) -> None:
    """In a process of their own, for the last of them forks."""
    command = [sys.executable, "-W", "error", "-c", RUN]
    result = subprocess.run(command, input=program(endpoint), capture_output=True, text=True, timeout=90, check=False)
    assert (result.stderr, result.returncode) == ("", 0)


def test_guide_has_examples() -> None:
    assert len(ast.parse(program("node1:2379"), mode="exec").body) > 30
