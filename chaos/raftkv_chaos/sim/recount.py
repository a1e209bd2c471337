"""What a node knows of quotas, jobs and lighthouses, counted again from what it stands on, after each of its steps.

    quotas        used keys and bytes are those of the live keys under the prefix
    jobs          ranks without gap or double; one world for each token and round, for ever; who takes part lives, by a lease;
                  a stop that was agreed on stays where it is; what is closed stays closed; a checkpoint has all of its parts
    lighthouses   an id stands for one quorum; ids only grow
    one state     at the same applied index all nodes know the same, also those that began with a snapshot or their own disk

States that a node only passes through within a step are not seen: what clients were told is judged by its history.
"""

from typing import Any

from raftkv.apply.machine import StateMachine
from raftkv.mvcc.steps import finish
from raftkv.pb import rpc
from raftkv.pb.rendezvous import Phase
from raftkv.quotas import end_of
from raftkv.rendezvous import Job, barrier_states
from raftkv_chaos.sim.violation import ViolationError

Counts = tuple[int, int]
"""Bytes and keys."""


def counted(machine: StateMachine, prefix: bytes) -> Counts:
    """The bytes of the live keys under a prefix with their values, and how many they are."""
    end = end_of(prefix)
    request = rpc.RangeRequest(key=prefix or b"\0", range_end=b"\0" if end is None else end)
    found = finish(machine.store.range(request)).kvs
    return sum(len(each.key) + len(each.value) for each in found), len(found)


class Recount:
    """Remembers what was seen of each, and compares."""

    def __init__(self) -> None:
        self._states: dict[int, Any] = {}
        """By applied index."""
        self._worlds: dict[tuple[str, int], tuple[int, list[str]]] = {}
        """Job and token: round and nodes, by rank."""
        self._rounds: dict[tuple[str, int], int] = {}
        """Job and round: token."""
        self._stops: dict[tuple[str, int], int] = {}
        """Job and token: the step at which all stop."""
        self._barriers: dict[tuple[str, int, str], str] = {}
        """Job, token and name: what became of it."""
        self._closed: dict[str, tuple[int, Any]] = {}
        """By job: the index at which it was seen to be closed, and how."""
        self._quorums: dict[tuple[str, int], tuple[str, ...]] = {}
        """Job and id: the groups."""
        self._order: dict[tuple[str, int], tuple[int, int]] = {}
        """Job and id: the first and the last index at which it was seen."""

    def look(self, machine: StateMachine) -> None:
        """After a step in which a node has applied something. Raises ViolationError."""
        self._look_at_quotas(machine)
        for job in machine.rendezvous.jobs.values():
            self._look_at_job(job, machine)
        self._look_at_lighthouses(machine)
        index, state = machine.applied_index, _state(machine)
        known = self._states.setdefault(index, state)
        if known != state:
            differing = sorted(name for name in known | state if known.get(name) != state.get(name))
            text = "; ".join(f"{name}: {known.get(name)} and {state.get(name)}" for name in differing)
            raise ViolationError("one state", f"after entry {index} nodes differ in {text}")

    # --- quotas ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _look_at_quotas(machine: StateMachine) -> None:
        for prefix, usage in machine.quotas.usage.items():
            found = counted(machine, prefix)
            if found != (usage.bytes, usage.keys):
                text = f"under {prefix!r} are {found} bytes and keys, and {usage.bytes, usage.keys} are said to be"
                raise ViolationError("quota recount", text)

    # --- jobs ------------------------------------------------------------------------------------------------------

    def _look_at_job(self, job: Job, machine: StateMachine) -> None:
        index, end = machine.applied_index, (Phase.Name(job.phase), job.outcome, job.round)
        closed_at, closed = self._closed.get(job.name, (index, end))
        if closed_at < index and closed != end:
            raise ViolationError("job closed", f"{job.name} was closed with {closed}, and is {end}")
        if job.phase == Phase.CLOSED:
            self._closed[job.name] = min(closed_at, index), end
            return
        _look_at_members(job, machine)
        if job.world is not None:
            self._look_at_world(job)
        if job.token:
            self._look_at_agreements(job)
        for step, checkpoint in job.checkpoints.items():
            parts = len(list(machine.rendezvous.shards(job, step)))
            if parts != checkpoint.world_size:
                text = f"{job.name}: checkpoint {step} of a world of {checkpoint.world_size} has {parts} parts"
                raise ViolationError("job checkpoint", text)

    def _look_at_world(self, job: Job) -> None:
        world = job.world
        assert world is not None, "asked where there is one"
        nodes = list(world.nodes)
        if len(set(nodes)) != len(nodes) or [world.ranks.get(node) for node in nodes] != list(range(len(nodes))):
            raise ViolationError("job ranks", f"{job.name}: round {world.round} has {nodes} with ranks {dict(world.ranks)}")
        if not job.settings.min_nodes <= len(nodes) <= job.settings.max_nodes:
            text = f"{job.name}: a world of {len(nodes)} nodes, of {job.settings.min_nodes} to {job.settings.max_nodes}"
            raise ViolationError("job size", text)
        known = self._worlds.setdefault((job.name, world.token), (world.round, nodes))
        if known != (world.round, nodes):
            raise ViolationError("job world", f"{job.name}: token {world.token} is of {known} and of {world.round, nodes}")
        token = self._rounds.setdefault((job.name, world.round), world.token)
        if token != world.token:
            raise ViolationError("job world", f"{job.name}: round {world.round} was formed as {token} and as {world.token}")
        if world.round != job.round if job.phase == Phase.FORMED else world.round >= job.round:
            text = f"{job.name} is {Phase.Name(job.phase)} in round {job.round}, with the world of round {world.round}"
            raise ViolationError("job world", text)

    def _look_at_agreements(self, job: Job) -> None:
        if job.agreed:
            known = self._stops.setdefault((job.name, job.token), job.stop_step)
            if known != job.stop_step:
                text = f"{job.name}: round {job.round} stops after step {known}, and then after {job.stop_step}"
                raise ViolationError("job stop", text)
        for state in barrier_states(job):
            if state.decided:
                known_outcome = self._barriers.setdefault((job.name, job.token, state.name), str(state.outcome))
                if known_outcome != str(state.outcome):
                    text = f"{job.name}: {state.name} ended with {known_outcome}, and with {state.outcome}"
                    raise ViolationError("job barrier", text)

    # --- lighthouses -----------------------------------------------------------------------------------------------

    def _look_at_lighthouses(self, machine: StateMachine) -> None:
        index = machine.applied_index
        for job, formed in machine.lighthouses.jobs.items():
            name = (job, formed.quorum_id)
            groups = self._quorums.setdefault(name, formed.groups)
            if groups != formed.groups:
                text = f"{job}: {formed.quorum_id} stands for {groups} and for {formed.groups}"
                raise ViolationError("lighthouse id", text)
            first, last = self._order.get(name, (index, index))
            self._order[name] = min(first, index), max(last, index)
            before = self._order.get((job, formed.quorum_id - 1))
            if before is not None and before[1] > self._order[name][0]:
                text = f"{job}: {formed.quorum_id} was there at entry {self._order[name][0]}, and the one before at {before[1]}"
                raise ViolationError("lighthouse id", text)


def _look_at_members(job: Job, machine: StateMachine) -> None:
    """Who takes part lives, and nobody is at work who does not take part."""
    for node, member in job.members.items():
        if member.lease not in machine.lessor.leases:
            raise ViolationError("job members", f"{job.name}: {node} takes part, and its lease is over")
        if node in job.excluded:
            raise ViolationError("job members", f"{job.name}: {node} takes part, and is excluded")
    for node in () if job.world is None else job.world.nodes:
        if job.works(node) and (node not in job.members or node in job.ready):
            text = f"{job.name}: {node} is at work in round {job.round}, and takes no part"
            raise ViolationError("job members", text)
    strangers = (job.ready.keys() | job.awaited.keys()) - job.members.keys()
    if strangers or job.ready.keys() & job.awaited.keys():
        raise ViolationError("job members", f"{job.name}: {sorted(strangers)} are waited for, and take no part")


def _state(machine: StateMachine) -> dict[str, Any]:
    """What is replicated, as it is now, in an order of its own."""
    state: dict[str, Any] = {f"quota {prefix!r}": (use.bytes, use.keys) for prefix, use in machine.quotas.usage.items()}
    state["quotas"] = {name: str(quota) for name, quota in machine.quotas.quotas.items()}
    for name, job in machine.rendezvous.jobs.items():
        state.update((f"job {name} {part}", value) for part, value in _job_state(job).items())
    state["timers"] = sorted(machine.rendezvous.timers.running.items())
    state["lighthouses"] = list(machine.lighthouses.jobs.items())
    return state


def _job_state(job: Job) -> dict[str, Any]:
    return {
        "head": {**job.row(), "failures": dict(job.failures)},
        "world": None if job.world is None else job.world.row(),
        "members": {node: member.row() for node, member in job.members.items()},
        "ready": list(job.ready),
        "awaited": sorted(job.awaited),
        "returned": job.returned,
        "excluded": {node: exclusion.row() for node, exclusion in job.excluded.items()},
        "barriers": {name: barrier.row() for name, barrier in job.barriers.items()},
        "arrived": {name: sorted(barrier.arrived) for name, barrier in job.barriers.items() if barrier.outcome is None},
        "answers": (dict(job.acknowledged), {node: dict(by) for node, by in job.answering.items()}, sorted(job.succeeded)),
        "checkpoints": dict(job.checkpoints),
        "being written": {step: sorted(parts) for step, parts in job.being_written.items()},
    }
