"""What is published. That it works alone, in an environment that has never seen the source tree, tests/docs/test_tutorial.py shows."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from raftkv import __version__

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    output = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(output)], cwd=ROOT, check=True)
    (wheel,) = output.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_packages_and_nothing_that_collides(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        top = {name.split("/")[0] for name in names}
    assert {"raftkv/ui/static/index.html", "raftkv/ui/static/main.js", "raftkv/ui/static/views/cluster.js"} <= set(names)
    assert top == {"raftkv", "raftkv_cli", "raftkv_chaos", "raftkv_jepsen", f"raftkv-{__version__}.dist-info"}


def test_the_hot_path_can_be_compiled() -> None:
    """As far as mypyc goes; `make native` compiles it, `make test-native` tries what came of it."""
    subprocess.run([sys.executable, "hatch_build.py", "--check"], cwd=ROOT, check=True)
