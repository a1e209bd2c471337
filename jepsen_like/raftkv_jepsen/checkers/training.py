"""What training loops stand on: a stop that was agreed on comes after the same step for all, and a barrier is passed by all or by none.

`receive` events with f `training`, the job as key, value {"node", "worker", "round", "what", "step"}: what a worker has done, a `step`
that it has finished, an `answer` to a notice (the last step that it has begun), the step that it was told was `agreed`, its `stop`. Operations `barrier`
{"node", "round", "name", "world_size"} -> whether it was passed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import Event, Operation
from raftkv_jepsen.verdict import Finding, Verdict, judged

Done = dict[str, dict[tuple[str, int], int]]
"""What was done, by whom, and the highest step of it."""


def check_training(operations: Sequence[Operation], events: Iterable[Event]) -> Verdict:
    """Checks stops and barriers.

    Raises:
        HistoryError: an operation or an event lacks a field.
    """
    barriers = [each for each in operations if each.f == "barrier"]
    try:
        worlds = _worlds(events)
        findings = [finding for world, done in worlds.items() for finding in _stops(world, done)]
        findings += _barriers(barriers)
    except (KeyError, TypeError, ValueError) as error:
        raise HistoryError(f"an event of a training loop lacks or misstates {error}") from error
    counts = {
        "worlds": len(worlds),
        "worlds stopped": sum(bool(done["stop"]) for done in worlds.values()),
        "barriers": len(barriers),
    }
    return judged(findings, counts)


def _worlds(events: Iterable[Event]) -> dict[tuple[Any, int], Done]:
    worlds: dict[tuple[Any, int], Done] = defaultdict(lambda: defaultdict(dict))
    for event in events:
        if event.type == "receive" and event.f == "training":
            fields = dict(event.value)
            worker = (fields["node"], fields["worker"])
            done = worlds[event.key, fields["round"]][fields["what"]]
            done[worker] = max(fields["step"], done.get(worker, -1))
    return worlds


def _stops(world: tuple[Any, int], done: Done) -> Iterator[Finding]:
    """All stop after the same step, which nobody had begun a later one than, and which nobody goes beyond."""
    job, number = world
    stops = done["stop"]
    if not stops:
        return
    agreed = max(stops.values())
    if len(set(stops.values())) > 1:
        yield Finding("two stops", f"{job!r}: in round {number} workers stopped after steps {stops}")
    for worker, step in done["agreed"].items():
        if step != agreed:
            yield Finding(
                "another stop", f"{job!r}: in round {number} {worker} was told of step {step}, and all stopped after {agreed}"
            )
    for what, text in (("step", "finished"), ("answer", "had begun")):
        for worker, step in done[what].items():
            if step > agreed:
                yield Finding(
                    "worked past the stop", f"{job!r}: {worker} {text} step {step} of round {number}, which stops at {agreed}"
                )


def _barriers(barriers: Sequence[Operation]) -> Iterator[Finding]:
    """Who passes one has met everybody else there."""
    groups: dict[Any, list[Operation]] = defaultdict(list)
    for each in barriers:
        fields = dict(each.argument)
        groups[each.key, fields["round"], fields["name"]].append(each)
    for (job, number, name), arrivals in groups.items():
        for each in arrivals:
            if each.end is None or each.outcome is not True:
                continue
            there = {dict(other.argument)["node"] for other in arrivals if other.call < each.end}
            size = dict(each.argument)["world_size"]
            if len(there) < size:
                text = f"{job!r}: {name} of round {number} was passed when {len(there)} of {size} nodes had come"
                yield Finding("passed alone", text, (each,))
