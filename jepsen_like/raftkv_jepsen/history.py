"""Histories: what clients asked and heard, in the order in which one recorder saw it.

A history is a sequence of events. An operation is two of them by the same process:

    invoke ──► ok     it took place between the two events, and `value` is what the client heard
           ──► fail   it never took place
           ──► info   nobody knows: it may take place at any time after its invocation, or never
           ──► (end of the history)   as info

Two further types stand alone: `receive`, what a stream brought (a watch), and `fault`, what a nemesis did. On disk an
event is one line of JSON. The file only grows, each line is written in one call, and a line that a crash cut off is at
the end, where reading leaves it out and writing again cuts it away.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from raftkv_jepsen.errors import HistoryError

EventType = Literal["invoke", "ok", "fail", "info", "receive", "fault"]
EVENT_TYPES = frozenset({"invoke", "ok", "fail", "info", "receive", "fault"})
Process = int | str


class Unknown:
    """The outcome of an operation that is known to have taken place, without its answer being known."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "unknown"

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a history. `time` is in seconds since the run began; the order of the events does not come from it."""

    type: EventType
    process: Process
    f: str
    value: Any = None
    key: Any = None
    time: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """An invocation with its completion. `call` and `end` are places in the history; `end` None means that it stays open."""

    process: Process
    f: str
    argument: Any
    outcome: Any
    call: int
    end: int | None
    key: Any = None
    call_time: float | None = None
    end_time: float | None = None

    def __str__(self) -> str:
        key = "" if self.key is None else f"{self.key} "
        outcome = "?" if self.end is None else repr(self.outcome)
        return f"process {self.process}: {self.f} {key}{self.argument!r} -> {outcome}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault for the time line: from one place in the history to another, or to its end."""

    name: str
    begin: int
    end: int | None
    begin_time: float | None = None
    end_time: float | None = None


@dataclass(slots=True)
class History:
    """A whole history, its operations paired, failures left out."""

    operations: list[Operation]
    faults: list[Fault] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    format: str = "raftkv"


def freeze(value: Any) -> Any:
    """JSON's lists as tuples and its objects as sorted pairs, so that values can be compared, hashed and used as keys."""
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in value)
    if isinstance(value, dict):
        return tuple(sorted((str(name), freeze(item)) for name, item in value.items()))
    return value


class HistoryWriter:
    """Appends events to a file. Every event is handed to the operating system before `write` returns."""

    def __init__(self, path: Path) -> None:
        _cut_torn_tail(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, event: Event) -> None:
        """One line, in one call to the operating system, so that a crash of this process tears nothing."""
        line = json.dumps(_fields(event), separators=(",", ":")) + "\n"
        data = line.encode()
        written = os.write(self._file, data)
        if written != len(data):
            raise OSError(f"the history took {written} of {len(data)} bytes")

    def close(self) -> None:
        """Waits until the disk has it."""
        os.fsync(self._file)
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _cut_torn_tail(path: Path) -> None:
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        os.truncate(path, whole)


def _fields(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": event.type, "process": event.process, "f": event.f, "value": event.value}
    for name in ("key", "time", "error"):
        value = getattr(event, name)
        if value is not None:
            fields[name] = value
    return fields


def read_events(text: str) -> list[Event]:
    """The events of a file in our own format; a torn last line is left out.

    Raises:
        HistoryError: a line before the last is no event.
    """
    lines = text.split("\n")
    torn = lines.pop()  # "" where the file ends as it should
    events = [_event(line, number) for number, line in enumerate(lines, 1) if line.strip()]
    if torn.strip():
        try:
            events.append(_event(torn, len(lines) + 1))
        except HistoryError:
            return events
    return events


def _event(line: str, number: int) -> Event:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise HistoryError(f"line {number} is not JSON") from error
    if not isinstance(fields, dict) or fields.get("type") not in EVENT_TYPES or "process" not in fields or "f" not in fields:
        raise HistoryError(f"line {number} is no event: it needs type, process and f")
    if not isinstance(fields["process"], (int, str)) or not isinstance(fields["f"], str):
        raise HistoryError(f"line {number}: process is a number or a name, f a name")
    time = fields.get("time")
    if time is not None and not isinstance(time, (int, float)):
        raise HistoryError(f"line {number}: time is a number of seconds")
    return Event(
        type=fields["type"],
        process=fields["process"],
        f=fields["f"],
        value=freeze(fields.get("value")),
        key=freeze(fields.get("key")),
        time=time,
        error=None if fields.get("error") is None else str(fields["error"]),
    )


def pair(events: Iterable[Event]) -> History:
    """Events to operations. A process that invokes while its last operation is open has left that one open for good.

    Raises:
        HistoryError: a completion without an invocation.
    """
    kept = list(events)
    operations: list[Operation] = []
    open_calls: dict[Process, tuple[int, Event]] = {}
    for place, event in enumerate(kept):
        if event.type == "invoke":
            abandoned = open_calls.pop(event.process, None)
            if abandoned is not None:
                operations.append(_operation(*abandoned, None))
            open_calls[event.process] = (place, event)
        elif event.type in {"ok", "fail", "info"}:
            begun = open_calls.pop(event.process, None)
            if begun is None:
                raise HistoryError(f"event {place + 1}: process {event.process} completes {event.f}, which it never invoked")
            if event.type != "fail":
                operations.append(_operation(*begun, (place, event)))
    operations.extend(_operation(*begun, None) for begun in open_calls.values())
    operations.sort(key=lambda operation: operation.call)
    return History(operations, list(_faults(kept)), kept)


def _operation(call: int, invoke: Event, completion: tuple[int, Event] | None) -> Operation:
    if completion is None or completion[1].type != "ok":
        # Where an operation stays open, its argument is all that is known of it.
        time = None if completion is None else completion[1].time
        return Operation(invoke.process, invoke.f, invoke.value, None, call, None, invoke.key, invoke.time, time)
    end, event = completion
    return Operation(invoke.process, invoke.f, invoke.value, event.value, call, end, invoke.key, invoke.time, event.time)


def _faults(events: list[Event]) -> Iterator[Fault]:
    """Spans from `fault` events: value "start" opens, "stop" closes, anything else is a moment."""
    begun: dict[str, tuple[int, float | None]] = {}
    for place, event in enumerate(events):
        if event.type != "fault":
            continue
        if event.value == "start":
            begun.setdefault(event.f, (place, event.time))
        elif event.value == "stop":
            if event.f in begun:
                begin, time = begun.pop(event.f)
                yield Fault(event.f, begin, place, time, event.time)
        else:
            yield Fault(event.f, place, place, event.time, event.time)
    for name, (begin, time) in begun.items():
        yield Fault(name, begin, None, time, None)
