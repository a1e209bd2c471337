"""Transactions of reads of lists and appends to them. A list tells its own history, so every dependency can be read off it.

An operation `txn` has a value like [["append", "x", 1], ["r", "x", null]]; its answer is the same with the reads filled in. Values are
appended once per key. Anomalies that need no graph:

    internal            a transaction's read does not agree with what it did or read before
    G1a                 a read of a value whose transaction failed
    G1b                 a read of a list as it was in the middle of a transaction
    duplicate           a value twice in a list
    unknown value       a value that nobody appended
    incompatible order  two reads of one key, neither the beginning of the other

and those that are cycles in the graph of dependencies (Adya, 1999):

    G0          of writes alone
    G1c         of writes and reads of what was written
    G-single    with one read of a version that was overwritten
    G2-item     with several

each with -process or -realtime where only the order within a process or of time closes it. Values whose transaction's outcome is unknown
are taken as committed once somebody read them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from raftkv_jepsen.errors import HistoryError
from raftkv_jepsen.history import Event, Operation
from raftkv_jepsen.transactions.graph import LETTERS, Edge, Graph
from raftkv_jepsen.verdict import Finding, Verdict, judged

APPEND, READ = "append", "r"
WORDS = {"append": APPEND, "r": READ, "read": READ}
Step = tuple[str, Any, Any]


@dataclass(slots=True)
class Txn:
    """A transaction: the last value that it appended to each key, and what it read from outside."""

    operation: Operation
    steps: list[Step]
    appended: dict[Any, list[Any]] = field(default_factory=dict)
    reads: dict[Any, tuple[Any, ...]] = field(default_factory=dict)


def check_list_append(operations: Sequence[Operation], events: Sequence[Event] = ()) -> Verdict:
    """Checks a history of transactions. `events` tells which failed.

    Raises:
        HistoryError: an operation is no such transaction.
    """
    check = ListAppend([_txn(o) for o in operations if o.f == "txn"], _failed_values(events))
    return check.run()


def _steps(value: Any, what: object) -> list[Step]:
    try:
        return [(WORDS[str(kind)], key, operand) for kind, key, operand in value]
    except (TypeError, ValueError, KeyError) as error:
        raise HistoryError(f"no transaction of appends and reads: {what}") from error


def _txn(operation: Operation) -> Txn:
    known = operation.end is not None and operation.outcome is not None
    steps = _steps(operation.outcome if known else operation.argument, operation)
    txn = Txn(operation, steps)
    for kind, key, operand in steps:
        if kind == APPEND:
            txn.appended.setdefault(key, []).append(operand)
        elif known and key not in txn.appended and key not in txn.reads:
            txn.reads[key] = tuple(operand or ())
    return txn


def _failed_values(events: Sequence[Event]) -> set[tuple[Any, Any]]:
    """(key, value) of appends in transactions that failed."""
    invoked: dict[Any, Event] = {}
    failed: set[tuple[Any, Any]] = set()
    for event in events:
        if event.f != "txn":
            continue
        if event.type == "invoke":
            invoked[event.process] = event
        elif event.type == "fail" and event.process in invoked:
            steps = _steps(invoked[event.process].value, event)
            failed.update((key, operand) for kind, key, operand in steps if kind == APPEND)
    return failed


class ListAppend:
    """One check. Transactions are numbered in the order of their calls."""

    def __init__(self, txns: list[Txn], failed: set[tuple[Any, Any]]) -> None:
        self._txns = txns
        self._failed = failed
        self._findings: list[Finding] = []
        self._writer: dict[tuple[Any, Any], int] = {}
        for number, txn in enumerate(txns):
            for key, values in txn.appended.items():
                for value in values:
                    if self._writer.setdefault((key, value), number) != number:
                        raise HistoryError(f"{value!r} is appended twice to {key!r}: lists tell nothing then")

    def run(self) -> Verdict:
        """Single transactions first, then versions, then the graph."""
        for txn in self._txns:
            if txn.operation.end is not None:
                self._internal(txn)
                self._read_values(txn)
        orders = self._orders()
        graph = self._graph(orders)
        self._findings.extend(_Cycles(graph, self._txns).findings())
        edges = sum(map(len, graph.edges))
        return judged(self._findings, {"transactions": len(self._txns), "keys": len(orders), "dependencies": edges})

    def _report(self, name: str, text: str, *txns: Txn) -> None:
        self._findings.append(Finding(name, text, tuple(txn.operation for txn in txns)))

    def _internal(self, txn: Txn) -> None:
        known: dict[Any, tuple[Any, ...]] = {}
        suffix: dict[Any, tuple[Any, ...]] = {}
        for kind, key, operand in txn.steps:
            if kind == APPEND:
                if key in known:
                    known[key] += (operand,)
                else:
                    suffix[key] = (*suffix.get(key, ()), operand)
                continue
            seen = tuple(operand or ())
            expected = known.get(key)
            tail = suffix.pop(key, ())  # from here on the whole list is known
            if (expected is not None and seen != expected) or seen[len(seen) - len(tail) :] != tail:
                self._report("internal", f"{key!r} was read as {_few(seen)} against the transaction's own steps", txn)
            known[key] = seen

    def _read_values(self, txn: Txn) -> None:
        for key, seen in txn.reads.items():
            if len(set(seen)) < len(seen):
                self._report("duplicate", f"{key!r} was read as {_few(seen)}", txn)
            for value in seen:
                if (key, value) in self._failed:
                    self._report("G1a", f"{value!r} in {key!r} is from a transaction that failed", txn)
                elif (key, value) not in self._writer:
                    self._report("unknown value", f"{value!r} in {key!r} was never appended", txn)
            if seen and (key, seen[-1]) in self._writer:
                writer = self._txns[self._writer[key, seen[-1]]]
                if writer is not txn and writer.appended[key][-1] != seen[-1]:
                    self._report("G1b", f"{key!r} was read at {seen[-1]!r}, in the middle of a transaction", txn, writer)

    def _orders(self) -> dict[Any, tuple[Any, ...]]:
        """The longest read of every key; all others must be beginnings of it."""
        longest: dict[Any, tuple[tuple[Any, ...], Txn]] = {}
        for txn in self._txns:
            for key, seen in txn.reads.items():
                if key not in longest or len(seen) > len(longest[key][0]):
                    longest[key] = (seen, txn)
        for txn in self._txns:
            for key, seen in txn.reads.items():
                whole, reader = longest[key]
                if whole[: len(seen)] != seen:
                    self._report("incompatible order", f"{key!r} was read as {_few(seen)} and as {_few(whole)}", txn, reader)
        return {key: seen for key, (seen, _) in longest.items()}

    def _graph(self, orders: dict[Any, tuple[Any, ...]]) -> Graph:
        graph = Graph(len(self._txns))
        places = {key: {value: place for place, value in enumerate(order)} for key, order in orders.items()}
        for key, order in orders.items():
            for before, after in pairwise(order):
                if (key, before) in self._writer and (key, after) in self._writer:
                    graph.add(self._writer[key, before], self._writer[key, after], Edge.WW)
        unread = self._unread(orders, places)
        for number, txn in enumerate(self._txns):
            for key, seen in txn.reads.items():
                self._read_edges(graph, number, (key, seen), orders[key], unread.get(key, ()))
        for key, numbers in unread.items():
            order = orders[key]
            if order and (key, order[-1]) in self._writer:
                for number in numbers:
                    graph.add(self._writer[key, order[-1]], number, Edge.WW)
        _add_process_edges(graph, self._txns)
        _add_realtime_edges(graph, self._txns)
        return graph

    def _unread(self, orders: dict[Any, tuple[Any, ...]], places: dict[Any, dict[Any, int]]) -> dict[Any, list[int]]:
        """Committed transactions whose append to a key nobody ever read: they come after all that was read."""
        unread: dict[Any, list[int]] = {}
        for (key, value), number in self._writer.items():
            if key in orders and value not in places[key] and self._txns[number].operation.end is not None:
                unread.setdefault(key, []).append(number)
        return unread

    def _read_edges(
        self,
        graph: Graph,
        number: int,
        read: tuple[Any, tuple[Any, ...]],
        order: tuple[Any, ...],
        unread: Sequence[int],
    ) -> None:
        key, seen = read
        if seen and (key, seen[-1]) in self._writer:
            graph.add(self._writer[key, seen[-1]], number, Edge.WR)
        if order[: len(seen)] != seen:
            return
        if len(seen) < len(order):
            if (key, order[len(seen)]) in self._writer:
                graph.add(number, self._writer[key, order[len(seen)]], Edge.RW)
        else:
            for writer in unread:
                graph.add(number, writer, Edge.RW)


def _few(values: tuple[Any, ...]) -> str:
    return str(list(values)) if len(values) <= 12 else f"[... {', '.join(map(repr, values[-12:]))}]"


def _add_process_edges(graph: Graph, txns: list[Txn]) -> None:
    last: dict[Any, int] = {}
    for number, txn in enumerate(txns):
        process = txn.operation.process
        if process in last and txns[last[process]].operation.end is not None:
            graph.add(last[process], number, Edge.PROCESS)
        last[process] = number


def _add_realtime_edges(graph: Graph, txns: list[Txn]) -> None:
    """Edges from the transactions that ended last before each call: those they follow are reached through them."""
    marks = [(txn.operation.call, True, number) for number, txn in enumerate(txns)]
    marks += [(txn.operation.end, False, number) for number, txn in enumerate(txns) if txn.operation.end is not None]
    frontier: dict[int, int] = {}
    for _, begins, number in sorted(marks):
        if begins:
            for source in frontier:
                graph.add(source, number, Edge.REALTIME)
        else:
            call = txns[number].operation.call
            frontier = {other: end for other, end in frontier.items() if end > call}
            frontier[number] = txns[number].operation.end or 0


class _Cycles:
    """Names the cycles, the plainest first: one finding for each component and name."""

    def __init__(self, graph: Graph, txns: list[Txn]) -> None:
        self._graph = graph
        self._txns = txns

    def findings(self) -> Iterator[Finding]:
        named: set[frozenset[int]] = set()
        for extra, suffix in ((Edge(0), ""), (Edge.PROCESS, "-process"), (Edge.PROCESS | Edge.REALTIME, "-realtime")):
            for name, kinds, needed in (
                ("G0", Edge.WW | extra, Edge.WW),
                ("G1c", Edge.WW | Edge.WR | extra, Edge.WR),
            ):
                for component in self._graph.components(kinds):
                    cycle = self._through(component, needed, kinds)
                    if cycle is not None and not self._known(component, named):
                        named.add(frozenset(component))
                        yield self._finding(name + suffix, cycle)
            plain = Edge.WW | Edge.WR | extra
            for component in self._graph.components(plain | Edge.RW):
                if self._known(component, named):
                    continue
                single = self._through(component, Edge.RW, plain)
                cycle = single or self._through(component, Edge.RW, plain | Edge.RW)
                if cycle is not None:
                    named.add(frozenset(component))
                    yield self._finding(("G-single" if single else "G2-item") + suffix, cycle)

    @staticmethod
    def _known(component: list[int], named: set[frozenset[int]]) -> bool:
        """Whether this component contains one that has been named already, by a plainer name."""
        members = set(component)
        return any(known <= members for known in named)

    def _through(self, component: list[int], needed: Edge, back: Edge) -> list[int] | None:
        """A cycle that has an edge of the needed kind and goes back by others."""
        members = set(component)
        for source in sorted(component):
            for target in self._graph.following(source, needed):
                if target in members:
                    way = self._graph.path(target, source, back, members)
                    if way is not None:
                        return [source, *way]
        return None

    def _finding(self, name: str, cycle: list[int]) -> Finding:
        parts = []
        for source, target in pairwise(cycle):
            why = self._graph.edges[source][target]
            reasons = "/".join(letters for edge, letters in LETTERS.items() if why & edge)
            parts.append(f"T{source} -{reasons}-> ")
        text = "".join(parts) + f"T{cycle[-1]}"
        return Finding(name, text, tuple(self._txns[number].operation for number in cycle[:-1]))
