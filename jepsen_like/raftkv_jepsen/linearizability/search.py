"""The search for an order: Wing and Gong (1993), with Lowe's memo (2017), just in time.

A configuration says how far the search has come:

    place      how many returns are behind it; all their operations have taken place
    mask       which of the pending required operations have taken place already
    used       how many of each class of optional operations have taken place
    state      what they made of the object

Depth first, and lazily: an operation is put in order only where the next return needs it, or something before it. Five rules
keep the search small. None of them loses an order.

 1. An action that changes no state (a read) takes place as soon as it is possible: taking it out of any order and putting it
    there leaves every other answer as it was.
 2. Of equal actions the soonest to return goes first (see schedule.py).
 3. A configuration seen before is not searched again. One that differs from a seen one only by having used up more optional
    operations can do nothing that the other could not.
 4. Where a model's states are few, and none that the pending actions can reach allows the next return, that is the end of it.
 5. Where a model knows what is to be seen later (strings only grow), a state that does not lead there is the end of it, too.

Everything is a number here: states and actions are interned, and what an action does to a state is worked out once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from raftkv_jepsen.history import Operation
from raftkv_jepsen.linearizability.budget import LOOK_EVERY, Budget
from raftkv_jepsen.linearizability.foresight import Foresight
from raftkv_jepsen.linearizability.schedule import NEVER, Required, Schedule
from raftkv_jepsen.linearizability.transitions import Transitions
from raftkv_jepsen.models.model import ANY, Model, Window
from raftkv_jepsen.verdict import Validity

Path = tuple[Any, Operation] | None
"""The order so far, as a list linked backwards: longer ones share their beginning."""


@dataclass(slots=True)
class Result:
    """`order` is the longest that was found; `impossible` the first return that no order got past."""

    validity: Validity
    steps: int
    order: list[Operation]
    impossible: Operation | None


@dataclass(slots=True)
class Configuration:
    """A place that the search has to come back to."""

    place: int
    mask: int
    used: int
    state: int
    path: Path


class Search:
    """One search over one part of a history."""

    def __init__(self, schedule: Schedule, model: Model, budget: Budget) -> None:
        self._schedule = schedule
        self._budget = budget
        self._finite = model.finite
        self._transitions = Transitions(model, schedule.actions)
        self._rows = self._transitions.rows
        self._foresight = Foresight(schedule, model, self._transitions)
        self._seen: dict[tuple[int, int, int], list[int]] = {}
        self._reading: list[list[Required] | None] = [None] * len(schedule.returns)
        self._model = model
        self._goals = model.goals(
            [Window(schedule.actions[each.code], each.first, each.last) for each in schedule.returns],
            [Window(schedule.actions[each.code], each.first[0], NEVER) for each in schedule.optional],
        )
        self._hopes: dict[tuple[int, int], bool] = {}
        self.steps = 0
        self._furthest = -1
        self._furthest_path: Path = None

    def run(self) -> Result:
        """Searches to the end, or to the end of the budget."""
        returns = self._schedule.returns
        stack: list[Configuration | Iterator[Configuration]] = [Configuration(0, 0, 0, self._transitions.initial, None)]
        next_look = LOOK_EVERY
        while stack:
            if self.steps >= next_look:
                if self._budget.spent(self.steps):
                    return self._result(Validity.UNKNOWN)
                next_look = self.steps + LOOK_EVERY
            top = stack[-1]
            if isinstance(top, Configuration):
                stack.pop()
                settled = self._advance(top)
                if settled.place > self._furthest:
                    self._furthest, self._furthest_path = settled.place, settled.path
                if settled.place == len(returns):
                    return self._result(Validity.OK)
                if self._is_on_course(settled) and self._is_new(settled):
                    stack.append(self._followers(settled))
            else:
                follower = next(top, None)
                if follower is None:
                    stack.pop()
                else:
                    stack.append(follower)
        return self._result(Validity.VIOLATION)

    def _advance(self, configuration: Configuration) -> Configuration:
        """Takes every read that is possible, and goes past every return that has been provided for."""
        returns = self._schedule.returns
        place, mask, state, path = configuration.place, configuration.mask, configuration.state, configuration.path
        while place < len(returns):
            bit = returns[place].bit
            if mask & bit:
                mask ^= bit
                place += 1
                continue
            row = self._rows[state]
            for required in self._reading[place] or self._reads_at(place):
                if not mask & required.bit:
                    followers = row.get(required.code)
                    if followers is None:
                        self.steps += 1
                        followers = self._transitions.work_out(state, required.code)
                    if followers:
                        mask |= required.bit
                        path = (path, required.operation)
            if not mask & bit:
                break
        return Configuration(place, mask, configuration.used, state, path)

    def _reads_at(self, place: int) -> list[Required]:
        reading = self._reading[place] = [required for required in self._schedule.pending[place] if required.reads]
        return reading

    def _is_on_course(self, configuration: Configuration) -> bool:
        """Rule 5: what the model knows to come later must still be within reach."""
        if self._goals is None:
            return True
        goal = self._goals[configuration.place]
        return goal is ANY or self._model.leads_to(self._transitions.state(configuration.state), goal)

    def _is_new(self, configuration: Configuration) -> bool:
        """Rule 3: a set of optional operations that contains one already tried is not worth trying."""
        key = (configuration.place, configuration.mask, configuration.state)
        tried = self._seen.get(key)
        used, guard = configuration.used, self._schedule.guard
        if tried is None:
            self._seen[key] = [used]
            return True
        guarded = used | guard
        for other in tried:
            if (guarded - other) & guard == guard:  # no field of `used` is smaller than that of `other`
                return False
        tried[:] = [other for other in tried if ((other | guard) - used) & guard != guard]
        tried.append(used)
        return True

    def _followers(self, configuration: Configuration) -> Iterator[Configuration]:
        """What may take place next, best first: what returns next, then what makes that possible, then the rest."""
        returning = self._schedule.returns[configuration.place]
        if self._finite and not self._hope(configuration, returning):
            return
        if self._foresight.helps:
            hidden = self._hide(configuration)
            if hidden is not None:
                yield from self._best(hidden, returning)
        if not returning.reads:
            yield from self._take(configuration, returning)
        later: list[Configuration] = []
        for follower in self._others(configuration, returning):
            if self._transitions.follow(follower.state, returning.code):
                yield follower
            else:
                later.append(follower)
        yield from later

    def _hide(self, configuration: Configuration) -> Configuration | None:
        """The configuration after foresight took what nobody will miss; None where it took nothing."""
        place, path = configuration.place, configuration.path
        mask, state, taken = self._foresight.hide(place, configuration.mask, configuration.state, self._schedule.pending[place])
        if not taken:
            return None
        self.steps += len(taken)
        for required in taken:
            path = (path, required.operation)
        return Configuration(place, mask, configuration.used, state, path)

    def _best(self, configuration: Configuration, returning: Required) -> Iterator[Configuration]:
        """The likely next steps: the configuration itself where it has provided for the return, else what does."""
        if configuration.mask & returning.bit:
            yield configuration
            return
        if not returning.reads:
            yield from self._take(configuration, returning)
        for follower in self._others(configuration, returning):
            if self._transitions.follow(follower.state, returning.code):
                yield follower

    def _take(self, configuration: Configuration, required: Required) -> Iterator[Configuration]:
        self.steps += 1
        for state in self._transitions.follow(configuration.state, required.code):
            yield Configuration(
                configuration.place,
                configuration.mask | required.bit,
                configuration.used,
                state,
                (configuration.path, required.operation),
            )

    def _others(self, configuration: Configuration, returning: Required) -> Iterator[Configuration]:
        place, mask = configuration.place, configuration.mask
        taken = {returning.code}
        for required in self._schedule.pending[place]:
            if not required.reads and not mask & required.bit and required.code not in taken:
                taken.add(required.code)
                yield from self._take(configuration, required)
        size = (1 << self._schedule.field_bits) - 1
        for optional in self._schedule.optional:
            if optional.until < place or optional.code in taken:
                continue
            count = (configuration.used >> optional.shift) & size
            if count < len(optional.operations) and optional.first[count] <= place:
                self.steps += 1
                for state in self._transitions.follow(configuration.state, optional.code):
                    if state != configuration.state:
                        path = (configuration.path, optional.operations[count])
                        yield Configuration(place, mask, configuration.used + optional.one, state, path)

    def _hope(self, configuration: Configuration, returning: Required) -> bool:
        """Rule 4. Forgets what has been used, so that the answer holds for every configuration at this place and state."""
        key = (configuration.place, configuration.state)
        known = self._hopes.get(key)
        if known is None:
            known = self._hopes[key] = self._reachable(configuration, returning)
        return known

    def _reachable(self, configuration: Configuration, returning: Required) -> bool:
        place = configuration.place
        codes = {required.code for required in self._schedule.pending[place] if not required.reads}
        codes.update(c.code for c in self._schedule.optional if c.first[0] <= place <= c.until)
        reached = {configuration.state}
        waiting = [configuration.state]
        while waiting:
            state = waiting.pop()
            if self._transitions.follow(state, returning.code):
                return True
            self.steps += len(codes)
            for code in codes:
                for follower in self._transitions.follow(state, code):
                    if follower not in reached:
                        reached.add(follower)
                        waiting.append(follower)
        return False

    def _result(self, validity: Validity) -> Result:
        order: list[Operation] = []
        path = self._furthest_path
        while path is not None:
            path, operation = path
            order.append(operation)
        order.reverse()
        impossible = None
        if validity is Validity.VIOLATION:
            impossible = self._schedule.returns[self._furthest].operation
        return Result(validity, self.steps, order, impossible)
