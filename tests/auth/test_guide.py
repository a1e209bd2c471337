"""The examples of docs/auth.md, run as a reader would run them."""

import doctest
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.harness.cluster import Cluster

GUIDE = Path(__file__).parents[2] / "docs" / "auth.md"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PYTHON_PRINTS = "etcdserver: permission denied\n"


def run(*command: str, cluster: Cluster) -> str:
    environment = {
        **os.environ,
        "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
        "RAFTKV_ENDPOINTS": cluster.endpoints[0],
    }
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60
    )
    return done.stdout


def test_examples_do_what_the_guide_says(raftkv_node: Cluster) -> None:
    compare = doctest.OutputChecker().check_output
    ran = 0
    for kind, text in BLOCK.findall(GUIDE.read_text()):
        if kind == "python":
            program = text.replace("127.0.0.1:2379", raftkv_node.endpoints[0])
            assert run(sys.executable, "-W", "error", "-c", program, cluster=raftkv_node) == PYTHON_PRINTS
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            printed = run("bash", "-c", command, cluster=raftkv_node)
            assert compare(expected, printed, doctest.ELLIPSIS), f"$ {command}\n{printed}"
            ran += 1
    assert ran > 10
