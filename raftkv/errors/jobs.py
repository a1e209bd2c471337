"""Training jobs: as the server answers, and as a client raises what it learns of its job."""

from collections.abc import Sequence

from raftkv.errors.root import Code, RaftKVError, RequestError


class JobNotFoundError(RequestError):
    """A job that nobody has joined yet, or that was removed."""

    code = Code.NOT_FOUND
    text = "raftkv: job not found"


class JobInUseError(RequestError):
    """A job that is to be removed, and is neither closed nor without nodes."""

    code = Code.FAILED_PRECONDITION
    text = "raftkv: nodes take part in the job: close it first"


class TooManyJobsError(RequestError):
    """There is no room for one more job; closed ones can be removed."""

    code = Code.RESOURCE_EXHAUSTED
    text = "raftkv: too many jobs"


class TooManyBarriersError(RequestError):
    """A world waits at too many barriers at the same time."""

    code = Code.RESOURCE_EXHAUSTED
    text = "raftkv: too many barriers"


class TooManyCheckpointsError(RequestError):
    """A world writes too many checkpoints at the same time."""

    code = Code.RESOURCE_EXHAUSTED
    text = "raftkv: too many checkpoints are being written"


class RoundOverError(RequestError):
    """What a node says is about a world that is over, or that it is not in."""

    code = Code.FAILED_PRECONDITION
    text = "raftkv: the round is over, or the node is not in its world"


class JobClosedError(RaftKVError):
    """The job is over, so there will be no more rounds."""

    def __init__(self, job: str, outcome: str, reason: str) -> None:
        super().__init__(f"job {job} is closed ({outcome.lower()})" + (f": {reason}" if reason else ""))
        self.job = job
        self.outcome = outcome
        """SUCCEEDED, FAILED or CANCELED."""
        self.reason = reason


class NodeExcludedError(RaftKVError):
    """The node is kept out of the job."""

    def __init__(self, job: str, node: str) -> None:
        super().__init__(f"node {node} is excluded from job {job}")
        self.job = job
        self.node = node


class NodeUnfitError(RaftKVError):
    """A node did not pass its own checks, so it has not joined."""

    def __init__(self, job: str, node: str, failures: list[str]) -> None:
        super().__init__(f"{node} is not fit for job {job}: {'; '.join(failures)}")
        self.job = job
        self.node = node
        self.failures = failures
        """What did not pass, a sentence each."""


class RendezvousTimeoutError(RaftKVError):
    """There was no world in time."""

    retryable = True

    def __init__(self, job: str, seconds: float) -> None:
        super().__init__(f"no round of job {job} was formed within {seconds:g} s")
        self.job = job


class BarrierFailedError(RaftKVError):
    """Not all came to a barrier."""

    def __init__(self, name: str, missing: list[str], reason: str, *, ranks: Sequence[int] = ()) -> None:
        who = [f"{node} (rank {rank})" for node, rank in zip(missing, ranks, strict=False)] or missing
        more = f" and {len(who) - 10} more" if len(who) > 10 else ""
        super().__init__(f"barrier {name} failed: {reason or 'canceled'}; missing: {', '.join(who[:10])}{more}")
        self.name = name
        self.missing = missing
        """The names of the nodes that were not there."""
        self.missing_ranks = list(ranks)
        """Theirs, in the same order."""
        self.reason = reason


class RevisionMismatchError(RaftKVError):
    """A value is not at the revision at which it was to be changed: somebody was faster."""

    def __init__(self, name: str, expected: int, actual: int) -> None:
        super().__init__(f"{name} is at revision {actual}, not {expected}")
        self.name = name
        self.expected = expected
        self.actual = actual
        """0: it is not there."""
