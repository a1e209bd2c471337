"""Long work in slices: a generator yields between slices of bounded work and returns its result.

Whoever runs it (the driver, a read handler, the simulator) decides what happens between two slices. Work that is done
within its first slice is returned as a plain value, so a small request pays for none of this.
"""

from collections.abc import Generator
from typing import TypeAlias, TypeVar, cast, overload

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]
"""Work in slices with a result of type T."""

SLICE_ROWS = 500
"""About how many rows are handled between two yields: at 2 us a row, a millisecond."""

SLICE_BYTES = 1 << 20
"""About how many bytes of rows are handled between two yields."""


def begin(steps: Steps[T]) -> T | Steps[T]:
    """Runs the first slice: the result if that was all, else the rest of the work."""
    try:
        next(steps)
    except StopIteration as done:
        return cast("T", done.value)
    return steps


@overload
def finish(work: Steps[T]) -> T: ...


@overload
def finish(work: T) -> T: ...


def finish(work: object) -> object:
    """Runs the work to its end without a pause."""
    if not isinstance(work, Generator):
        return work
    try:
        while True:
            next(work)
    except StopIteration as done:
        return done.value
