"""The examples of docs/gateway.md, from top to bottom."""

import re
import shlex
from pathlib import Path

from tests.gateway.plain import Plain
from tests.harness.cluster import Cluster

GUIDE = Path(__file__).parents[2] / "docs" / "gateway.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXAMPLE = re.compile(r"^\$ curl -s (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def test_every_example_gives_what_the_guide_says(raftkv_node: Cluster) -> None:
    examples = [example for block in BLOCK.findall(GUIDE.read_text()) for example in EXAMPLE.findall(block)]
    assert len(examples) == 7
    with Plain(raftkv_node.endpoints[0]) as plain:
        for command, expected in examples:
            url, *rest = shlex.split(command)
            path = url.removeprefix("localhost:2379")
            answer = plain.post(path, rest[1]) if rest else plain.ask("GET", path)
            pattern = ".*".join(re.escape(part) for part in expected.strip().split("..."))
            assert re.fullmatch(pattern, answer.body.strip(), re.DOTALL), (command, answer)
