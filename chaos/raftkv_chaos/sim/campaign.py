"""Many cases over many processes, or machines: whatever is an Executor of concurrent.futures."""

import importlib
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context
from typing import Any

from raftkv_chaos.sim.case import Case
from raftkv_chaos.sim.run import Result

WAITING_PER_JOB = 4
CONNECT_S = 10


class ExecutorError(Exception):
    """There is no such executor."""


def make_executor(address: str, jobs: int) -> Executor:
    """Processes here where there is no address; `dask://host:port`; or `module:factory` of any Executor.

    Raises:
        ExecutorError: it cannot be made.
    """
    if not address:
        return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    module_name, separator, name = address.partition("://" if address.startswith("dask://") else ":")
    try:
        executor = _dask(name) if module_name == "dask" else getattr(importlib.import_module(module_name), name)()
    except (ImportError, AttributeError, ValueError, OSError, TypeError) as error:
        raise ExecutorError(f"{address}: {error}") from error
    if not separator or not isinstance(executor, Executor):
        raise ExecutorError(f"{address}: makes no concurrent.futures.Executor")
    return executor


def _dask(address: str) -> Any:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise ExecutorError(f"dask://{address} needs the package distributed: pip install 'raftkv[dask]'") from error
    return distributed.Client(f"tcp://{address}", timeout=CONNECT_S).get_executor()


def live_through(cases: Iterable[Case], executor: Executor, jobs: int) -> Generator[tuple[Case, Result], None, None]:
    """Each case with its result, as they come."""
    rest = iter(cases)
    running: dict[Future[Result], Case] = {
        executor.submit(run_case, case): case for case in islice(rest, jobs * WAITING_PER_JOB)
    }
    try:
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda each: running[each].seed):
                yield running.pop(future), future.result()
            running.update({executor.submit(run_case, case): case for case in islice(rest, len(done))})
    finally:
        for future in running:
            future.cancel()


def run_case(case: Case) -> Result:
    """What an executor is given to do."""
    return case.run()
