"""One mutant, one finder, seed after seed until it finds something: what a worker process does, and its answer as JSON.

    python -m raftkv_chaos.mutants.hunt MUTANT FINDER FIRST_SEED SEEDS SEED_SECONDS SECONDS

MUTANT `-` is raftkv as it is. A seed that does not end within its time is a find, too: whatever hangs is broken. A mutant that does
not fit the source, or names what is not there, is no find: the catalogue is wrong.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from raftkv_chaos.mutants.catalogue import mutant
from raftkv_chaos.mutants.finders import Finder, finder
from raftkv_chaos.mutants.mutant import StaleEditError
from raftkv_chaos.mutants.planting import plant

ROOT = Path(__file__).parents[3]
NO_MUTANT = "-"
TEXT_LENGTH = 160
NO_BUG = (StaleEditError, NameError, ImportError, SyntaxError)
"""What a bug would not raise, but a mutant that is outdated."""


class EndlessError(AssertionError):
    """A seed took too long."""


def main() -> None:
    """Hunts as the command line says."""
    name, finder_name = sys.argv[1:3]
    first, seeds = map(int, sys.argv[3:5])
    seed_s, total_s = map(float, sys.argv[5:7])
    answer = _keep_answer_alone()
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    plant(None if name == NO_MUTANT else mutant(name))
    try:
        find = finder(finder_name)
    except Exception as error:  # noqa: BLE001 (what a mutant breaks already when it is imported)
        result = {"seeds": 1, "seconds": 0.0, "found": _described(first, error)}
    else:
        result = _hunt(find, range(first, first + seeds), seed_s, total_s)
    answer.write(json.dumps(result) + "\n")
    answer.flush()
    os._exit(0)  # whatever a mutant has left behind must not hold up the end


def _keep_answer_alone() -> Any:
    """Only the answer goes to stdout; what is logged and printed below goes nowhere."""
    answer = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answer


def _hunt(find: Finder, seeds: range, seed_s: float, total_s: float) -> dict[str, Any]:
    began = _used_s()
    tried = 0
    for seed in seeds:
        tried += 1
        found = _try(find, seed, seed_s)
        if found is not None or _used_s() - began > total_s:
            return {"seeds": tried, "seconds": _used_s() - began, "found": found}
    return {"seeds": tried, "seconds": _used_s() - began, "found": None}


def _used_s() -> float:
    """Processor time: what others do on this machine does not count."""
    times = os.times()
    return times.user + times.system


def _try(find: Finder, seed: int, seed_s: float) -> dict[str, Any] | None:
    signal.signal(signal.SIGPROF, _too_long)
    # It is raised again and again, for the code under test may well take it for an error of its own.
    signal.setitimer(signal.ITIMER_PROF, seed_s, 1.0)
    try:
        find(seed)
    except BaseException as error:  # noqa: BLE001 (all that is raised is a find)
        signal.setitimer(signal.ITIMER_PROF, 0)
        return _described(seed, error)
    signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def _too_long(_signal: int, _frame: object) -> None:
    raise EndlessError("does not end")


def _described(seed: int, error: BaseException) -> dict[str, Any]:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return {"seed": seed, "broken": isinstance(error, NO_BUG)} | _place(error)


def _place(error: BaseException) -> dict[str, str]:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = next(iter(str(error).splitlines()), "")
    if not isinstance(error, AssertionError):
        text = f"{type(error).__name__}: {text}"
    return {
        "where": "" if isinstance(error, EndlessError) else f"{Path(frame.filename).stem}.{frame.name}",
        "what": (text or (frame.line or "").strip())[:TEXT_LENGTH],
    }


if __name__ == "__main__":
    main()
