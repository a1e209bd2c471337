"""What `lock` and `elect` share: wait for one's turn, run a program or wait for Ctrl-C while it lasts, give it back.

waiting --turn--> held --program ends, or Ctrl-C--> given back
   |                `---- lost --> SIGTERM to the program, after a grace SIGKILL --> failed
   `-- Ctrl-C --> withdrawn

The program gets the signals that we get. At a terminal it stays in our process group, so Ctrl-C and Ctrl-Z reach it from
the terminal; elsewhere it has a group of its own, and what it has started is ended together with it.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import click

if TYPE_CHECKING:
    from raftkv.recipes.acquisition import Acquirable
    from raftkv.recipes.held import Held

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FORWARDED = (*ENDING, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
"""With a program to hand them to; without one, the others do what they always do."""
KILLED_BY = 128
"""A shell's exit code for a program that a signal has ended is this and the signal's number."""

Listener = Callable[[int], object]
AnyHeld = TypeVar("AnyHeld", bound="Held")


class Signals:
    """The signals that this process gets, from `with` to its end; those that come while nobody listens wait for a listener."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = numbers
        self._waiting: list[int] = []
        self._listener: Listener | None = None
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        for number in self._numbers:
            self._loop.add_signal_handler(number, self._receive, number)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number in self._numbers:
            self._loop.remove_signal_handler(number)

    @contextmanager
    def told_to(self, listener: Listener) -> Iterator[None]:
        """Calls `listener` with each signal, on the loop."""
        self._listener = listener
        waiting, self._waiting = self._waiting, []
        for number in waiting:
            listener(number)
        try:
            yield
        finally:
            self._listener = None

    def _receive(self, number: int) -> None:
        if self._listener is None:
            self._waiting.append(number)
        else:
            self._listener(number)


async def acquire(what: "Acquirable[AnyHeld]", signals: Signals) -> AnyHeld:
    """Waits for the turn. A signal ends the waiting, and then the command (click's Exit), with nothing left behind."""
    task = asyncio.current_task()
    assert task is not None
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        task.cancel()

    with signals.told_to(stop):
        try:
            return await what.acquire()
        except asyncio.CancelledError:
            if not received:
                raise
            task.uncancel()
            raise click.exceptions.Exit(KILLED_BY + received[0]) from None


async def keep(held: "Held", signals: Signals) -> None:
    """Returns when a signal comes. Raises click.ClickException when it is lost before."""
    over = asyncio.Event()
    held.lost.add_callback(over.set)
    with signals.told_to(lambda _: over.set()):
        await over.wait()
    check(held)


async def run(held: "Held", signals: Signals, program: Sequence[str], environment: Mapping[str, str], *, grace: float) -> int:
    """Runs the program while it is held, and answers its exit code.

    Raises click.ClickException when it is lost before the program ends: then the program has been ended.
    """
    held.at_risk.add_callback(lambda: _warn(held))
    code = await _Program(program, {**environment, **os.environ}, grace).run(held, signals)
    check(held)
    return code if code >= 0 else KILLED_BY - code


def check(held: "Held") -> None:
    """Raises click.ClickException if it is lost."""
    if held.lost.is_set():
        raise click.ClickException(f"session expired: {held.name} is lost: {held.lost_reason}")


class _Program:
    """A program of the user's, and how it is signalled."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], grace: float) -> None:
        self._words = words
        self._environment = environment
        self._grace = grace
        self._at_terminal = _in_foreground()
        self._process: Process
        self._kill: asyncio.TimerHandle | None = None

    async def run(self, held: "Held", signals: Signals) -> int:
        """Its exit code; minus the signal's number where one has ended it."""
        self._process = await self._start()
        with signals.told_to(self._forward):
            held.lost.add_callback(self._end)
            try:
                return await self._process.wait()
            finally:
                held.lost.remove_callback(self._end)
                if self._kill is not None:
                    self._kill.cancel()
                    self._signal(signal.SIGKILL)  # what is left of its group

    async def _start(self) -> Process:
        group = None if self._at_terminal else 0
        try:
            return await asyncio.create_subprocess_exec(*self._words, env=self._environment, process_group=group)
        except FileNotFoundError as error:
            raise click.ClickException(f'exec: "{self._words[0]}": executable file not found in $PATH') from error

    def _forward(self, number: int) -> None:
        if not (self._at_terminal and number in {signal.SIGINT, signal.SIGQUIT}):  # the terminal has sent it those itself
            self._signal(number)

    def _end(self) -> None:
        self._signal(signal.SIGTERM)
        self._kill = asyncio.get_running_loop().call_later(self._grace, self._signal, signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if self._at_terminal:
                self._process.send_signal(number)
            else:
                os.killpg(self._process.pid, number)


def _in_foreground() -> bool:
    """Whether we are the job that a terminal sends its signals to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _warn(held: "Held") -> None:
    if held.ended.is_set():
        return
    sys.stderr.write(f"{held.name}: cannot be renewed, and will be lost in {held.remaining:.1f} s unless it can\n")
    sys.stderr.flush()
