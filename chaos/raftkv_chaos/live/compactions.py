"""Compactions of a run: where in the log they belong, and whether what they left and what they took away was told so.

The log of a run has changes alone, so each compaction is put behind the revision that its answer named, which may be late and is never
early. One without an answer may have taken place, and if so before any that went further; so it stands right before the next of those.
"""

from collections.abc import Iterator, Sequence

from raftkv_jepsen.history import Operation
from raftkv_jepsen.verdict import Finding

Placed = tuple[int, int]
"""The revision behind which a compaction took place, and up to which it went."""


def placed(operations: Sequence[Operation], last: int) -> list[Placed]:
    """All that were asked for, in the order of the log, where `last` is its end."""
    found: list[Placed] = []
    place = last
    for operation in sorted(operations, key=_target, reverse=True):
        if operation.f != "compact" or _target(operation) > last:
            continue
        if operation.end is not None:
            place = min(place, int(dict(operation.outcome)["revision"]))
        found.append((place, _target(operation)))
    return found[::-1]


def _target(operation: Operation) -> int:
    return int(dict(operation.argument)["revision"])


def judge_looks_back(operations: Sequence[Operation]) -> list[Finding]:
    """Reads of the past: refused where, and only where, a compaction has been there."""
    compactions = [operation for operation in operations if operation.f == "compact"]
    return [
        finding for look in operations if look.f == "range" and look.end is not None for finding in _judge(look, compactions)
    ]


def _judge(look: Operation, compactions: Sequence[Operation]) -> Iterator[Finding]:
    assert look.end is not None, "it was answered"
    further = [each for each in compactions if _target(each) > _target(look)]
    if "error" in dict(look.outcome):
        if not any(each.call < look.end for each in further):
            yield Finding("refused", f"{look}: nothing that far had been compacted", (look,))
    elif any(each.end is not None and each.end < look.call for each in further):
        yield Finding("served", f"{look}: that had been compacted away", (look,))
