"""A graph of dependencies between transactions, and the cycles in it.

Strongly connected components are found in linear time (Tarjan, 1972), without recursion. A cycle is looked for only inside a
component that has more than one member, so a history without anomalies costs no more than reading it.
"""

from collections import deque
from collections.abc import Iterator
from enum import IntFlag


class Edge(IntFlag):
    """Why one transaction comes before another."""

    WW = 1
    """It wrote the version before the other's."""
    WR = 2
    """The other read what it wrote."""
    RW = 4
    """It read the version before the other's write."""
    PROCESS = 8
    """The same process did it first."""
    REALTIME = 16
    """It was over before the other began."""


LETTERS = {Edge.WW: "ww", Edge.WR: "wr", Edge.RW: "rw", Edge.PROCESS: "process", Edge.REALTIME: "realtime"}


class Graph:
    """Nodes are numbers from 0; an edge may have several reasons."""

    def __init__(self, size: int) -> None:
        self.edges: list[dict[int, Edge]] = [{} for _ in range(size)]

    def add(self, source: int, target: int, why: Edge) -> None:
        """Nobody depends on himself."""
        if source != target:
            edges = self.edges[source]
            edges[target] = edges.get(target, Edge(0)) | why

    def following(self, node: int, kinds: Edge) -> Iterator[int]:
        """Where the edges of some kinds lead."""
        return (target for target, why in self.edges[node].items() if why & kinds)

    def components(self, kinds: Edge) -> list[list[int]]:
        """The strongly connected components of more than one node."""
        return list(_Tarjan(self, kinds).run())

    def path(self, source: int, target: int, kinds: Edge, within: set[int]) -> list[int] | None:
        """A shortest way from one node to another that stays among some nodes; both ends are in it."""
        came_from = {source: source}
        waiting = deque([source])
        while waiting:
            node = waiting.popleft()
            for following in self.following(node, kinds):
                if following in within and following not in came_from:
                    came_from[following] = node
                    if following == target:
                        return _way(came_from, source, target)
                    waiting.append(following)
        return None


def _way(came_from: dict[int, int], source: int, target: int) -> list[int]:
    way = [target]
    while way[-1] != source:
        way.append(came_from[way[-1]])
    way.reverse()
    return way


class _Tarjan:
    def __init__(self, graph: Graph, kinds: Edge) -> None:
        self._graph = graph
        self._kinds = kinds
        self._number = [-1] * len(graph.edges)
        self._low = [0] * len(graph.edges)
        self._on_stack = bytearray(len(graph.edges))
        self._stack: list[int] = []
        self._count = 0

    def run(self) -> Iterator[list[int]]:
        for root in range(len(self._graph.edges)):
            if self._number[root] < 0:
                yield from self._from(root)

    def _enter(self, node: int) -> tuple[int, Iterator[int]]:
        self._number[node] = self._low[node] = self._count
        self._count += 1
        self._stack.append(node)
        self._on_stack[node] = 1
        return node, self._graph.following(node, self._kinds)

    def _from(self, root: int) -> Iterator[list[int]]:
        work = [self._enter(root)]
        while work:
            node, following = work[-1]
            entered = False
            for target in following:
                if self._number[target] < 0:
                    work.append(self._enter(target))
                    entered = True
                    break
                if self._on_stack[target]:
                    self._low[node] = min(self._low[node], self._number[target])
            if entered:
                continue
            work.pop()
            if work:
                parent = work[-1][0]
                self._low[parent] = min(self._low[parent], self._low[node])
            if self._low[node] == self._number[node]:
                component = self._pop(node)
                if len(component) > 1:
                    yield component

    def _pop(self, node: int) -> list[int]:
        component = []
        while True:
            member = self._stack.pop()
            self._on_stack[member] = 0
            component.append(member)
            if member == node:
                return component
