"""The course of jobs: what opens a round, forms its world, ends it. One method for each thing that can happen.

    a member goes      out of the world: the next round opens at once.  out of an open round: perhaps all are there now
    a member comes     to an open round: perhaps it can form.           beside a world: it waits, or is a spare
    an open round      forms when max_nodes are there, or all survivors are back (and there was at least one); else
                       min_nodes start the last call, at whose end it forms with those that are there

In an open round nobody who survived is passed over for a newcomer, as long as the last call lasts.
"""

from raftkv.pb.rendezvous import Hang, JobTimer, Outcome, Phase
from raftkv.rendezvous.barriers import Barriers
from raftkv.rendezvous.checkpoints import Checkpoints
from raftkv.rendezvous.job import Exclusion, Job, Member, encode, world_of
from raftkv.rendezvous.layout import (
    acknowledged_key,
    excluded_key,
    head_key,
    member_key,
    succeeded_key,
    world_key,
)
from raftkv.rendezvous.ledger import Ledger
from raftkv.rendezvous.ranks import assign, choose
from raftkv.rendezvous.timers import Timer, Timers

MAX_WORLDS = 16
"""Rounds whose worlds are kept."""


class Course:
    """Moves jobs on, and notes what is to be told."""

    def __init__(self, ledger: Ledger, timers: Timers, by_lease: dict[int, dict[tuple[str, str], None]]) -> None:
        """`by_lease`: which members hang on a lease."""
        self._ledger = ledger
        self._timers = timers
        self._by_lease = by_lease
        self.checkpoints = Checkpoints(ledger)
        self.moved: dict[str, Job] = {}
        """Jobs whose standing has changed for all of their nodes."""
        self.affected: dict[tuple[str, str], None] = {}
        """Nodes for which alone it has; of no name: those that watch for nobody in particular; also who waits at barriers."""
        self.barriers = Barriers(ledger, timers, self.affected)

    # --- members ---------------------------------------------------------------------------------------------------

    def enter(self, job: Job, member: Member) -> None:
        """A node takes part from now on, ready for the open round or beside the world."""
        node = member.node
        before = job.members.get(node)
        if before is not None:
            self._unhang(job, before)
        job.awaited.pop(node, None)
        job.members[node] = job.ready[node] = member
        job.returned += member.survivor
        self._hang(job, member)
        self._touch(job, node)
        if job.phase == Phase.GATHERING:
            self.consider(job)

    def drop(self, job: Job, node: str, why: str, *, failed: bool) -> None:
        """A node takes part no more. `failed`: that counts as a restart."""
        worked = job.works(node) and node not in job.ready
        self._forget(job, node)
        self._touch(job, node)
        if worked:
            self.open_round(job, f"{node} {why}", failed=failed)
        elif job.phase == Phase.GATHERING:
            self.consider(job)

    def _forget(self, job: Job, node: str) -> None:
        member = job.members.pop(node)
        if job.ready.pop(node, None) is not None:
            job.returned -= member.survivor
        job.awaited.pop(node, None)
        self._unhang(job, member)
        self._ledger.delete(member_key(job.name, node))

    def move(self, job: Job, member: Member, lease: int) -> None:
        """A member lives by another lease from now on."""
        self._unhang(job, member)
        member.lease = lease
        self._hang(job, member)

    def forget(self, job: Job) -> None:
        """The job is being removed."""
        for member in job.members.values():
            self._unhang(job, member)
        self._disarm_last_call(job)
        self._disarm_gather(job)
        self.barriers.clear(job)
        for node in job.excluded:
            self._timers.disarm(cool_down(job, node))

    def _hang(self, job: Job, member: Member) -> None:
        self._by_lease.setdefault(member.lease, {})[job.name, member.node] = None
        self._ledger.put(member_key(job.name, member.node), encode(member.row()), member.lease)

    def _unhang(self, job: Job, member: Member) -> None:
        held = self._by_lease[member.lease]
        del held[job.name, member.node]
        if not held:
            del self._by_lease[member.lease]

    def _touch(self, job: Job, node: str) -> None:
        self.affected[job.name, node] = None
        if job.phase == Phase.FORMED and len(job.ready) <= 1:
            self.moved[job.name] = job  # that somebody waits, or that nobody does, is news for the whole world

    # --- rounds ----------------------------------------------------------------------------------------------------

    def begin(self, job: Job) -> None:
        """A new job, with its first round open."""
        self._arm_gather(job)
        self.write(job)

    def consider(self, job: Job) -> None:
        """Forms the world of the open round if all are there; else sees to its last call."""
        count, settings = len(job.ready), job.settings
        if count < settings.min_nodes:
            if job.last_call:
                self._disarm_last_call(job)
                self.write(job)
        elif not job.awaited and (count >= settings.max_nodes or job.returned):
            self.form(job)
        elif not job.last_call:
            job.last_call = self._ledger.revision
            self._timers.arm(self._last_call(job), settings.last_call_ms)
            self.write(job)

    def form(self, job: Job) -> None:
        """Those that are ready become the world, as many as it takes."""
        ready = [member.candidate() for member in job.ready.values()]
        chosen = choose(ready, job.last, job.settings.max_nodes)
        ranked = assign(chosen, job.last, job.settings.rank_order)
        world = world_of(job, ranked, self._ledger.revision)
        for node in sorted(job.awaited):  # they had their time; who comes later is a newcomer
            self._forget(job, node)
        job.phase, job.world = Phase.FORMED, world
        job.master_data = job.members[world.nodes[0]].data
        job.step_at_forming = job.step
        job.reason = ""
        for node in world.nodes:
            member = job.ready.pop(node)
            job.returned -= member.survivor
        self._clear(job)
        self._disarm_last_call(job)
        self._disarm_gather(job)
        self._ledger.put(world_key(job.name, world.round), encode(world.row()))
        if world.round > MAX_WORLDS:
            self._ledger.delete(world_key(job.name, world.round - MAX_WORLDS))
        self.write(job)

    def open_round(self, job: Job, reason: str, *, failed: bool) -> None:
        """The world is no more. `failed`: what ended it counts for the limits."""
        assert job.phase == Phase.FORMED, "a round ended that was not formed"
        assert job.world is not None, "a formed round has a world"
        if failed and (stopped := self._count_failure(job)):
            self.close(job, Outcome.FAILED, f"{stopped}: {reason}")
            return
        for node in sorted(job.succeeded):  # who is done takes no further part
            if node in job.members and node not in job.ready:
                self._forget(job, node)
        there = [node for node in job.world.nodes if node in job.members and node not in job.ready]
        job.awaited = {node: job.members[node] for node in there}
        job.phase = Phase.GATHERING
        job.round += 1
        job.reason = reason
        self._end_world(job)
        self._arm_gather(job)
        self.write(job)
        self.consider(job)

    def _count_failure(self, job: Job) -> str:
        """Which limit is passed now, if one is."""
        settings = job.settings
        job.restarts += 1
        job.idle_rounds = 0 if job.step > job.step_at_forming else job.idle_rounds + 1
        if settings.max_restarts and job.restarts > settings.max_restarts:
            return f"more than {settings.max_restarts} restarts"
        if settings.max_rounds_without_progress and job.idle_rounds >= settings.max_rounds_without_progress:
            return f"no progress in {job.idle_rounds} rounds"
        return ""

    def close(self, job: Job, outcome: Outcome, reason: str) -> None:
        """Ends a job for good."""
        job.phase, job.outcome, job.reason = Phase.CLOSED, outcome, reason
        job.ready, job.awaited, job.returned = {}, {}, 0
        job.closed_at = self._ledger.revision
        self._end_world(job)
        self._disarm_last_call(job)
        self._disarm_gather(job)
        for node in sorted(job.excluded):
            self.readmit(job, node)
        self.write(job)

    # --- in a round ------------------------------------------------------------------------------------------------

    def succeed(self, job: Job, node: str) -> None:
        """A node is done. Where all have answered a notice its answer stays: the step at which they stop is told already."""
        agreed = job.agreed
        job.succeeded[node] = None
        self._ledger.put(succeeded_key(job.name, node), encode({"round": job.round, "token": job.token}))
        self.affected[job.name, node] = None
        if not agreed and (job.acknowledged.pop(node, None) is not None or job.answering.pop(node, None) is not None):
            self._ledger.delete(acknowledged_key(job.name, node))
        if len(job.succeeded) == job.world_size:
            self.close(job, Outcome.SUCCEEDED, "all nodes succeeded")
        elif job.agreed:
            self.write(job)

    def progress(self, job: Job, step: int) -> None:
        """A step was reached."""
        if step > job.step:
            job.step = step
            self._ledger.put(head_key(job.name), encode(job.row()))
            self.affected[job.name, ""] = None

    def exclude(self, job: Job, node: str, reason: str, cool_down_ms: int) -> None:
        """A node is kept out from now on."""
        if node in job.excluded:
            self.readmit(job, node)
        number = self._ledger.revision
        exclusion = Exclusion({"reason": reason, "cool_down_ms": cool_down_ms, "number": number})
        job.excluded[node] = exclusion
        self._ledger.put(excluded_key(job.name, node), encode(exclusion.row()))
        if cool_down_ms:
            self._timers.arm(cool_down(job, node), cool_down_ms)
        self.affected[job.name, node] = None
        if node in job.members:
            self.drop(job, node, f"is excluded: {reason}", failed=False)

    def readmit(self, job: Job, node: str) -> None:
        """It may join again."""
        self._timers.disarm(cool_down(job, node))
        del job.excluded[node]
        self._ledger.delete(excluded_key(job.name, node))
        self.affected[job.name, node] = None

    def preempt(self, job: Job, node: str, reason: str) -> None:
        """Notice is given; one that is given already stands."""
        if job.preemption is None:
            job.preemption = (node, reason)
            self.write(job)

    def acknowledge(self, job: Job, node: str, step: int, *, worker: int, workers: int) -> None:
        """A worker of a node has answered the notice; the node has when all of its workers have."""
        if node in job.acknowledged:
            return
        answers = job.answering.setdefault(node, {})
        answers.setdefault(worker, step)
        key = acknowledged_key(job.name, node)
        if len(answers) < workers:
            by_worker = {str(one): answers[one] for one in sorted(answers)}
            self._ledger.put(key, encode({"step": None, "answers": by_worker}))
            return
        del job.answering[node]
        step = job.acknowledged[node] = max(answers.values())
        self._ledger.put(key, encode({"step": step}))
        self.affected[job.name, ""] = None
        if job.agreed:
            self.write(job)

    def hang(self, job: Job, hang: Hang) -> None:
        """Workers hang, or, where there are none in `hang`, no more."""
        if hang.workers and job.settings.restart_hung:
            self.open_round(job, why_of(hang), failed=True)
        elif hang.workers:
            job.hang = hang
            self.write(job)
        elif job.hang is not None:
            job.hang = None
            self.write(job)

    # --- inside ----------------------------------------------------------------------------------------------------

    def write(self, job: Job) -> None:
        """The job's head has changed, so there is news for all of its nodes."""
        self._ledger.put(head_key(job.name), encode(job.row()))
        self.moved[job.name] = job

    def _clear(self, job: Job) -> None:
        """What held in the last world."""
        for node in sorted(job.succeeded):
            self._ledger.delete(succeeded_key(job.name, node))
        job.succeeded = {}
        self._drop_preemption(job)

    def _end_world(self, job: Job) -> None:
        """What belongs to a world goes with it."""
        job.hang = None
        self._drop_preemption(job)
        self.barriers.clear(job)
        self.checkpoints.clear(job)

    def _drop_preemption(self, job: Job) -> None:
        for node in sorted([*job.acknowledged, *job.answering]):
            self._ledger.delete(acknowledged_key(job.name, node))
        job.preemption, job.acknowledged, job.answering = None, {}, {}

    def _arm_gather(self, job: Job) -> None:
        if job.settings.gather_timeout_ms:
            job.gather = self._ledger.revision
            self._timers.arm(self._gather(job), job.settings.gather_timeout_ms)

    def _disarm_gather(self, job: Job) -> None:
        if job.gather:
            self._timers.disarm(self._gather(job))
            job.gather = 0

    def _disarm_last_call(self, job: Job) -> None:
        if job.last_call:
            self._timers.disarm(self._last_call(job))
            job.last_call = 0

    def resume(self, job: Job) -> None:
        """Arms what runs, of a job that was just read."""
        if job.last_call:
            self._timers.arm(self._last_call(job), job.settings.last_call_ms)
        if job.gather:
            self._timers.arm(self._gather(job), job.settings.gather_timeout_ms)
        for name, barrier in job.barriers.items():
            self.barriers.resume(job, name, barrier)
        for node, exclusion in job.excluded.items():
            if exclusion.cool_down_ms:
                self._timers.arm(cool_down(job, node), exclusion.cool_down_ms)

    @staticmethod
    def _last_call(job: Job) -> Timer:
        return Timer(job.name, JobTimer.LAST_CALL, "", job.last_call)

    @staticmethod
    def _gather(job: Job) -> Timer:
        return Timer(job.name, JobTimer.GATHER, "", job.gather)


def cool_down(job: Job, node: str) -> Timer:
    """Of a node that is excluded."""
    return Timer(job.name, JobTimer.COOL_DOWN, node, job.excluded[node].number)


def why_of(hang: Hang) -> str:
    """A hang as the reason for which a round ended."""
    who = ", ".join(hang.nodes) if not hang.whole_job else f"all workers, {hang.nodes[0]} behind,"
    return f"{who} did not move on from step {hang.step} for {hang.still_ms / 1000:g} s"
