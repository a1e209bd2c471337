"""A schedule: which fault happens when. A seed draws one, and a run replays it; what a run does not need can be left out.

Each kind of fault is drawn or left out for the run as a whole (swarm testing: Groce et al., ISSTA 2012), for faults also keep each other
from happening: where nodes crash all the time, nobody lives to be slow.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from raftkv_chaos.faults import (
    CLIENTS,
    LEADER,
    POINTS,
    Admin,
    ClockFault,
    Clog,
    Crash,
    Disk,
    Fault,
    Link,
    MemberChange,
    Partition,
    Pause,
    RollingRestart,
    Weather,
    both_ways,
    from_json,
    to_json,
)

KINDS = ("partition", "weather", "clog", "crash", "point", "pause", "disk", "damage", "clock", "member", "restart", "admin")
"""What can be asked for by name. `point` is a crash or pause at a named place, `damage` what destroys stored data."""
WITH_CLIENTS = 0.4
"""How often a partition goes through between clients and some of the nodes, too."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Faults in the order of their beginning, and how long the run goes on under them."""

    faults: tuple[Fault, ...]
    duration_s: float

    def without(self, places: "frozenset[int]") -> "Schedule":
        """The same without some faults."""
        return replace(self, faults=tuple(fault for place, fault in enumerate(self.faults) if place not in places))

    def to_json(self) -> str:
        """As text."""
        return json.dumps({"duration_s": self.duration_s, "faults": [to_json(fault) for fault in self.faults]}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Schedule":
        """What `to_json` made.

        Raises:
            ValueError: it did not.
        """
        fields: dict[str, Any] = json.loads(text)
        try:
            return cls(tuple(from_json(fault) for fault in fields["faults"]), float(fields["duration_s"]))
        except KeyError as error:
            raise ValueError(f"a schedule needs {error}") from error


def draw_schedule(
    dice: Random, *, nodes: int, duration_s: float, kinds: Sequence[str] = KINDS, every_s: float = 2.0
) -> Schedule:
    """A swarm of faults for a cluster of so many nodes: some of the `kinds`, one about every `every_s`.

    At least one kind is always there, where any was asked for.
    """
    chosen = [kind for kind in kinds if dice.random() < 0.5] or ([dice.choice(list(kinds))] if kinds else [])
    draws = Draws(dice, nodes)
    faults: list[Fault] = []
    at_s = dice.expovariate(1 / every_s)
    while chosen and at_s < duration_s:
        faults.append(draws.draw(dice.choice(chosen), round(at_s, 3)))
        at_s += dice.expovariate(1 / every_s)
    return Schedule(tuple(faults), duration_s)


class Draws:
    """Draws single faults."""

    def __init__(self, dice: Random, nodes: int) -> None:
        self._dice = dice
        self._nodes = range(1, nodes + 1)
        self._by_kind: dict[str, Callable[[float], Fault]] = {
            "partition": self._partition,
            "weather": self._weather,
            "clog": self._clog,
            "crash": self._crash,
            "point": self._point,
            "pause": self._pause,
            "disk": self._disk,
            "damage": self._damage,
            "clock": self._clock,
            "member": self._member,
            "restart": self._restart,
            "admin": self._admin,
        }

    def draw(self, kind: str, at_s: float) -> Fault:
        """A fault of that kind."""
        return self._by_kind[kind](at_s)

    def _span(self, low_s: float, high_s: float) -> float:
        return round(self._dice.uniform(low_s, high_s), 3)

    def _node(self) -> int:
        """The leader is worth more than its share."""
        return LEADER if self._dice.random() < 0.4 else self._dice.choice(self._nodes)

    def _partition(self, at_s: float) -> Fault:
        shape = self._dice.choice(("halves", "isolate", "ring", "bridge", "one-way"))
        links = list(dict.fromkeys(partition_links(shape, list(self._nodes), self._dice)))
        if self._dice.random() < WITH_CLIENTS:
            links += self._client_links(shape, links)
        return Partition(at_s=at_s, for_s=self._span(0.3, 6.0), links=tuple(links), shape=shape)

    def _client_links(self, shape: str, links: list[Link]) -> tuple[Link, ...]:
        """Clients are on one side: nodes of the other hear nothing of them, or are not heard, or both."""
        one = self._dice.choice(links[0]) if links else self._node()
        side = [one]
        if shape in {"halves", "bridge"}:
            side = [node for node in self._nodes if (one, node) not in links]
        silent, deaf = self._dice.choice(((True, True), (True, True), (True, False), (False, True)))
        cut = [(node, CLIENTS) for node in side if silent] + [(CLIENTS, node) for node in side if deaf]
        return tuple(cut)

    def _weather(self, at_s: float) -> Fault:
        dice = self._dice
        return Weather(
            at_s=at_s,
            for_s=self._span(0.5, 8.0),
            links=() if dice.random() < 0.5 else self._few_links(),
            delay_s=round(dice.choice((0.0, dice.uniform(0.0, 0.1))), 4),
            jitter_s=round(dice.choice((0.0, dice.uniform(0.0, 0.3))), 4),
            loss=round(dice.choice((0.0, dice.uniform(0.0, 0.3))), 3),
            duplication=round(dice.choice((0.0, dice.uniform(0.0, 0.5))), 3),
        )

    def _few_links(self) -> tuple[Link, ...]:
        links = [(source, target) for source in self._nodes for target in self._nodes if source != target]
        return tuple(self._dice.sample(links, self._dice.randint(1, len(links)))) if links else ()

    def _clog(self, at_s: float) -> Fault:
        return Clog(at_s=at_s, for_s=self._span(0.1, 5.0), links=self._few_links())

    def _crash(self, at_s: float) -> Fault:
        return Crash(at_s=at_s, for_s=self._span(0.05, 4.0), node=self._node(), power=self._dice.random() < 0.7)

    def _point(self, at_s: float) -> Fault:
        point = self._dice.choice(POINTS)
        if self._dice.random() < 0.8:
            return Crash(at_s=at_s, for_s=self._span(0.05, 3.0), node=self._node(), power=True, point=point)
        return Pause(at_s=at_s, for_s=self._span(0.05, 3.0), node=self._node(), point=point)

    def _pause(self, at_s: float) -> Fault:
        return Pause(at_s=at_s, for_s=self._span(0.1, 5.0), node=self._node())

    def _disk(self, at_s: float) -> Fault:
        damage = self._dice.choice(("slow", "slow", "eio-write", "eio-sync", "enospc", "torn"))
        delay_s = self._span(0.005, 0.5) if damage == "slow" else 0.0
        return Disk(at_s=at_s, for_s=self._span(0.1, 4.0), node=self._node(), damage=damage, delay_s=delay_s)

    def _damage(self, at_s: float) -> Fault:
        damage = self._dice.choice(("bit-flip", "misdirect"))
        return Disk(at_s=at_s, for_s=self._span(0.1, 2.0), node=self._node(), damage=damage)

    def _clock(self, at_s: float) -> Fault:
        jump_s = self._dice.choice((0.0, self._span(-3600, 3600), self._span(-3, 3)))
        drift = round(self._dice.choice((0.0, self._dice.uniform(-0.1, 0.1))), 4)
        return ClockFault(at_s=at_s, for_s=self._span(0.5, 10.0), node=self._node(), jump_s=jump_s, drift=drift)

    def _member(self, at_s: float) -> Fault:
        action = self._dice.choice(("add", "add-learner", "promote", "promote", "remove", "replace"))
        return MemberChange(at_s=at_s, action=action, node=self._node())

    def _restart(self, at_s: float) -> Fault:
        nodes = list(self._nodes)
        self._dice.shuffle(nodes)
        upgrade = self._dice.random() < 0.5
        half = nodes[: max(1, len(nodes) // 2)] if upgrade else nodes
        return RollingRestart(at_s=at_s, for_s=self._span(1.0, 6.0), nodes=tuple(half), upgrade=upgrade)

    def _admin(self, at_s: float) -> Fault:
        return Admin(at_s=at_s, action=self._dice.choice(("compact", "defragment", "transfer")), node=self._node())


def partition_links(shape: str, nodes: list[int], dice: Random) -> Iterator[Link]:
    """The links that a partition of that shape cuts.

    halves: two groups. isolate: one node, LEADER at times. ring: each node sees only its neighbours, so several majorities overlap. bridge: two
    halves that one node alone connects. one-way: one node hears nobody, or is heard by nobody.
    """
    order = nodes.copy()
    dice.shuffle(order)
    half = len(order) // 2
    if shape == "halves":
        yield from both_ways((one, other) for one in order[:half] for other in order[half:])
    elif shape == "bridge":
        yield from both_ways((one, other) for one in order[:half] for other in order[half + 1 :])
    elif shape == "ring":
        reach = max(1, len(order) // 4)
        far = ((i, j) for i in range(len(order)) for j in range(i) if reach < i - j < len(order) - reach)
        yield from both_ways((order[i], order[j]) for i, j in far)
    else:
        one = LEADER if dice.random() < 0.5 else order[0]
        others = nodes if one == LEADER else order[1:]
        if shape == "isolate":
            yield from both_ways((one, other) for other in others)
        else:
            deaf = dice.random() < 0.5
            yield from ((other, one) if deaf else (one, other) for other in others)
