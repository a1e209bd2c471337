"""Which of many ranges contain a key: a treap over the ranges' beginnings, in which each node knows how far its subtree reaches.

    find(key)     O(matches * log n): subtrees that end before the key, or begin after it, are not entered
    add, remove   O(log n)

Priorities are dice, handed in, so no order of adding makes it deep.
"""

from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")

Range = tuple[bytes, bytes | None]
"""[first, end); no end is everything from first on."""


class _Node(Generic[T]):
    """One range and what is kept for it.

    Invariant: `reach` is the furthest end in the subtree; None: no end.
    """

    __slots__ = ("end", "first", "left", "priority", "reach", "right", "values")

    def __init__(self, first: bytes, end: bytes | None, priority: float) -> None:
        self.first = first
        self.end = end
        self.priority = priority
        self.reach = end
        self.left: _Node[T] | None = None
        self.right: _Node[T] | None = None
        self.values: list[T] = []

    def settle(self) -> "_Node[T]":
        """Computes `reach` again after a child changed."""
        reach = self.end
        for child in (self.left, self.right):
            if child is not None and reach is not None and (child.reach is None or child.reach > reach):
                reach = child.reach
        self.reach = reach
        return self


class Intervals(Generic[T]):
    """Ranges of keys, each with values."""

    __slots__ = ("_rng", "_root", "_size")

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._root: _Node[T] | None = None
        self._size = 0

    def __len__(self) -> int:
        """How many different ranges there are."""
        return self._size

    def add(self, first: bytes, end: bytes | None, value: T) -> None:
        """One more value for a range."""
        node = self._node(first, end)
        if node is None:
            node = _Node(first, end, self._rng.random())
            self._root = _insert(self._root, node)
            self._size += 1
        node.values.append(value)

    def remove(self, first: bytes, end: bytes | None, value: T) -> None:
        """Takes away a value that was added for the range."""
        node = self._node(first, end)
        assert node is not None, "the range was never added"
        node.values.remove(value)
        if not node.values:
            self._root = _delete(self._root, (first, end))
            self._size -= 1

    def find(self, key: bytes, found: list[T]) -> None:
        """Appends to `found` the values of all ranges that contain the key."""
        todo = [self._root]
        while todo:
            node = todo.pop()
            if node is None or (node.reach is not None and node.reach <= key):
                continue
            todo.append(node.left)
            if node.first <= key:
                if node.end is None or key < node.end:
                    found += node.values
                todo.append(node.right)

    def _node(self, first: bytes, end: bytes | None) -> _Node[T] | None:
        node, place = self._root, (first, end)
        while node is not None:
            here = (node.first, node.end)
            if here == place:
                return node
            node = node.left if _before(place, here) else node.right
        return None


def _before(one: Range, other: Range) -> bool:
    """The order of ranges: by beginning, then by end, no end last."""
    if one[0] != other[0]:
        return one[0] < other[0]
    if one[1] is None or other[1] is None:
        return one[1] is not None
    return one[1] < other[1]


def _insert(root: _Node[T] | None, node: _Node[T]) -> _Node[T]:
    if root is None:
        return node
    if node.priority > root.priority:
        node.left, node.right = _split(root, (node.first, node.end))
        return node.settle()
    if _before((node.first, node.end), (root.first, root.end)):
        root.left = _insert(root.left, node)
    else:
        root.right = _insert(root.right, node)
    return root.settle()


def _split(root: _Node[T] | None, place: Range) -> tuple[_Node[T] | None, _Node[T] | None]:
    """What is before a place, and what is after it."""
    if root is None:
        return None, None
    if _before((root.first, root.end), place):
        root.right, after = _split(root.right, place)
        return root.settle(), after
    before, root.left = _split(root.left, place)
    return before, root.settle()


def _delete(root: _Node[T] | None, place: Range) -> _Node[T] | None:
    assert root is not None, "the range was never added"
    here = (root.first, root.end)
    if here == place:
        return _merge(root.left, root.right)
    if _before(place, here):
        root.left = _delete(root.left, place)
    else:
        root.right = _delete(root.right, place)
    return root.settle()


def _merge(before: _Node[T] | None, after: _Node[T] | None) -> _Node[T] | None:
    if before is None or after is None:
        return before or after
    if before.priority > after.priority:
        before.right = _merge(before.right, after)
        return before.settle()
    after.left = _merge(before, after.left)
    return after.settle()
