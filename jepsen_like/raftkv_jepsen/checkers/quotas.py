"""Quotas by prefix, worked out once more from the committed log: what each request finds used, and whether it may add to that.

A put or a transaction is refused if it adds to the keys or the bytes under a prefix and there would be more than a quota of that prefix
allows; everything else, and what adds nothing, is let through. A request that is refused changes nothing. Everybody is bound: there
are no roles in here.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raftkv_jepsen.history import Operation
from raftkv_jepsen.store import EMPTY, Put, Request, Row, Store, Txn, apply, parse_request, writes
from raftkv_jepsen.verdict import Finding, Verdict, judged

REFUSED = {"error": "quota exceeded"}
ASKS = frozenset({"put", "delete", "txn"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be under a prefix; None: as much as one likes."""

    keys: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class QuotaChange:
    """A quota is set, or, without limits, removed."""

    prefix: str
    limits: Limits | None


@dataclass(frozen=True, slots=True)
class Committed:
    """An entry of the log: what it asks, and when the first node knew it to be committed."""

    request: Request | QuotaChange
    time: float


Usage = tuple[int, int]
"""Bytes and keys."""


class QuotaReplay:
    """The log, applied from the empty store on, with its quotas."""

    def __init__(self, entries: Sequence[Committed]) -> None:
        self.entries = entries
        self.answers: list[Mapping[str, Any]] = []
        self.quotas: dict[str, Limits] = {}
        self.usage: list[dict[str, Usage]] = [{}]
        """Before each entry, and after the last one: that of the prefixes that have quotas then."""
        self.store = EMPTY
        self.refused = 0
        for entry in entries:
            self.answers.append(self._take(entry.request))
            self.usage.append({prefix: usage(self.store, prefix) for prefix in self.quotas})

    def _take(self, request: Request | QuotaChange) -> Mapping[str, Any]:
        if isinstance(request, QuotaChange):
            if request.limits is None:
                self.quotas.pop(request.prefix, None)
            else:
                self.quotas[request.prefix] = request.limits
            return {}
        after, answer = apply(self.store, request)
        if isinstance(request, Put | Txn) and not all(self._fits(prefix, after) for prefix in self.quotas):
            self.refused += 1
            return REFUSED
        self.store = after
        return answer

    def _fits(self, prefix: str, after: Store) -> bool:
        limits = self.quotas[prefix]
        size, keys = usage(after, prefix)
        more_bytes, more_keys = (new - old for new, old in zip((size, keys), usage(self.store, prefix), strict=True))
        too_many = limits.keys is not None and more_keys > 0 and keys > limits.keys
        too_large = limits.bytes is not None and more_bytes > 0 and size > limits.bytes
        return not (too_many or too_large)


def usage(store: Store, prefix: str) -> Usage:
    """What is under a prefix."""
    rows = [row for key, row in store.rows.items() if key.startswith(prefix)]
    return sum(len(row.key) + len(row.value) for row in rows), len(rows)


def check_quotas(
    operations: Sequence[Operation], replay: QuotaReplay, held: Mapping[str, Sequence[Row]], *, below: str = ""
) -> Verdict:
    """Checks what was answered, and what nodes hold in the end.

    Operations are requests to the store, and `quota_get` {"prefix"} -> {"prefix", "bytes", "keys"}. `held`: by node, all its rows
    with the prefix `below`.
    """
    findings = [*_answers([each for each in operations if each.f in ASKS], replay)]
    asked = [each for each in operations if each.f == "quota_get" and each.end is not None]
    findings += _reports(asked, replay)
    wanted = {key: row.value for key, row in replay.store.rows.items() if key.startswith(below)}
    for node, rows in held.items():
        found = {row.key: row.value for row in rows}
        for key in sorted(found.keys() | wanted.keys()):
            if found.get(key) != wanted.get(key):
                text = f"{node} holds {found.get(key)!r} under {key!r}, the log says {wanted.get(key)!r}"
                findings.append(Finding("held", text))
                break
    return judged(findings, {"requests": len(operations), "refused": replay.refused, "reports": len(asked)})


def _answers(operations: Sequence[Operation], replay: QuotaReplay) -> Iterator[Finding]:
    """What occurs once in the history and once in the log took place there."""
    places: dict[Any, list[int]] = {}
    for number, entry in enumerate(replay.entries):
        places.setdefault(entry.request, []).append(number)
    requests = [parse_request(operation.f, operation.argument) for operation in operations]
    counts = Counter(requests)
    for operation, request in zip(operations, requests, strict=True):
        if counts[request] > 1 or operation.end is None or not writes(request):
            continue
        logged = places.get(request, [])
        if not logged:
            yield Finding("lost write", f"{operation} was answered, and is not in the log", (operation,))
        elif len(logged) == 1:
            expected, told = replay.answers[logged[0]], dict(operation.outcome)
            if any(expected.get(name) != told.get(name) for name in ("error", "succeeded", "deleted")):
                text = f"{operation}, where the log says {dict(expected)}; used before: {replay.usage[logged[0]]}"
                yield Finding("wrong answer", text, (operation,))


def _reports(asked: Sequence[Operation], replay: QuotaReplay) -> Iterator[Finding]:
    """What is said to be used was used at some moment between question and answer."""
    times = [entry.time for entry in replay.entries]
    for operation in asked:
        told = dict(operation.outcome)
        first = bisect_right(times, operation.call_time or 0.0)
        last = bisect_right(times, operation.end_time or 0.0)
        seen = {replay.usage[place].get(told["prefix"]) for place in range(first, max(first, last) + 1)}
        if (told["bytes"], told["keys"]) not in seen:
            yield Finding("wrong usage", f"{operation}, and the log says {sorted(map(str, seen))}", (operation,))
