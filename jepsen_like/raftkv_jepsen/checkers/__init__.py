"""The checkers by the name of their model."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from raftkv_jepsen.history import History
from raftkv_jepsen.linearizability import check_linearizable
from raftkv_jepsen.linearizability.budget import Budget
from raftkv_jepsen.models import MODELS, Model
from raftkv_jepsen.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Request:
    """What a checker is given: the history, the committed log where there is one, and how long it may take."""

    history: History
    log_file: Path | None
    budget: Budget
    executor: Executor | None


def _linearizable(make: type[Model]) -> Callable[[Request], Verdict]:
    def check(request: Request) -> Verdict:
        return check_linearizable(request.history.operations, make(), request.budget, request.executor)

    return check


CHECKERS: dict[str, Callable[[Request], Verdict]] = {name: _linearizable(make) for name, make in MODELS.items()}
