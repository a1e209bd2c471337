"""The blocking twins of a job and of its nodes."""

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from raftkv.client.blocking_iteration import blocking_iterator
from raftkv.client.blocking_worker import BlockingJobConfig, BlockingWorker
from raftkv.client.loop_thread import loop_thread
from raftkv.client.rendezvous import CHECK_COOL_DOWN_S, DEFAULT_TTL_S, Participant, Rendezvous, Round
from raftkv.pb import rendezvous as pb
from raftkv.preflight import Finding


class BlockingParticipant:
    """As `Participant`, for `with`; any thread may call, several at once too."""

    def __init__(self, participant: Participant) -> None:
        """For `BlockingRendezvous.participant`."""
        self._participant = participant

    def open(self) -> None:
        """As Participant.open."""
        loop_thread().run(self._participant.open())

    def close(self, reason: str = "") -> None:
        """As Participant.close."""
        loop_thread().run(self._participant.close(reason))

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def node(self) -> str:
        """As Participant.node."""
        return self._participant.node

    @property
    def round(self) -> Round | None:
        """As Participant.round."""
        return self._participant.round

    @property
    def standing(self) -> pb.Standing | None:
        """As Participant.standing."""
        return self._participant.standing

    def next_round(self, *, timeout: float | None = None) -> Round:
        """As Participant.next_round."""
        return loop_thread().run(self._participant.next_round(timeout=timeout))

    def round_over(self) -> str:
        """As Participant.round_over."""
        return loop_thread().run(self._participant.round_over())

    def progress(self, step: int) -> None:
        """As Participant.progress."""
        loop_thread().run(self._participant.progress(step))

    def succeed(self) -> None:
        """As Participant.succeed."""
        loop_thread().run(self._participant.succeed())

    def fail(self, reason: str = "", *, fatal: bool = False) -> None:
        """As Participant.fail."""
        loop_thread().run(self._participant.fail(reason, fatal=fatal))

    def preempt(self, reason: str = "") -> None:
        """As Participant.preempt."""
        loop_thread().run(self._participant.preempt(reason))

    def acknowledge_preemption(self, step: int) -> int:
        """As Participant.acknowledge_preemption."""
        return loop_thread().run(self._participant.acknowledge_preemption(step))

    def barrier(self, name: str, *, nodes: Sequence[str] = (), timeout: float | None = None) -> None:
        """As Participant.barrier."""
        loop_thread().run(self._participant.barrier(name, nodes=nodes, timeout=timeout))

    def announce(self, step: int, location: str, data: str = "") -> None:
        """As Participant.announce."""
        loop_thread().run(self._participant.announce(step, location, data))

    def worker(self) -> BlockingWorker:
        """As Participant.worker."""
        return BlockingWorker(self._participant.worker())

    def leave(self, reason: str = "") -> None:
        """As Participant.leave."""
        loop_thread().run(self._participant.leave(reason))

    def until(self, condition: Callable[[pb.Standing], bool]) -> pb.Standing:
        """As Participant.until. The condition is asked on the client's thread: it must not wait, nor call the client."""
        return loop_thread().run(self._participant.until(condition))

    def observe(self, observer: Callable[[pb.Standing], None]) -> Callable[[], None]:
        """As Participant.observe. It is called on the client's thread, so it must not wait, nor call the client."""
        return self._participant.observe(observer)


class BlockingRendezvous:
    """As `Rendezvous`."""

    def __init__(self, rendezvous: Rendezvous) -> None:
        """For `BlockingClient.rendezvous`."""
        self._rendezvous = rendezvous
        self.config = BlockingJobConfig(rendezvous.config)
        """As Rendezvous.config."""

    @property
    def job(self) -> str:
        """As Rendezvous.job."""
        return self._rendezvous.job

    def look(self, node: str = "") -> pb.Standing:
        """As Rendezvous.look."""
        return loop_thread().run(self._rendezvous.look(node))

    def watch(self, node: str = "") -> Iterator[pb.Standing]:
        """As Rendezvous.watch."""
        return blocking_iterator(self._rendezvous.watch(node))

    def world(self, round_number: int = 0) -> pb.WorldResponse:
        """As Rendezvous.world."""
        return loop_thread().run(self._rendezvous.world(round_number))

    def close(self, reason: str = "", *, outcome: "pb.Outcome" = pb.CANCELED) -> pb.Standing:
        """As Rendezvous.close."""
        return loop_thread().run(self._rendezvous.close(reason, outcome=outcome))

    def remove(self) -> None:
        """As Rendezvous.remove."""
        loop_thread().run(self._rendezvous.remove())

    def exclude(self, node: str, reason: str = "", *, cool_down: float = 0.0) -> pb.Standing:
        """As Rendezvous.exclude."""
        return loop_thread().run(self._rendezvous.exclude(node, reason, cool_down=cool_down))

    def readmit(self, node: str) -> pb.Standing:
        """As Rendezvous.readmit."""
        return loop_thread().run(self._rendezvous.readmit(node))

    def preempt(self, reason: str = "", *, node: str = "") -> pb.Standing:
        """As Rendezvous.preempt."""
        return loop_thread().run(self._rendezvous.preempt(reason, node=node))

    def barrier(self, name: str, *, node: str, nodes: Sequence[str] = (), timeout: float | None = None) -> None:
        """As Rendezvous.barrier."""
        loop_thread().run(self._rendezvous.barrier(name, node=node, nodes=nodes, timeout=timeout))

    def cancel_barrier(self, name: str, reason: str = "") -> None:
        """As Rendezvous.cancel_barrier."""
        loop_thread().run(self._rendezvous.cancel_barrier(name, reason))

    def barriers(self) -> Sequence[pb.BarrierState]:
        """As Rendezvous.barriers."""
        return loop_thread().run(self._rendezvous.barriers())

    def steps(self, *, limit: int = 0) -> pb.JobSteps:
        """As Rendezvous.steps."""
        return loop_thread().run(self._rendezvous.steps(limit=limit))

    def watch_steps(self, *, interval: float = 1.0, limit: int = 0) -> Iterator[pb.JobSteps]:
        """As Rendezvous.watch_steps."""
        return blocking_iterator(self._rendezvous.watch_steps(interval=interval, limit=limit))

    def checkpoints(self, *, shards: bool = False) -> Sequence[pb.Checkpoint]:
        """As Rendezvous.checkpoints."""
        return loop_thread().run(self._rendezvous.checkpoints(shards=shards))

    def latest(self) -> pb.Checkpoint | None:
        """As Rendezvous.latest."""
        return loop_thread().run(self._rendezvous.latest())

    def participant(
        self,
        node: str,
        settings: pb.JobSettings,
        *,
        address: str = "",
        data: str = "",
        segments: Sequence[str] = (),
        slot: int = 0,
        ttl: int = DEFAULT_TTL_S,
        checks: str = "",
        check_cool_down: float = CHECK_COOL_DOWN_S,
    ) -> BlockingParticipant:
        """As Rendezvous.participant, for `with`."""
        return BlockingParticipant(
            self._rendezvous.participant(
                node,
                settings,
                address=address,
                data=data,
                segments=segments,
                slot=slot,
                ttl=ttl,
                checks=checks,
                check_cool_down=check_cool_down,
            )
        )

    def check(self, checks: str, *, node: str = "") -> list[Finding]:
        """As Rendezvous.check."""
        return loop_thread().run(self._rendezvous.check(checks, node=node))

    def require_fit(self, node: str, checks: str, cool_down: float = CHECK_COOL_DOWN_S) -> list[Finding]:
        """As Rendezvous.require_fit."""
        return loop_thread().run(self._rendezvous.require_fit(node, checks, cool_down))
