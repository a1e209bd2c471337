"""What stands in the pages: fenced blocks, and the commands in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block of a page."""

    language: str
    text: str


class Example(NamedTuple):
    """A command, which may go over several lines, and what it prints."""

    command: str
    output: str


def blocks(page: Path) -> list[Block]:
    """In the order of the page."""
    return [Block(found[2], found[3]) for found in FENCE.finditer(page.read_text())]


def examples(block: str) -> Iterator[Example]:
    """What is typed behind `$ ` (and `> ` where it goes on), with the lines below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        more = next((number for number, line in enumerate(lines[1:], 1) if not line.startswith("> ")), len(lines))
        command = lines[0] + "".join(line[2:] for line in lines[1:more])
        yield Example(command.strip(), "".join(lines[more:]))
