"""The calendar and the clock of whoever looks at them past `raftkv.clock`: also they are simulated.

Nothing in a node should look there. If something does, it gets the time of the machine whose step it is, jumps included, and a
seed still replays. Other threads of the process keep the real time: a worker of an executor has some.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from raftkv_chaos.sim.machine_time import current, forget_current

BEGAN = 1_750_000_000.0
"""The date at which every simulation begins, in seconds since 1970."""


@contextmanager
def simulated_calendar(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Within the block this thread knows simulated time alone. One thread of a process at a time may be in it."""
    names = ("time", "monotonic", "time_ns", "monotonic_ns")
    real = {name: getattr(time, name) for name in names}

    def calendar() -> float:
        machine = current()
        return BEGAN + loop.time() + (0.0 if machine is None else machine.calendar_ahead_s)

    def monotonic() -> float:
        machine = current()
        return loop.time() if machine is None else machine.now()

    simulated = {
        "time": calendar,
        "monotonic": monotonic,
        "time_ns": lambda: int(calendar() * 1e9),
        "monotonic_ns": lambda: int(monotonic() * 1e9),
    }
    forget_current()
    own = threading.get_ident()

    def look(simulated: Callable[[], float], real: Callable[[], float]) -> Callable[[], float]:
        return lambda: simulated() if threading.get_ident() == own else real()

    for name in names:
        setattr(time, name, look(simulated[name], real[name]))
    try:
        yield
    finally:
        for name in names:
            setattr(time, name, real[name])
