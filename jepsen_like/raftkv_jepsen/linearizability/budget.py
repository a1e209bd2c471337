"""How long a search may go on."""

from dataclasses import dataclass, field

from raftkv.clock import Clock

LOOK_EVERY = 2048


@dataclass(slots=True)
class Budget:
    """Steps, and seconds on a clock that is handed in. A search that runs out of either answers `unknown`."""

    max_steps: int | None = None
    timeout_s: float | None = None
    clock: Clock | None = None
    _deadline: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.timeout_s is not None:
            if self.clock is None:
                raise ValueError("a timeout needs a clock")
            self._deadline = self.clock.now() + self.timeout_s

    def spent(self, steps: int) -> bool:
        """Whether to stop. Looks at the clock, so ask once in a while."""
        if self.max_steps is not None and steps >= self.max_steps:
            return True
        return self._deadline is not None and self.clock is not None and self.clock.now() >= self._deadline

    def remaining_s(self) -> float | None:
        """Seconds left, None where there is no limit."""
        if self._deadline is None or self.clock is None:
            return None
        return max(0.0, self._deadline - self.clock.now())
