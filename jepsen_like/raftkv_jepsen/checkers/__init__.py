"""The checkers by the name of their model."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from raftkv_jepsen.checkers.lease import check_leases
from raftkv_jepsen.checkers.lighthouse import check_lighthouse
from raftkv_jepsen.checkers.lock import check_locks
from raftkv_jepsen.checkers.reads import check_reads
from raftkv_jepsen.checkers.rendezvous import check_rendezvous
from raftkv_jepsen.checkers.training import check_training
from raftkv_jepsen.checkers.watch import check_watches
from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import History, Operation
from raftkv_jepsen.linearizability import check_linearizable
from raftkv_jepsen.linearizability.budget import Budget
from raftkv_jepsen.models import MODELS, EtcdModel, Model
from raftkv_jepsen.replay import Replay, read_log
from raftkv_jepsen.settle import settle, with_expiries
from raftkv_jepsen.store import KINDS
from raftkv_jepsen.transactions import check_list_append
from raftkv_jepsen.verdict import Verdict

__all__ = [
    "CHECKERS",
    "Request",
    "check_etcd",
    "check_leases",
    "check_lighthouse",
    "check_list_append",
    "check_locks",
    "check_reads",
    "check_rendezvous",
    "check_training",
    "check_watches",
]


@dataclass(frozen=True, slots=True)
class Request:
    """What a checker is given: the history, the committed log where there is one, and how long it may take."""

    history: History
    log_file: Path | None
    budget: Budget
    executor: Executor | None

    def replay(self) -> Replay:
        """The committed log.

        Raises:
            HistoryError: it was not given, or cannot be read.
        """
        if self.log_file is None:
            raise HistoryError("this model needs the committed log: --log FILE")
        return Replay(read_log(self.log_file))


def _linearizable(make: type[Model]) -> Callable[[Request], Verdict]:
    def check(request: Request) -> Verdict:
        return check_linearizable(request.history.operations, make(), request.budget, request.executor)

    return check


def check_etcd(operations: list[Operation], budget: Budget, replay: Replay | None) -> Verdict:
    """The whole store: open requests are settled from the log where there is one."""
    asked = [operation for operation in operations if operation.f in KINDS or operation.f == "txn"]
    if replay is None:
        return check_linearizable(with_expiries(asked), EtcdModel(), budget)
    settled = settle(asked, replay)
    verdict = check_linearizable(settled.operations, EtcdModel(), budget)
    verdict.counts |= {"settled as done": settled.found, "settled as never done": settled.dropped, "left open": settled.left}
    return verdict


def _etcd(request: Request) -> Verdict:
    return check_etcd(request.history.operations, request.budget, request.replay() if request.log_file else None)


CHECKERS: dict[str, Callable[[Request], Verdict]] = {
    **{name: _linearizable(make) for name, make in MODELS.items()},
    "etcd": _etcd,
    "list-append": lambda request: check_list_append(request.history.operations, request.history.events),
    "watch": lambda request: check_watches(request.history.events, request.replay()),
    "lease": lambda request: check_leases(request.history.operations, request.history.events),
    "lock": lambda request: check_locks(request.history.operations, request.history.events, request.replay()),
    "reads": lambda request: check_reads(request.history.operations, request.replay()),
    "rendezvous": lambda request: check_rendezvous(request.history.operations),
    "training": lambda request: check_training(request.history.operations, request.history.events),
    "lighthouse": lambda request: check_lighthouse(request.history.operations),
}
