"""A cluster of simulated machines, its operator, and what it takes to keep its faults within what can be survived.

The operator does what people and supervisors do: starts again what has ended, replaces what lost its disk, adds, promotes and
removes members. A node whose disk lost what it promised to keep never comes back; of such nodes there is never more than a
minority of the voters, for more could not be survived by any system.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from raftkv.apply.command import CHANGE_MEMBER, body
from raftkv.errors import RemovedMemberError, RequestError, StorageError
from raftkv.pb.command import ChangeMember
from raftkv.pb.rpc import Member
from raftkv.raft.messages import Message
from raftkv.server.bootstrap import found_cluster, join_cluster
from raftkv.storage.identity import Identity
from raftkv_chaos.sim.invariants import Invariants
from raftkv_chaos.sim.knobs import Setup
from raftkv_chaos.sim.network import SimNetwork
from raftkv_chaos.sim.node import CLUSTER_ID, Life, Machine, Surroundings
from raftkv_chaos.sim.recount import Recount
from raftkv_chaos.sim.violation import ViolationError

RESTART_S = 0.5
"""A supervisor starts again what ended by itself."""
OPERATION_S = 8.0
"""How long an operator tries to change the members."""
MAX_MACHINES = 9


class Cluster:
    """All machines of a run."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, setup: Setup, dice: random.Random, found: Callable[[ViolationError], None]
    ) -> None:
        """`found` gets what breaks an invariant, or breaks a node."""
        self._loop = loop
        self._setup = setup
        self._dice = dice
        self._found = found
        self.invariants = Invariants(Recount() if setup.crew is not None else None)
        self.network = SimNetwork(loop, random.Random(dice.getrandbits(64)))
        self.around = Surroundings(
            loop,
            self.network,
            stepped=self._stepped,
            sending=self._sending,
            ended=self._ended,
            reached=self._reached,
            training=setup.crew is not None,
        )
        self.machines: dict[int, Machine] = {}
        """By number."""
        self._members: dict[int, Machine] = {}
        """By member id."""
        self._doomed: set[int] = set()
        """Numbers of machines whose disk rots."""
        self.armed: list[tuple[int, str, Callable[[int], None]]] = []
        """(number or 0 for any, point, what is to happen there)"""
        self.faulty_disks: set[int] = set()
        """Numbers of machines whose disk was made to fail: they may end by it."""
        self.struck: Counter[str] = Counter()
        """What really happened, and how often: a fault that is drawn may find nothing to befall."""
        self.recovery_s = 0.0
        """What the slowest recovery took, once faults had ended."""
        self._tasks: set[asyncio.Task[None]] = set()
        members = [_member(number) for number in range(1, setup.nodes + 1)]
        for number in range(1, setup.nodes + 1):
            machine = self._machine(number)
            found_cluster(machine.engine, Identity(CLUSTER_ID, number, f"n{number}"), members)
            machine.engine = machine.engine.successor()
        for number in list(self.machines):
            self.start(number)

    def _machine(self, number: int) -> Machine:
        machine = Machine(number, number, self._setup.knobs, random.Random(self._dice.getrandbits(64)))
        self.machines[number] = machine
        self._members[machine.member_id] = machine
        self.network.numbers[machine.member_id] = number
        return machine

    # --- what nodes do -----------------------------------------------------------------------------------------------

    def _stepped(self, life: Life) -> None:
        try:
            self.invariants.check(self._members[life.member_id], self._members, self._loop.time())
        except ViolationError as error:
            self._found(error)

    def _sending(self, message: Message, life: Life) -> None:
        try:
            self.invariants.sent(message, self._members[life.member_id])
        except ViolationError as error:
            self._found(error)

    def _reached(self, life: Life, point: str) -> None:
        if not point:  # a write that is torn by the loss of power
            self.struck["torn"] += 1
            self.end(life.number, power=True)
            self.later(RESTART_S, self.start, life.number)
            return
        for armed in self.armed:
            number, wanted, action = armed
            if wanted == point and (number in {0, life.number}):
                self.armed.remove(armed)
                self.struck[point] += 1
                action(life.number)
                return

    def _ended(self, life: Life, error: BaseException) -> None:
        """A node ends by itself."""
        machine = self.machines[life.number]
        if machine.life is not life:
            return
        if isinstance(error, RemovedMemberError):
            if life.member_id not in life.machine.removed and not self._was_removed(life.member_id):
                self._found(ViolationError("node failed", f"node {life.number} was told that it was removed, and was not"))
            machine.retired = True
            self.end(life.number, power=False)
            return
        if not isinstance(error, StorageError) or life.number not in self.faulty_disks:
            self._found(ViolationError("node failed", f"node {life.number}: {type(error).__name__}: {error}"))
            return
        self.struck["disk failed"] += 1
        self.end(life.number, power=True)
        self.later(RESTART_S, self.start, life.number)

    def _was_removed(self, member_id: int) -> bool:
        lives = (machine.life for machine in self.machines.values())
        return any(member_id in life.machine.removed for life in lives if life is not None)

    # --- starting and ending -----------------------------------------------------------------------------------------

    def later(self, after_s: float, action: Callable[..., object], *args: object) -> None:
        """Does something in a while."""
        self._loop.call_later(after_s, action, *args)

    def start(self, number: int) -> None:
        """Starts a machine, if it is down and of any use."""
        machine = self.machines[number]
        if machine.up or machine.retired or machine.damaged:
            return
        try:
            machine.start(self.around)
        except StorageError as error:
            machine.life = None
            if number not in self.faulty_disks:
                self._found(ViolationError("node failed", f"node {number} cannot start: {error}"))
            elif machine.engine.full:
                self.later(RESTART_S, self.start, number)
            else:
                machine.damaged = True
                self.struck["disk lost"] += 1

    def end(self, number: int, *, power: bool, gently: bool = False) -> None:
        """Ends a machine's life."""
        machine = self.machines[number]
        if machine.up:
            machine.end(self.network, power=power, gently=gently)

    def is_doomed(self, number: int) -> bool:
        """Whether the disk of this machine rots."""
        return number in self._doomed

    def now(self) -> float:
        """Virtual time."""
        return self._loop.time()

    # --- facts -------------------------------------------------------------------------------------------------------

    def up(self) -> list[Machine]:
        """The machines that run."""
        return [machine for machine in self.machines.values() if machine.up]

    def reachable(self) -> list[Machine]:
        """Where clients may try: all that were not removed."""
        return [machine for machine in self.machines.values() if not machine.retired] or list(self.machines.values())

    def leader(self) -> Machine | None:
        """Who leads the latest term."""
        leading = [machine for machine in self.up() if machine.life is not None and machine.life.replica.is_leader]
        return max(leading, key=lambda machine: machine.life.replica.term if machine.life else 0, default=None)

    def resolve(self, node: int) -> int:
        """A node of a fault as a number: the leader's for LEADER, or somebody's where nobody leads."""
        if node in self.machines:
            return node
        leader = self.leader()
        return leader.number if leader is not None else min(self.machines)

    def memberships(self) -> list[tuple[int, ...]]:
        """The voters, as each node that runs believes."""
        lives = [machine.life for machine in self.up()]
        return sorted({life.raft.membership.voters for life in lives if life is not None and life.raft.membership.voters})

    def changing(self) -> bool:
        """Whether a node that runs knows of a change of the members that is not settled."""
        lives = [machine.life for machine in self.up()]
        return any(life.replica._changes.waiting or life.raft.status().pending_membership for life in lives if life is not None)

    def may_damage(self, number: int) -> bool:
        """Whether this machine's disk may be lost for good: a majority of the voters keeps theirs."""
        damaged = {machine.member_id for machine in self.machines.values() if machine.damaged or machine.number in self._doomed}
        damaged.add(self.machines[number].member_id)
        return all(len(damaged.intersection(voters)) * 2 < len(voters) for voters in self.memberships() or [()])

    def damage(self, number: int, decay: Callable[[Machine], bool]) -> None:
        """Lets a disk rot, if the cluster can survive it."""
        if self.machines[number].retired or self._tasks or self.changing() or not self.may_damage(number):
            return
        if decay(self.machines[number]):
            self._doomed.add(number)
            self.faulty_disks.add(number)

    # --- the operator --------------------------------------------------------------------------------------------------

    def operate(self, action: str, number: int) -> None:
        """Begins to change the members."""
        task = self._loop.create_task(self._operate(action, number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def transfer(self, lot: int) -> None:
        """The leader hands over to another voter, by lot."""
        leader = self.leader()
        if leader is None or leader.life is None:
            return
        raft = leader.life.raft
        others = [voter for voter in raft.membership.voters if voter != leader.member_id]
        if others and raft.leader == leader.member_id:
            raft.transfer_leadership(others[lot % len(others)])
            leader.life.replica.wake()

    async def _operate(self, action: str, number: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(OPERATION_S):
                if action in {"remove", "replace"}:
                    await self._remove(number, replace=action == "replace")
                elif action == "promote":
                    learners = [m.number for m in self.machines.values() if self._is_learner(m.member_id)]
                    for learner in learners[:1]:
                        await self._change(ChangeMember.PROMOTE, Member(ID=self.machines[learner].member_id))
                else:
                    await self._add(learner=action == "add-learner")

    async def _remove(self, number: int, *, replace: bool) -> None:
        machine = self.machines[number]
        if self._doomed and number not in self._doomed:
            return  # of those who are left too many might have lost their disks
        gone = ChangeMember.REMOVE, Member(ID=machine.member_id)
        if replace and machine.up:
            await self._add(learner=False)
            await self._change(*gone)
        elif replace:  # nobody is added to a cluster in which somebody is missing
            await self._change(*gone)
            await self._add(learner=False)
        elif all(len(each) > 2 for each in self.memberships()):
            await self._change(*gone)

    async def _add(self, *, learner: bool) -> None:
        if len(self.machines) >= MAX_MACHINES:
            return
        number = max(self.machines) + 1
        member = _member(number)
        member.name = ""
        member.isLearner = learner
        machine = self._machine(number)
        join_cluster(machine.engine, Identity(CLUSTER_ID, number, f"n{number}"), [*self.known_members(), member])
        machine.engine = machine.engine.successor()
        try:
            await self._change(ChangeMember.ADD, member)
        finally:
            self.start(number)  # whether it was added may not be known, and who waits to be told of it costs nothing

    def known_members(self) -> list[Member]:
        """The members as the node sees them that is furthest along."""
        lives = [machine.life for machine in self.up() if machine.life is not None]
        furthest = max(lives, key=lambda life: life.machine.applied_index, default=None)
        return list(furthest.replica.members.values()) if furthest is not None else []

    def _is_learner(self, member_id: int) -> bool:
        return any(member_id == member.ID and member.isLearner for member in self.known_members())

    async def _change(self, action: "ChangeMember.Action", member: Member) -> bool:
        """Asks until somebody answers. Asking twice is harmless: what was done is refused the second time."""
        request = body(CHANGE_MEMBER, ChangeMember(action=action, member=member).SerializeToString())
        while True:
            await asyncio.sleep(self._dice.uniform(0.05, 0.3))
            machine = self.leader() or (self._dice.choice(self.up()) if self.up() else None)
            if machine is None or machine.life is None or machine.life.time.held is not None:
                continue
            try:
                async with asyncio.timeout(2.0):
                    await machine.life.replica.propose_change(request)
            except TimeoutError:
                continue
            except RequestError as error:
                if "exist" in str(error) or "not found" in str(error).lower():
                    return True
                if not error.retryable:
                    return False
            else:
                self.struck[f"member {ChangeMember.Action.Name(action).lower()}"] += 1
                return True

    def stop_operating(self) -> None:
        """The operator goes home."""
        for task in list(self._tasks):
            task.cancel()


def _member(number: int) -> Member:
    return Member(ID=number, name=f"n{number}", peerURLs=[f"http://n{number}:2380"])
