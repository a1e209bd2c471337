"""Which faults a live run has, drawn from its seed before it begins: the schedule's faults, paced for processes in real time.

    |--calm--|==partition==|-calm-|==crash=====|-calm-|==member==|-calm-| ...
                  |==slow disk==|       some faults fall into others

Each nemesis comes once before any comes again. A change of the members needs a whole cluster, so nothing falls into it. Everything
is over when the plan's time is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from raftkv_chaos.faults import ClockFault, Crash, Disk, Fault, MemberChange
from raftkv_chaos.schedule import Draws, Schedule

NEMESES: Mapping[str, Sequence[str]] = {
    "partition": ("partition", "partition", "weather", "clog"),
    "kill": ("crash", "crash", "crash", "restart"),
    "pause": ("pause",),
    "clock": ("clock",),
    "disk": ("disk",),
    "member": ("member",),
}
"""The kinds of faults behind each name of the command line."""
FIRST_S = 1.0
"""Before the first fault: there has to be something to disturb."""
CALM_S = (0.5, 2.5)
LAST_CALM_S = 1.0
LEAST_S, MOST_S = 0.3, 6.0
OVERLAP = 0.35
EVERYBODY = 0.2
"""How often a crash befalls all nodes at once, as a power failure does."""
MEMBER_S = 6.0
"""What is left free for a change of the members."""


def draw(seed: int, nemeses: Sequence[str], *, nodes: int, seconds: float) -> Schedule:
    """The schedule of a run."""
    dice = Random(seed)  # noqa: S311  (nothing secret: reproducible)
    faults = sorted(_draw(dice, nemeses, nodes, seconds), key=lambda fault: fault.at_s)
    return Schedule(tuple(faults), seconds)


def _draw(dice: Random, nemeses: Sequence[str], nodes: int, seconds: float) -> Iterator[Fault]:
    end_s = seconds - LAST_CALM_S
    now_s = FIRST_S
    bag: list[str] = []
    while nemeses and now_s < end_s - LEAST_S:
        bag = bag or dice.sample(list(nemeses), len(nemeses))
        nemesis = bag.pop()
        first = _one(dice, nemesis, now_s, end_s, nodes)
        yield from _befalling(dice, first, nodes)
        others = [other for other in nemeses if other not in {nemesis, "member"}]
        over_s = first.end_s + MEMBER_S * (nemesis == "member")
        if nemesis != "member" and others and dice.random() < OVERLAP:
            second = _one(dice, dice.choice(others), now_s + dice.random() * first.for_s, end_s, nodes)
            yield second
            over_s = max(over_s, second.end_s)
        now_s = over_s + dice.uniform(*CALM_S)


def _one(dice: Random, nemesis: str, at_s: float, end_s: float, nodes: int) -> Fault:
    fault = _suited(Draws(dice, nodes).draw(dice.choice(NEMESES[nemesis]), round(at_s, 3)))
    if isinstance(fault, MemberChange):
        return fault
    return replace(fault, for_s=round(min(max(fault.for_s, LEAST_S), MOST_S, max(end_s - at_s, 0.1)), 3))


def _suited(fault: Fault) -> Fault:
    """What differs on real processes: a member is replaced, so that there are as many at the end; no clock is fast, for it would
    end leases before their time, which no server could know; a disk that fails does so at a sync, a write, or when it is full.
    """
    if isinstance(fault, MemberChange):
        return replace(fault, action="replace")
    if isinstance(fault, ClockFault):
        return replace(fault, drift=-abs(fault.drift))
    if isinstance(fault, Disk) and fault.damage == "torn":
        return Crash(at_s=fault.at_s, for_s=fault.for_s, node=fault.node, power=True)
    return fault


def _befalling(dice: Random, fault: Fault, nodes: int) -> Iterator[Fault]:
    if isinstance(fault, Crash) and dice.random() < EVERYBODY:
        yield from (replace(fault, node=node) for node in range(1, nodes + 1))
    else:
        yield fault
