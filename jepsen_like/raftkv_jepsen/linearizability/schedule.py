"""A history laid out for the search: returns in order, who is pending at each, and which operations are interchangeable.

The operations that have an end are *required*: each takes place between its call and its end. Those without are *optional*:
each takes place after its call, or never. The search walks over the returns; at return `r` the candidates are the
operations called before it that have not returned before it. A required operation has a bit that is its own while it is
pending and is used again afterwards, so that a configuration stays a small number however long the history is.

Operations with equal actions are interchangeable. Of several pending ones the search takes the one that has to return first (by
exchange, any order that takes another first can be rearranged), and the optional ones last. So a class of `n` equal operations
has `n + 1` ways to be used, not `2 ** n`. Optional ones are therefore counted, a field of bits per class.
"""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from raftkv_jepsen.history import Operation
from raftkv_jepsen.models.model import Action, Model

NEVER = 1 << 60


@dataclass(slots=True)
class Required:
    """An operation that has an end: its bit, the number of its action, and where among the returns it may take place."""

    operation: Operation
    code: int
    reads: bool
    first: int
    last: int
    bit: int = 0


@dataclass(slots=True)
class Optional:
    """A class of equal operations without an end, in the order of their calls."""

    code: int
    operations: list[Operation]
    first: list[int]
    """For each operation, from which return on it has been called."""
    until: int
    """The last return at which it can still matter."""
    one: int = 0
    """What taking one of them adds to the count of the optional operations in use."""
    shift: int = 0


@dataclass(slots=True)
class Schedule:
    """The laid-out history. `pending[r]` holds the required operations that may take place before return `r`, soonest to return first."""

    actions: list[Action]
    returns: list[Required]
    pending: list[tuple[Required, ...]]
    optional: list[Optional]
    field_bits: int
    guard: int
    """The highest bit of every field of the optional count: for comparing all fields at once."""
    ignored: list[Operation] = field(default_factory=list)


def lay_out(operations: Sequence[Operation], model: Model) -> Schedule:
    """Lays out the operations of one part.

    Raises:
        ModelError: the model does not know one of them.
    """
    codes: dict[Action, int] = {}
    required: list[tuple[Operation, Action]] = []
    optional: list[tuple[Operation, Action]] = []
    ignored: list[Operation] = []
    for operation in operations:
        action = model.action(operation)
        if action is None or (operation.end is None and model.reads(action)):
            ignored.append(operation)
        else:
            (optional if operation.end is None else required).append((operation, action))
            codes.setdefault(action, len(codes))
    required.sort(key=lambda pair: pair[0].end or 0)
    ends = [operation.end or 0 for operation, _ in required]
    returns = _required(required, ends, codes, model)
    classes = _optional(required, optional, ends, codes, model)
    field_bits = max((len(c.operations) for c in classes), default=0).bit_length() + 1
    for place, optional_class in enumerate(classes):
        optional_class.shift = place * field_bits
        optional_class.one = 1 << optional_class.shift
    guard = sum(1 << (place * field_bits + field_bits - 1) for place in range(len(classes)))
    return Schedule(list(codes), returns, _pending(returns), classes, field_bits, guard, ignored)


def _returns_before(ends: list[int], calls: list[int]) -> list[int]:
    """For each call, in ascending order, how many returns come before it."""
    counts = []
    place = 0
    for call in calls:
        while place < len(ends) and ends[place] < call:
            place += 1
        counts.append(place)
    return counts


def _required(pairs: list[tuple[Operation, Action]], ends: list[int], codes: dict[Action, int], model: Model) -> list[Required]:
    by_call = sorted(range(len(pairs)), key=lambda place: pairs[place][0].call)
    firsts = dict(zip(by_call, _returns_before(ends, [pairs[place][0].call for place in by_call]), strict=True))
    return [
        Required(operation, codes[action], model.reads(action), firsts[place], place)
        for place, (operation, action) in enumerate(pairs)
    ]


def _optional(
    required: list[tuple[Operation, Action]],
    pairs: list[tuple[Operation, Action]],
    ends: list[int],
    codes: dict[Action, int],
    model: Model,
) -> list[Optional]:
    pairs.sort(key=lambda pair: pair[0].call)
    demands = model.demands([(action, place) for place, (_, action) in enumerate(required)], [action for _, action in pairs])
    classes: dict[int, Optional] = {}
    for (operation, action), first in zip(
        pairs, _returns_before(ends, [operation.call for operation, _ in pairs]), strict=True
    ):
        until = NEVER if demands is None else demands.get(action, -1)
        if first > min(until, len(ends) - 1):
            continue
        known = classes.setdefault(codes[action], Optional(codes[action], [], [], until))
        known.operations.append(operation)
        known.first.append(first)
    return list(classes.values())


def _pending(returns: list[Required]) -> list[tuple[Required, ...]]:
    """Also hands out the bits."""
    begins: dict[int, list[Required]] = defaultdict(list)
    for required in returns:
        begins[required.first].append(required)
    free: list[int] = []
    used = 0
    now: list[Required] = []
    pending = []
    for place, returning in enumerate(returns):
        for required in begins.get(place, ()):
            if free:
                required.bit = 1 << heapq.heappop(free)
            else:
                required.bit = 1 << used
                used += 1
            now.append(required)
        now.sort(key=lambda required: required.last)
        pending.append(tuple(now))
        now.remove(returning)
        heapq.heappush(free, returning.bit.bit_length() - 1)
    return pending
