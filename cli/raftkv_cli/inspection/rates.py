"""Two looks at a cluster, one after the other: how fast its counters grow."""

from raftkv_cli.inspection.facts import ClusterFacts, MemberFacts


class Rates:
    """The newest look, and the one before it."""

    def __init__(self, first: ClusterFacts) -> None:
        self.now = first
        self._before = first

    def see(self, cluster: ClusterFacts) -> None:
        """A newer look."""
        self._before, self.now = self.now, cluster

    def rate(self, member: MemberFacts, metric: str) -> float:
        """By how much a member's counter grew in a second; zero where it began anew."""
        seconds = self.now.now_s - self._before.now_s
        earlier = next((one for one in self._before.members if one.id == member.id and one.metrics is not None), None)
        if member.metrics is None or earlier is None or earlier.metrics is None or seconds <= 0:
            return 0.0
        return max(0.0, member.metrics.value(metric) - earlier.metrics.value(metric)) / seconds
