"""Builds the hot path as C where RAFTKV_NATIVE=1 asks for it: the same modules, compiled by mypyc. Without it the wheel is pure.

    python hatch_build.py FOLDER       the packages, compiled, into FOLDER, to be put first on PYTHONPATH (`make native`)
    python hatch_build.py --check      whether mypyc takes every module, without a C compiler
    RAFTKV_NATIVE=1 pip wheel .        a wheel for this platform (needs a C compiler)

A compiled module lies beside its source and Python prefers it; remove it and the source runs. Both pass the same tests.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
PACKAGES = ("raftkv", "cli/raftkv_cli", "chaos/raftkv_chaos", "jepsen_like/raftkv_jepsen")
NATIVE = (
    "raftkv/reply.py",
    "raftkv/raft/*.py",
    "raftkv/mvcc/*.py",
    "raftkv/watch/*.py",
    "raftkv/apply/*.py",
    "raftkv/storage/overlay.py",
    "raftkv/storage/log.py",
    "raftkv/peer/codec.py",
    "raftkv/peer/framing.py",
    "raftkv/server/applier.py",
    "raftkv/server/forwarded.py",
    "raftkv/server/leadership.py",
    "raftkv/server/measured.py",
    "raftkv/server/parts.py",
    "raftkv/server/proposals.py",
    "raftkv/server/reads.py",
    "raftkv/server/replica.py",
    "raftkv/server/slices.py",
    "raftkv/server/writer.py",
    "raftkv/rpc/kv.py",
    "raftkv/rpc/metadata.py",
    "raftkv/http2/*.py",
)
"""What a request passes through. The rest runs seldom, or is spent in libraries."""
INTERPRETED = {
    "raftkv/raft/config.py",  # these look at their own __slots__
    "raftkv/http2/options.py",
    "raftkv/http2/server.py",  # asyncio's own classes, once per process or connection
    "raftkv/http2/listener.py",
}
FATAL = ("Unsupported default attribute value", "Treating generator comprehension as list")
"""Warnings after which mypyc goes on, and makes something else than what is written: what breaks, or reads all at once."""
REQUIREMENTS = ["mypy==2.4.1", "setuptools>=80", "types-protobuf"]
TRANSLATE = """
import sys
from mypyc.build import mypycify
modules = mypycify(sys.argv[1:], opt_level="3", debug_level="0", group_name="raftkv")
"""
COMPILE = (
    TRANSLATE
    + """
from setuptools import setup
setup(name="raftkv", packages=[], py_modules=[], ext_modules=modules, script_args=["-q", "build_ext", "--inplace"])
"""
)


def build(folder: Path) -> list[Path]:
    """Copies the packages into `folder` and compiles there; returns the compiled files."""
    _prepare(folder)
    _run(COMPILE, folder)
    for leftover in ("build", ".mypy_cache"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    (folder / "pyproject.toml").unlink()
    return sorted(folder.rglob("*.so"))


def check() -> None:
    """Translates every module to C and throws that away."""
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder))
        _run(TRANSLATE, Path(folder))


def _prepare(folder: Path) -> None:
    for package in PACKAGES:
        target = folder / Path(package).name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(ROOT / package, target, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)  # mypy's settings


def _run(program: str, folder: Path) -> None:
    command = [sys.executable, "-c", program, *modules()]
    done = subprocess.run(command, check=False, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode or any(warning in done.stdout for warning in FATAL):
        sys.exit(f"{done.stdout}\nmypyc could not compile the modules above")


def modules() -> list[str]:
    """The files to compile, relative to the root."""
    found = {str(path.relative_to(ROOT)) for pattern in NATIVE for path in ROOT.glob(pattern)}
    return sorted(name for name in found - INTERPRETED if not name.endswith("__init__.py"))


class NativeHook(BuildHookInterface[Any]):
    """Adds the compiled modules to a wheel."""

    def dependencies(self) -> list[str]:
        """What building needs beside hatchling."""
        return REQUIREMENTS if self._wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the wheel is put together."""
        if not self._wanted() or version == "editable":
            return
        self._scratch = tempfile.TemporaryDirectory()
        folder = Path(self._scratch.name)
        build_data["force_include"].update({str(path): str(path.relative_to(folder)) for path in build(folder)})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def _wanted(self) -> bool:
        return os.environ.get("RAFTKV_NATIVE") == "1"


if __name__ == "__main__" and sys.argv[1:] == ["--check"]:
    check()
elif __name__ == "__main__":
    destination = Path(sys.argv[1])
    destination.mkdir(parents=True, exist_ok=True)
    compiled = build(destination)
    print(f"{len(compiled)} compiled modules in {destination}")
