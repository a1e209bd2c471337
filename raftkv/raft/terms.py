"""The terms of a log, run by run.

Terms never fall along a log (paper 5.3), so a few pairs (first index, term) tell the term of every entry: no disk is
read to answer "which term has entry 4711?", and the search for the point where two logs agree is a bisection.

    index   7 8 9 10 11 12
    term    2 2 2  5  5  6      ->  starts [7, 10, 12], terms [2, 5, 6]
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable


class TermRuns:
    """Terms of the indexes from the first start on; where the log ends is for its owner to know."""

    __slots__ = ("starts", "terms")

    def __init__(self, index: int, term: int) -> None:
        self.starts = [index]
        self.terms = [term]

    @classmethod
    def read(cls, term_at: Callable[[int], int], first: int, last: int) -> "TermRuns":
        """Finds the runs of [first, last] with few calls of `term_at`: a bisection per run."""
        runs = cls(first, term_at(first))
        index = first
        while runs.terms[-1] != term_at(last):
            term = runs.terms[-1]
            low, high = index, last
            while low + 1 < high:
                middle = (low + high) // 2
                if term_at(middle) == term:
                    low = middle
                else:
                    high = middle
            index = high
            runs.append(index, term_at(index))
        return runs

    def at(self, index: int) -> int:
        """The term of the entry at `index`."""
        return self.terms[bisect_right(self.starts, index) - 1]

    def append(self, index: int, term: int) -> None:
        """Entries from `index` on have `term`."""
        if term != self.terms[-1]:
            self.starts.append(index)
            self.terms.append(term)

    def truncate(self, index: int) -> None:
        """Forgets the entries from `index` on; never the first one."""
        keep = bisect_left(self.starts, index)
        del self.starts[keep:]
        del self.terms[keep:]

    def forget_before(self, index: int) -> None:
        """Forgets the entries below `index`."""
        drop = bisect_right(self.starts, index) - 1
        del self.starts[:drop]
        del self.terms[:drop]
        self.starts[0] = index

    def last_at_most(self, index: int, term: int) -> int:
        """The last entry up to `index` whose term is at most `term`; just before the first start if there is none."""
        run = bisect_right(self.terms, term)
        return index if run == len(self.terms) else min(index, self.starts[run] - 1)
