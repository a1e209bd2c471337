"""Barriers of a world: named, for all of its nodes or for some, decided once.

    first arrival   the barrier is there, its time begins
    last arrival    PASSED
    time is over    TIMED_OUT, with the names of those that were not there
    canceled        CANCELED, with them, too
    the round ends  it is forgotten; whoever waits hears that the round is over

Who arrives at one that is decided is answered at once. An arrival writes one key, however many have arrived.
"""

from collections.abc import Iterable, Iterator, Sequence

from raftkv.errors import InvalidArgumentError, TooManyBarriersError
from raftkv.pb.rendezvous import BarrierRequest, BarrierResponse, BarrierState, JobTimer
from raftkv.rendezvous.job import Barrier, Job, encode
from raftkv.rendezvous.layout import arrived_key, barrier_key
from raftkv.rendezvous.ledger import Ledger
from raftkv.rendezvous.timers import Timer, Timers

MAX_OPEN = 1000
"""Barriers of a world that are not decided."""
MAX_DECIDED = 256
"""Decided ones that are remembered; of more the oldest is forgotten."""

MAX_SHOWN = 100
"""Missing nodes that are named to who only looks."""

Outcome = BarrierResponse.Outcome


def whisper_of(name: str) -> str:
    """Under which name those who wait at a barrier are told: no node has it, for it has a slash."""
    return f"/{name}"


class Barriers:
    """Moves barriers on."""

    def __init__(self, ledger: Ledger, timers: Timers, affected: dict[tuple[str, str], None]) -> None:
        self._ledger = ledger
        self._timers = timers
        self._affected = affected

    def arrive(self, job: Job, request: BarrierRequest) -> None:
        """A node of the world is there.

        Raises:
            InvalidArgumentError: it says otherwise than those before it who is waited for, or somebody who is not in the world.
            TooManyBarriersError: there are too many.
        """
        name, node = request.name, request.node
        nodes = tuple(sorted(set(request.nodes)))
        barrier = job.barriers.get(name) or self._begin(job, name, nodes, request)
        if barrier.nodes != nodes:
            raise InvalidArgumentError(f"raftkv: {node} waits at {name} for others than those who came before it")
        if barrier.outcome is not None or node in barrier.arrived:
            return
        barrier.arrived[node] = None
        if len(barrier.arrived) == len(_expected(job, barrier)):
            self._decide(job, name, barrier, Outcome.PASSED, "")
        else:
            self._ledger.put(arrived_key(job.name, name, node), encode({"token": job.token}))

    def _begin(self, job: Job, name: str, nodes: tuple[str, ...], request: BarrierRequest) -> Barrier:
        assert job.world is not None, "barriers belong to worlds"
        strangers = [node for node in nodes if node not in job.world.ranks]
        if strangers or (nodes and request.node not in nodes):
            raise InvalidArgumentError(f"raftkv: {name} waits for nodes of the world, and for {request.node} itself")
        if sum(barrier.outcome is None for barrier in job.barriers.values()) >= MAX_OPEN:
            raise TooManyBarriersError
        barrier = job.barriers[name] = Barrier(nodes, request.timeout_ms, self._ledger.revision)
        self._ledger.put(barrier_key(job.name, name), encode(barrier.row()))
        self.resume(job, name, barrier)
        return barrier

    def fail(self, job: Job, name: str, outcome: Outcome, reason: str) -> None:
        """It will not be passed, if it is not decided."""
        barrier = job.barriers.get(name)
        if barrier is not None and barrier.outcome is None:
            barrier.missing = [node for node in _expected(job, barrier) if node not in barrier.arrived]
            self._decide(job, name, barrier, outcome, reason)

    def _decide(self, job: Job, name: str, barrier: Barrier, outcome: Outcome, reason: str) -> None:
        self._drop_arrivals(job, name, barrier)
        self._timers.disarm(_timer(job, name, barrier))
        barrier.outcome, barrier.reason, barrier.decided = outcome, reason, self._ledger.revision
        self._ledger.put(barrier_key(job.name, name), encode(barrier.row()))
        self._affected[job.name, whisper_of(name)] = None
        del job.barriers[name]
        job.barriers[name] = barrier  # so that the decided ones stand in the order of their decisions
        decided = [name for name, barrier in job.barriers.items() if barrier.outcome is not None]
        for oldest in decided[:-MAX_DECIDED]:
            del job.barriers[oldest]
            self._ledger.delete(barrier_key(job.name, oldest))

    def clear(self, job: Job) -> None:
        """The world is no more."""
        for name, barrier in sorted(job.barriers.items()):
            self._drop_arrivals(job, name, barrier)
            self._timers.disarm(_timer(job, name, barrier))
            self._ledger.delete(barrier_key(job.name, name))
            self._affected[job.name, whisper_of(name)] = None
        job.barriers = {}

    def _drop_arrivals(self, job: Job, name: str, barrier: Barrier) -> None:
        if barrier.outcome is None:
            for node in sorted(barrier.arrived):
                self._ledger.delete(arrived_key(job.name, name, node))

    def resume(self, job: Job, name: str, barrier: Barrier) -> None:
        """Arms its time, if that runs."""
        if barrier.timeout_ms and barrier.outcome is None:
            self._timers.arm(_timer(job, name, barrier), barrier.timeout_ms)


def ranks_of(job: Job, nodes: Iterable[str]) -> list[int]:
    """Of nodes of the last world."""
    return [] if job.world is None else [job.world.ranks[node] for node in nodes if node in job.world.ranks]


def barrier_states(job: Job) -> Iterator[BarrierState]:
    """The barriers of the world, by name, as who looks at them sees them."""
    for name, barrier in sorted(job.barriers.items()):
        decided = barrier.outcome is not None
        missing = barrier.missing if decided else [node for node in _expected(job, barrier) if node not in barrier.arrived]
        shown = missing[:MAX_SHOWN]
        yield BarrierState(
            name=name,
            decided=decided,
            outcome=barrier.outcome or Outcome.PASSED,
            expected=len(_expected(job, barrier)),
            arrived=0 if decided else len(barrier.arrived),
            missing=shown,
            missing_ranks=ranks_of(job, shown),
            reason=barrier.reason,
        )


def _expected(job: Job, barrier: Barrier) -> Sequence[str]:
    if barrier.nodes:
        return barrier.nodes
    assert job.world is not None, "barriers belong to worlds"
    return job.world.nodes


def _timer(job: Job, name: str, barrier: Barrier) -> Timer:
    return Timer(job.name, JobTimer.BARRIER, name, barrier.number)
