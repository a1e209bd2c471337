"""What all watch streams of a node may leave uncollected together.

    within ---more was told than there is room for, and counting confirms it---> exceeded ---counted again: it is less---> within

Each stream has a bound of its own, but ten thousand of them, with a response more each, would still be too much. To look at all
of them whenever one is told something would cost more than the telling. So what was told since they were counted is taken to be
uncollected, and they are counted again only when that could be too much: under a load that is collected, a few times a second.
"""

from operator import itemgetter

from raftkv.watch.consumer import Consumer

MAX_UNCOLLECTED_BYTES = 256 * 1024 * 1024
"""Of all streams; beyond it nobody is told more who has something left to collect, and the others when there is room."""
_FREED = 8
_PART = 16
"""At least this part of the bound is told between two counts, so it may be exceeded by as much."""


class Budget:
    """Counts what is not collected. Streams are in it from what they are told on until they have collected it, or are closed."""

    def __init__(self, limit: int = MAX_UNCOLLECTED_BYTES) -> None:
        self._limit = limit
        self._owing: dict[Consumer, None] = {}
        self._told = 0
        """Bytes since the last count."""
        self._room = limit
        """Bytes that may be told before the next one."""
        self.uncollected = 0
        """At the last count."""
        self.exceeded = False

    def told(self, consumer: Consumer, size: int) -> None:
        """A stream was told so many bytes."""
        self._owing[consumer] = None
        self._told += size
        if self._told > self._room:
            self.count()

    def count(self) -> None:
        """Looks at everybody."""
        backlogs = {consumer: consumer.sink.backlog for consumer in self._owing}
        self._owing = {consumer: None for consumer, backlog in backlogs.items() if backlog}
        self.uncollected = sum(backlogs.values())
        self.exceeded = self.uncollected > self._limit
        self._told = 0
        self._room = max(self._limit - self.uncollected, self._limit // _PART)

    def largest(self) -> list[Consumer]:
        """Those who have left the most uncollected, as many as must go for an eighth of the bound to be free again."""
        backlogs = sorted(((consumer.sink.backlog, consumer) for consumer in self._owing), key=itemgetter(0), reverse=True)
        excess = sum(backlog for backlog, _ in backlogs) - self._limit + self._limit // _FREED
        chosen: list[Consumer] = []
        for backlog, consumer in backlogs:
            if excess <= 0:
                break
            excess -= backlog
            chosen.append(consumer)
        return chosen

    def forget(self, consumer: Consumer) -> None:
        """The stream is over, and with it what was left."""
        self._owing.pop(consumer, None)
