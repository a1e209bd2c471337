"""An answer on its way to one who waits for it: a future's small sibling, for the hot path.

A future's callback runs in a later turn of the event loop, and that turn costs more than many an answer. A Reply's callback
runs at once, within `set_result`. So whoever settles one must be ready for it, and the callback must be quick.

    pending --set_result--> done        callback called
            --set_exception--> done     callback called
            --cancel--> cancelled       callback not called: who cancels knows
"""

from asyncio import CancelledError, Future, get_running_loop
from collections.abc import Callable, Generator
from typing import Generic, TypeVar, cast

T = TypeVar("T")

_PENDING, _DONE, _CANCELLED = range(3)


class Reply(Generic[T]):
    """One value or one exception, for one callback. It can be awaited, too, once."""

    __slots__ = ("_callback", "_error", "_state", "_value")

    def __init__(self) -> None:
        self._state = _PENDING
        self._value: T | None = None
        self._error: BaseException | None = None
        self._callback: Callable[[Reply[T]], None] | None = None

    def done(self) -> bool:
        """Whether there is a value, an exception, or nobody who waits any more."""
        return self._state != _PENDING

    def cancelled(self) -> bool:
        """Whether nobody waits any more."""
        return self._state == _CANCELLED

    def result(self) -> T:
        """The value; raises the exception if there is one. Only when done."""
        assert self._state != _PENDING, "there is no result yet"
        if self._state == _CANCELLED:
            raise CancelledError
        if self._error is not None:
            raise self._error
        return cast("T", self._value)

    def exception(self) -> BaseException | None:
        """The exception, if there is one. Only when done."""
        assert self._state == _DONE, "there is no outcome"
        return self._error

    def set_result(self, value: T) -> None:
        """Settles it, and calls who waits."""
        assert self._state == _PENDING, "settled twice"
        self._state, self._value = _DONE, value
        if self._callback is not None:
            self._callback(self)

    def set_exception(self, error: BaseException) -> None:
        """As set_result, with an exception."""
        assert self._state == _PENDING, "settled twice"
        self._state, self._error = _DONE, error
        if self._callback is not None:
            self._callback(self)

    def cancel(self) -> bool:
        """Nobody waits any more; False if it was done before."""
        if self._state != _PENDING:
            return False
        self._state, self._callback = _CANCELLED, None
        return True

    def add_done_callback(self, callback: "Callable[[Reply[T]], None]") -> None:
        """Who waits; called at once if it is done already."""
        assert self._callback is None, "only one can wait for a reply"
        if self._state == _DONE:
            callback(self)
        elif self._state == _PENDING:
            self._callback = callback

    def __await__(self) -> Generator[Future[None], None, T]:
        if self._state == _PENDING:
            waiter: Future[None] = get_running_loop().create_future()
            self.add_done_callback(lambda _: _wake(waiter))
            try:
                yield from waiter
            except CancelledError:
                self.cancel()
                raise
        return self.result()


def _wake(waiter: Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
