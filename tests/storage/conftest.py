from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from raftkv.storage.engine import Engine
from raftkv.storage.memory import MemoryEngine
from raftkv.storage.rocks import RocksEngine


class Disk(Protocol):
    """A kind of engine, and how its process is killed and started again."""

    def open(self) -> Engine: ...

    def reopen(self, engine: Engine) -> Engine: ...


class MemoryDisk:
    def open(self) -> Engine:
        return MemoryEngine()

    def reopen(self, engine: Engine) -> Engine:
        assert isinstance(engine, MemoryEngine)
        return engine.reopen()


class RocksDisk:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._engines: list[Engine] = []

    def open(self) -> Engine:
        self._engines.append(RocksEngine(self._path))
        return self._engines[-1]

    def reopen(self, engine: Engine) -> Engine:
        engine.close()
        return self.open()

    def close(self) -> None:
        for engine in self._engines:
            engine.close()


@pytest.fixture(params=["memory", "rocks"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "memory":
        yield MemoryDisk()
    else:
        rocks = RocksDisk(tmp_path / "data")
        yield rocks
        rocks.close()


@pytest.fixture
def engine(disk: Disk) -> Engine:
    return disk.open()


@pytest.fixture
def reopen(disk: Disk) -> Callable[[Engine], Engine]:
    return disk.reopen
