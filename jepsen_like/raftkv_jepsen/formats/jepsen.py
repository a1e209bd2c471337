"""Histories that others wrote: what an event means differs between them, and is settled here, so that models need not know.

| source | completed read of nil | :fail | :info |
|---|---|---|---|
| console log of Jepsen | saw that nothing is set yet | cas: saw that the compare did not hold; otherwise never took place | stays open |
| EDN vector, as Knossos keeps it | matches anything: dropped | never took place: dropped | stays open |
| EDN lines with keys | get: saw the empty string | never took place: dropped | stays open |
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.formats import edn
from raftkv_jepsen.history import Event, EventType, History, Operation, Process, pair

LOG_LINE = re.compile(r"\bjepsen\.\S+.*?[-:]\s+(\S+)\s+:(invoke|ok|fail|info)\s+:(\S+)(?:[ \t]+(.*))?$")
"""`INFO  jepsen.util - 3<TAB>:invoke<TAB>:cas<TAB>[0 3]`, and with a time before and a thread after the level in later releases."""
EDN_EVENT = re.compile(r"[\[(]?\s*(?:#\S*\s*)?\{[^{}]*:(?:type|process)\b")
NANOSECONDS = 1e9
TYPES: dict[str, EventType] = {"invoke": "invoke", "ok": "ok", "fail": "fail", "info": "info"}


def is_console_log(text: str) -> bool:
    """Whether some line is one of Jepsen's about an operation."""
    return any(LOG_LINE.search(line) for line in text.splitlines())


def read_console_log(text: str) -> History:
    """Other lines (of the nemesis, of the run) are passed over, except that faults are kept."""
    return _kept("console log of Jepsen", _log_events(text))


def _log_events(text: str) -> Iterator[Event]:
    for line in text.splitlines():
        match = LOG_LINE.search(line)
        if match is None:
            continue
        process, kind, f, rest = match.groups()
        forms = list(edn.read_all(rest or ""))
        value = forms[0] if forms else None
        if process.isdigit():
            yield _console_event(Event(TYPES[kind], int(process), f, _plain(value)))
        else:
            yield _fault(f, value, None)


def _console_event(event: Event) -> Event:
    if event.type == "fail" and event.f == "cas" and isinstance(event.value, tuple):
        return Event("ok", event.process, "cas", value=False)
    if event.type == "ok" and event.f == "cas":
        return Event("ok", event.process, "cas", value=True)
    return event


def is_edn(text: str) -> bool:
    """Whether the first form looks like an event, or a collection of events."""
    return EDN_EVENT.match(_without_comments(text)) is not None or _without_comments(text).startswith(("[]", "()"))


def _without_comments(text: str) -> str:
    head = text[:10_000].lstrip("\ufeff")
    return re.sub(r"(?m)\A(?:\s|,|;.*$)+", "", head)


def read_edn(text: str) -> History:
    """A vector or list of events, or events one after the other.

    Raises:
        HistoryError: the text is no EDN, or a form in it is no event.
    """
    forms = list(edn.read_all(text))
    whole = len(forms) == 1 and isinstance(forms[0], tuple)
    maps: Iterable[Any] = forms[0] if whole else forms
    name = "EDN vector" if whole else "EDN lines"
    return _kept(name, _edn_events(maps))


def _edn_events(maps: Iterable[Any]) -> Iterator[Event]:
    for number, form in enumerate(maps, 1):
        if not isinstance(form, Mapping):
            raise HistoryError(f"form {number} is no event but {form!r:.60}")
        fields = {str(name.name): value for name, value in form.items() if isinstance(name, edn.Keyword)}
        kind, process, f = (_plain(fields.get(name)) for name in ("type", "process", "f"))
        if kind not in TYPES or not isinstance(process, (int, str)) or not isinstance(f, str):
            raise HistoryError(f"form {number} is no event: it needs :type, :process and :f")
        time = fields.get("time")
        seconds = time / NANOSECONDS if isinstance(time, (int, float)) else None
        if isinstance(process, str):
            yield _fault(f, fields.get("value"), seconds)
        else:
            yield Event(TYPES[kind], process, f, _plain(fields.get("value")), _plain(fields.get("key")), seconds)


def _fault(f: str, value: Any, time: float | None) -> Event:
    """The nemesis tells of everything twice, before and after; a span from the first start to the first stop is near enough."""
    begins, ends = f.startswith("start"), f.startswith(("stop", "heal"))
    name = "fault" if begins or ends else f
    return Event("fault", "nemesis", name, "start" if begins else "stop" if ends else str(value), time=time)


def _plain(value: Any) -> Any:
    """Keywords as their names, collections as values that can be hashed."""
    if isinstance(value, edn.Keyword):
        return str(value.name)
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, frozenset):
        return frozenset(_plain(item) for item in value)
    if isinstance(value, Mapping):
        return tuple((_plain(name), _plain(item)) for name, item in value.items())
    return value


def _kept(name: str, events: Iterable[Event]) -> History:
    console = name.startswith("console")
    history = pair(_with_invocations(events))
    history.format = name
    history.operations = [kept for operation in history.operations for kept in _meant(operation, console=console)]
    return history


def _with_invocations(events: Iterable[Event]) -> Iterator[Event]:
    """Leaves out completions whose invocation the file does not have: excerpts begin in the middle."""
    running: set[Process] = set()
    for event in events:
        if event.type == "invoke":
            running.add(event.process)
        elif event.type in TYPES and event.process not in running:
            continue
        elif event.type in TYPES:
            running.discard(event.process)
        yield event


def _meant(operation: Operation, *, console: bool) -> Iterator[Operation]:
    """What the source means by the operation, in our terms."""
    if operation.end is None:
        yield operation
    elif operation.f == "read" and operation.outcome is None and not console:
        return
    elif operation.f == "cas" and not console:
        yield _with_outcome(operation, outcome=True)
    else:
        yield operation


def _with_outcome(operation: Operation, *, outcome: Any) -> Operation:
    return Operation(
        operation.process,
        operation.f,
        operation.argument,
        outcome,
        operation.call,
        operation.end,
        operation.key,
        operation.call_time,
        operation.end_time,
    )
