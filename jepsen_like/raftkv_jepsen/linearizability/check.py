"""From a history to a verdict: partition, choose how each part is decided, spread the parts, put the answers together.

Partitioning is sound because linearizability is local: a history is linearizable exactly if, for each object, the operations on
that object are (Herlihy and Wing 1990; Horn and Kroening 2015 use it for checking). The model says what the objects are, and when
an operation ties several together.
"""

from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from raftkv.clock import SystemClock
from raftkv_jepsen.history import Operation
from raftkv_jepsen.linearizability import unique_writes
from raftkv_jepsen.linearizability.budget import Budget
from raftkv_jepsen.linearizability.schedule import lay_out
from raftkv_jepsen.linearizability.search import Result, Search
from raftkv_jepsen.models.model import WHOLE, Model
from raftkv_jepsen.models.register import CasRegister
from raftkv_jepsen.verdict import Finding, Validity, Verdict, worst

EXPLANATION_STEPS = 100_000
"""How long to look for an order of the good beginning of a history that is already known to be bad."""
OPERATIONS_PER_TASK = 2_000
"""Small parts travel to another process together."""


@dataclass(frozen=True, slots=True)
class Part:
    """One independent object and the operations on it."""

    name: Hashable
    operations: list[Operation]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a budget is made of, in a form that can be sent to another process."""

    max_steps: int | None
    timeout_s: float | None


def check_linearizable(
    operations: Sequence[Operation],
    model: Model,
    budget: Budget | None = None,
    executor: Executor | None = None,
) -> Verdict:
    """Checks a history. With an `executor` the parts are spread over it; the verdict is the same.

    Raises:
        ModelError: the model does not know one of the operations.
    """
    budget = budget or Budget()
    parts = partition(operations, model)
    results = _alone(parts, model, budget) if executor is None else _spread(parts, model, budget, executor)
    return _verdict(operations, parts, list(results))


def partition(operations: Sequence[Operation], model: Model) -> list[Part]:
    """The parts in the order in which they first appear; one part where they cannot be separated."""
    if not model.partitionable(operations):
        return [Part(WHOLE, list(operations))]
    by_name: dict[Hashable, list[Operation]] = {}
    for operation in operations:
        by_name.setdefault(model.part(operation), []).append(operation)
    return [Part(name, members) for name, members in by_name.items()]


def check_part(part: Part, model: Model, budget: Budget) -> Result:
    """Decides one part."""
    if isinstance(model, CasRegister) and unique_writes.applies(part.operations):
        return _by_intervals(part, model)
    return Search(lay_out(part.operations, model), model, budget).run()


def _by_intervals(part: Part, model: Model) -> Result:
    steps = len(part.operations)
    if unique_writes.linearizable(part.operations):
        return Result(Validity.OK, steps, [], None)
    impossible = unique_writes.first_impossible(part.operations)
    good = [_cut(operation, impossible.end or 0) for operation in part.operations if operation.call < (impossible.end or 0)]
    found = Search(lay_out(good, model), model, Budget(max_steps=EXPLANATION_STEPS)).run()
    return Result(Validity.VIOLATION, steps + found.steps, found.order, impossible)


def _cut(operation: Operation, place: int) -> Operation:
    """The operation as it was known before `place`."""
    if operation.end is None or operation.end < place:
        return operation
    return Operation(
        operation.process, operation.f, operation.argument, None, operation.call, None, operation.key, operation.call_time
    )


def _alone(parts: list[Part], model: Model, budget: Budget) -> Iterator[Result]:
    for part in parts:
        yield check_part(part, model, budget)


def _spread(parts: list[Part], model: Model, budget: Budget, executor: Executor) -> Iterator[Result]:
    limits = Limits(budget.max_steps, budget.remaining_s())
    futures = [executor.submit(_check_parts, task, model, limits) for task in _tasks(parts)]
    for future in futures:
        yield from future.result()


def _tasks(parts: list[Part]) -> Iterator[list[Part]]:
    task: list[Part] = []
    size = 0
    for part in parts:
        task.append(part)
        size += len(part.operations)
        if size >= OPERATIONS_PER_TASK:
            yield task
            task, size = [], 0
    if task:
        yield task


def _check_parts(parts: list[Part], model: Model, limits: Limits) -> list[Result]:
    """Runs in another process, where the order found is not worth the way back unless it explains a violation."""
    budget = Budget(limits.max_steps, limits.timeout_s, SystemClock())
    results = [check_part(part, model, budget) for part in parts]
    return [
        Result(result.validity, result.steps, result.order if result.validity is not Validity.OK else [], result.impossible)
        for result in results
    ]


def _verdict(operations: Sequence[Operation], parts: list[Part], results: list[Result]) -> Verdict:
    counts = {
        "operations": len(operations),
        "open": sum(operation.end is None for operation in operations),
        "parts": len(parts),
    }
    verdict = Verdict(
        worst([result.validity for result in results]), counts=counts, steps=sum(result.steps for result in results)
    )
    broken = [
        (result.impossible.end or 0, part, result)
        for part, result in zip(parts, results, strict=True)
        if result.impossible is not None
    ]
    for _, part, result in sorted(broken, key=lambda item: item[0]):
        assert result.impossible is not None
        where = "" if part.name in {None, WHOLE} else f" on {part.name!r}"
        text = f"no order of the operations{where} explains {result.impossible}"
        verdict.findings.append(Finding("not linearizable", text, (result.impossible,)))
    explained = min(broken, key=lambda item: item[0])[2] if broken else results[0] if len(results) == 1 else None
    if explained is not None:
        verdict.prefix, verdict.impossible = explained.order, explained.impossible
    return verdict
