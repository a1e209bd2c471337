"""How fast the checkers are, over generated histories: model steps and seconds, beside what was to be checked."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from raftkv.clock import Clock
from raftkv_jepsen import rehearsal
from raftkv_jepsen.generator import Appends, CompareAndSets, Generator, Limit, Mix, Reads, Transactions, Writes
from raftkv_jepsen.history import Operation
from raftkv_jepsen.linearizability import check_linearizable
from raftkv_jepsen.linearizability.budget import Budget
from raftkv_jepsen.models import AppendKV, CasRegister, Register
from raftkv_jepsen.transactions import check_list_append
from raftkv_jepsen.verdict import Verdict

Check = Callable[[list[Operation]], Verdict]
SIZES = ((1_000, 10), (1_000, 50), (10_000, 10), (10_000, 50))
KEYS = 1_000
MANY = 100_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result."""

    name: str
    operations: int
    clients: int
    verdict: str
    steps: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.name:<34} {self.operations:>7} {self.clients:>8} {self.verdict:>9} {self.steps:>10} {self.seconds:>8.2f}"


HEADING = f"{'history':<34} {'ops':>7} {'clients':>8} {'verdict':>9} {'steps':>10} {'seconds':>8}"


def measure(clock: Clock, seed: int, timeout_s: float, executor: Executor) -> Iterator[Figure]:
    """Every history in turn."""

    def linearizable(model: Register | CasRegister | AppendKV) -> Check:
        return lambda history: check_linearizable(history, model, Budget(timeout_s=timeout_s, clock=clock))

    registers = Mix(((1, Reads()), (1, Writes(None, 5)), (1, CompareAndSets(None, 5))))
    unique = Mix(((1, Reads()), (1, Writes())))
    appends = Mix(tuple((1, each) for key in "0123456789" for each in (Reads(key, "get"), Appends(key))))
    for operations, clients in SIZES:
        for name, generator, act, lost, check in (
            ("cas-register, 5 values", registers, rehearsal.register, 0.0, linearizable(CasRegister())),
            ("cas-register, 5 values, 2 % lost", registers, rehearsal.register, 0.02, linearizable(CasRegister())),
            ("register, unique writes, 2 % lost", unique, rehearsal.register, 0.02, linearizable(Register())),
            ("append-kv, 10 keys", appends, rehearsal.append_kv, 0.0, linearizable(AppendKV())),
            ("list-append transactions", Transactions(50), rehearsal.list_append, 0.02, check_list_append),
        ):
            history = rehearsal.Rehearsal(Limit(operations, generator), act, clients, seed, lost).run()
            yield _measured(name, history, clients, check, clock)
    history = rehearsal.Rehearsal(Limit(MANY, _over_keys()), rehearsal.register, 50, seed).run()
    check_spread: Check = lambda each: check_linearizable(  # noqa: E731  (one line says it)
        each, CasRegister(), Budget(timeout_s=timeout_s, clock=clock), executor
    )
    yield _measured(f"cas-register, {KEYS} keys", history, 50, check_spread, clock)


def _over_keys() -> Generator:
    kinds = [(1.0, each) for key in range(KEYS) for each in (Reads(key), Writes(key, 5), CompareAndSets(key, 5))]
    return Mix(tuple(kinds))


def _measured(name: str, history: list[Operation], clients: int, check: Check, clock: Clock) -> Figure:
    begun = clock.now()
    verdict = check(history)
    return Figure(name, len(history), clients, verdict.validity.value, verdict.steps, clock.now() - begun)
