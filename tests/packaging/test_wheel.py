"""What is published works alone: the wheel, in an environment that has never seen the source tree."""

import os
import subprocess
import sys
import venv
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
        top = {name.split("/")[0] for name in archive.namelist()}
    assert top == {"raftkv", "raftkv_cli", "raftkv_chaos", "raftkv_jepsen", f"raftkv-{__version__}.dist-info"}


def test_the_wheel_alone_runs(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    subprocess.run(install, env=environment, cwd=tmp_path, check=True)
    raftkv = tmp_path / "env" / "bin" / "raftkv"
    shown = subprocess.run([raftkv, "--version"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert __version__ in shown.stdout
    helped = subprocess.run(
        [raftkv, "serve", "--help"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "--initial-cluster" in helped.stdout
    subprocess.run(
        [python, "-c", "import raftkv.daemon, raftkv.client, raftkv_chaos"], env=environment, cwd=tmp_path, check=True
    )


def test_the_hot_path_can_be_compiled() -> None:
    """As far as mypyc goes; `make native` compiles it, `make test-native` tries what came of it."""
    subprocess.run([sys.executable, "hatch_build.py", "--check"], cwd=ROOT, check=True)
