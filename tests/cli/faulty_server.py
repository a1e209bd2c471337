"""`raftkv serve` with something wrong about it: faulty_server.py FAULT,... serve ...

version   says that it runs another version
disk      every batch takes 50 ms longer
clock     its calendar is 90 s ahead; no other clock is
"""

import sys
import time

import raftkv
from raftkv.storage.engine import Batch
from raftkv.storage.rocks import RocksEngine


def wrong_version() -> None:
    raftkv.__version__ = "0.0.1"


def slow_disk() -> None:
    write = RocksEngine.write

    def slowly(engine: RocksEngine, batch: Batch, *, sync: bool) -> None:
        time.sleep(0.05)
        write(engine, batch, sync=sync)

    RocksEngine.write = slowly  # type: ignore[method-assign,assignment]  # the fault


def wrong_clock() -> None:
    right = time.time  # noqa: TID251  # the fault
    time.time = lambda: right() + 90.0  # noqa: TID251  # the fault


FAULTS = {"version": wrong_version, "disk": slow_disk, "clock": wrong_clock}

if __name__ == "__main__":
    for fault in sys.argv[1].split(","):
        FAULTS[fault]()
    from raftkv_cli.main import run

    sys.exit(run(sys.argv[2:]))
