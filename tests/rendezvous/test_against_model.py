"""Random lives of a job against a model that recomputes everything from lists, and against a machine that starts from its tables."""

from dataclasses import dataclass, field

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from raftkv.pb import rendezvous as pb
from tests.apply.commands import Machine
from tests.rendezvous.jobs import JOB, Jobs, settings

NODES = st.sampled_from(["a", "b", "c", "d", "e", "f"])
LOW, HIGH, MAX_RESTARTS = 2, 3, 6


@dataclass
class Model:
    """A job without leases, keys and timers: who is where."""

    phase: str = "NO_JOB"
    round: int = 1
    world: list[str] = field(default_factory=list)
    """By rank, the last."""
    at_work: set[str] = field(default_factory=set)
    """In the world, alive."""
    ready: list[str] = field(default_factory=list)
    awaited: set[str] = field(default_factory=set)
    returned: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    restarts: int = 0
    calling: bool = False

    def members(self) -> set[str]:
        return self.at_work | set(self.ready) | self.awaited

    def join(self, node: str, *, again: bool) -> None:
        """`again`: with the token of the world that is at work."""
        if self.phase == "NO_JOB":
            self.phase = "GATHERING"
        if self.phase == "CLOSED" or node in self.ready:
            return
        if node in self.at_work:
            if not again or node in self.done:
                return
            self.open(failed=False)
        if node in self.awaited:
            self.returned.add(node)
            self.awaited.discard(node)
        if self.phase != "CLOSED":
            self.ready.append(node)
        self.consider()

    def go(self, node: str, *, failed: bool) -> None:
        worked = self.phase == "FORMED" and node in self.at_work and node not in self.done
        self.at_work.discard(node)
        self.awaited.discard(node)
        self.returned.discard(node)
        self.ready = [other for other in self.ready if other != node]
        if worked:
            self.open(failed=failed)
        self.consider()

    def open(self, *, failed: bool) -> None:
        self.restarts += failed
        if self.restarts > MAX_RESTARTS:
            self.close()
            return
        self.phase, self.round = "GATHERING", self.round + 1
        self.awaited = self.at_work - self.done
        self.at_work = set()
        self.returned = set()
        self.consider()

    def close(self) -> None:
        self.phase = "CLOSED"
        self.ready, self.awaited, self.calling = [], set(), False

    def consider(self) -> None:
        if self.phase != "GATHERING":
            return
        enough = len(self.ready) >= LOW
        if enough and not self.awaited and (len(self.ready) >= HIGH or self.returned):
            self.form()
        else:
            self.calling = enough

    def form(self) -> None:
        by_rank = [node for node in self.world if node in self.returned]
        chosen = (by_rank + [node for node in self.ready if node not in self.returned])[:HIGH]
        size = len(chosen)
        kept = {node: self.world.index(node) for node in chosen if node in self.world and self.world.index(node) < size}
        moved = [node for node in self.world if node in chosen and node not in kept]
        new = [node for node in self.ready if node in chosen and node not in self.world]
        holes = [rank for rank in range(size) if rank not in kept.values()]
        kept.update(zip([*moved, *new], holes, strict=True))
        self.world = sorted(chosen, key=kept.__getitem__)
        self.at_work, self.done = set(chosen), set()
        self.ready = [node for node in self.ready if node not in chosen]
        self.awaited, self.returned, self.phase, self.calling = set(), set(), "FORMED", False


class Lives(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.jobs = Jobs(settings(LOW, HIGH, max_restarts=MAX_RESTARTS))
        self.model = Model()

    @rule(node=NODES, again=st.booleans())
    def join(self, node: str, again: bool) -> None:  # noqa: FBT001 - hypothesis calls it
        self.model.join(node, again=again and self.model.phase == "FORMED")
        self.jobs.join(node, after=self.jobs.look().token if again else 0)

    @rule(data=st.data())
    @precondition(lambda self: self.model.phase == "FORMED" and self.model.at_work)
    def all_come_back(self, data: st.DataObject) -> None:
        token = self.jobs.look().token
        for node in data.draw(st.permutations(sorted(self.model.at_work))):
            self.model.join(node, again=self.model.phase == "FORMED" and self.jobs.look().token == token)
            self.jobs.join(node, after=token)

    @rule(node=NODES, dies=st.booleans())
    def go(self, node: str, dies: bool) -> None:  # noqa: FBT001 - hypothesis calls it
        if self.model.phase == "NO_JOB" or node not in self.jobs.leases:
            return
        if self.model.phase != "CLOSED":
            self.model.go(node, failed=dies)
        if dies:
            self.jobs.die(node)
        else:
            self.jobs.leave(node)

    @rule(node=NODES, kind=st.sampled_from(["SUCCESS", "FAILURE"]))
    def report(self, node: str, kind: str) -> None:
        model = self.model
        if model.phase != "FORMED" or node not in model.at_work - model.done:
            return
        self.jobs.report(node, kind)
        if kind == "FAILURE":
            model.open(failed=True)
            return
        model.done.add(node)
        if len(model.done) == len(model.world):
            model.close()

    @rule()
    @precondition(lambda self: self.model.calling)
    def last_call_is_over(self) -> None:
        self.jobs.ring("LAST_CALL")
        self.model.form()

    @rule()
    def restart(self) -> None:
        """Goes on with a machine that knows what is in its tables, and no more."""
        other = self.jobs.restarted()
        assert other.keys() == self.jobs.keys()
        assert other.rendezvous.timers.running == self.jobs.rendezvous.timers.running
        self.jobs = other

    def teardown(self) -> None:
        """Replicas that never started anew have the same rows, in the same order of changes."""
        steady = Machine()
        for entry in self.jobs.log.fed:
            steady.apply_entry(entry)
        assert steady.rows() == self.jobs.log.rows()

    @rule(node=NODES, name=st.sampled_from(["x", "y"]))
    def arrive(self, node: str, name: str) -> None:
        if self.model.phase == "FORMED" and node in self.model.world:
            token = self.jobs.look().token
            self.jobs.change(barrier=pb.BarrierRequest(job=JOB, node=node, token=token, name=name))

    @rule(node=NODES, step=st.sampled_from([10, 20]))
    def announce(self, node: str, step: int) -> None:
        if self.model.phase == "FORMED" and node in self.model.world:
            token = self.jobs.look().token
            self.jobs.change(announce=pb.AnnounceRequest(job=JOB, node=node, token=token, step=step))

    @rule(node=NODES)
    def acknowledge(self, node: str) -> None:
        if self.model.phase == "FORMED" and node in self.model.at_work - self.model.done:
            token = self.jobs.look().token
            self.jobs.change(preempt=pb.PreemptRequest(job=JOB))
            request = pb.AcknowledgePreemptionRequest(job=JOB, node=node, token=token, step=5)
            self.jobs.change(acknowledge_preemption=request)

    @invariant()
    def same(self) -> None:
        model, job = self.model, self.jobs.rendezvous.jobs.get(JOB)
        assert self.jobs.phase() == model.phase
        if job is None or model.phase == "CLOSED":
            return
        assert (job.round, job.restarts, list(job.ready)) == (model.round, model.restarts, model.ready)
        assert set(job.awaited) == model.awaited
        assert bool(job.last_call) == model.calling
        if model.phase == "FORMED":
            assert self.jobs.world() == model.world
            ranks = {node: self.jobs.look(node).rank for node in model.at_work}
            assert all(model.world[rank] == node for node, rank in ranks.items())

    @invariant()
    def kept_as_keys(self) -> None:
        keys = self.jobs.keys()
        job = self.jobs.rendezvous.jobs.get(JOB)
        if job is not None:
            assert {key.split("/")[1] for key in keys if key.startswith("members/")} == set(job.members)
            assert keys["job"] == job.row()
            assert pb.Phase.Value(keys["job"]["phase"]) == job.phase


TestLives = Lives.TestCase
TestLives.settings = hypothesis_settings(max_examples=100, stateful_step_count=40, deadline=None)
