"""A state machine and the life of jobs on it, in few words."""

import json
from typing import Any

from raftkv.apply import Outcome
from raftkv.mvcc import finish
from raftkv.pb import rendezvous as pb
from raftkv.pb import rpc
from raftkv.pb.command import ExpireLeases
from raftkv.raft.messages import Entry
from raftkv.storage.memory import MemoryEngine
from tests.apply.commands import Machine

JOB = "job"


def settings(low: int = 2, high: int = 4, **more: Any) -> pb.JobSettings:
    return pb.JobSettings(min_nodes=low, max_nodes=high, **{"last_call_ms": 1000, **more})


class Recorder(Machine):
    """Remembers what it was fed."""

    def __init__(self, engine: MemoryEngine | None = None) -> None:
        super().__init__(engine)
        self.fed: list[Entry] = []

    def apply_entry(self, entry: Entry) -> Outcome:
        self.fed.append(entry)
        return super().apply_entry(entry)


class Jobs:
    """Applies one entry for each thing that happens to the job JOB."""

    def __init__(self, chosen: pb.JobSettings | None = None, engine: MemoryEngine | None = None) -> None:
        self.settings = settings() if chosen is None else chosen
        self.log = Recorder(engine)
        self.leases: dict[str, int] = {}

    @property
    def rendezvous(self) -> Any:
        return self.log.machine.rendezvous

    def restarted(self) -> "Jobs":
        """The same on a machine that has read everything from its tables."""
        self.log.write()
        other = Jobs(self.settings, self.log.engine)
        other.leases = dict(self.leases)
        other.log.fed = self.log.fed
        return other

    # --- what happens ------------------------------------------------------------------------------------------------

    def change(self, **change: Any) -> pb.Standing:
        outcome = self.log.apply(rendezvous=pb.JobChange(**change))
        if outcome.error is not None:
            raise outcome.error
        assert isinstance(outcome.response, pb.RendezvousResponse)
        assert outcome.response.header.revision == self.log.machine.store.revision
        return outcome.response.standing

    def lease(self, node: str) -> int:
        """The lease of a node; a new one where it has none."""
        if node not in self.leases:
            lease = self.leases[node] = self.log.machine.applied_index + 1000
            self.log.apply(lease_grant=rpc.LeaseGrantRequest(ID=lease, TTL=10))
        return self.leases[node]

    def join(self, node: str, *, after: int = 0, incarnation: str = "1", **more: Any) -> pb.Standing:
        request = pb.JoinRequest(
            job=JOB,
            node=node,
            incarnation=incarnation,
            lease=self.lease(node),
            after_token=after,
            settings=self.settings,
            **{"address": f"{node}.example", **more},
        )
        return self.change(join=request)

    def join_all(self, *nodes: str, after: int = 0) -> pb.Standing:
        for node in nodes:
            standing = self.join(node, after=after)
        return standing

    def die(self, *nodes: str) -> Outcome:
        """Their leases are over, all at once."""
        ids = [self.leases.pop(node) for node in nodes]
        return self.log.apply(expire_leases=ExpireLeases(term=3, ids=ids))

    def leave(self, node: str, incarnation: str = "1") -> pb.Standing:
        return self.change(leave=pb.LeaveRequest(job=JOB, node=node, incarnation=incarnation))

    def report(self, node: str, kind: str, token: int | None = None, **more: Any) -> pb.Standing:
        token = self.look().token if token is None else token
        return self.change(report=pb.ReportRequest(job=JOB, node=node, token=token, kind=kind, **more))

    def ring(self, kind: str, term: int = 3, subject: str = "") -> Outcome:
        """The leader of a term says that the time of this kind is over."""
        number = pb.JobTimer.Kind.Value(kind)
        timers = [timer for timer in self.rendezvous.timers.running if timer.kind == number and timer.subject == subject]
        told = [pb.JobTimer(job=t.job, kind=t.kind, subject=t.subject, number=t.number) for t in timers]
        return self.log.apply(rendezvous_timeouts=pb.JobTimeouts(term=term, timers=told))

    def hang(self, *nodes: str, token: int | None = None, term: int = 3, step: int = 7) -> Outcome:
        """The leader of a term says who hangs; nobody: nobody any more."""
        hang = pb.Hang(nodes=nodes, workers=len(nodes), step=step, still_ms=9000)
        told = pb.JobHang(job=JOB, token=self.look().token if token is None else token, hang=hang)
        return self.log.apply(rendezvous_timeouts=pb.JobTimeouts(term=term, hangs=[told]))

    # --- what is to be seen --------------------------------------------------------------------------------------------

    def look(self, node: str = "") -> pb.Standing:
        standing: pb.Standing = self.rendezvous.standing(JOB, node)
        return standing

    def phase(self) -> str:
        return pb.Phase.Name(self.look().phase)

    def role(self, node: str) -> str:
        return pb.Role.Name(self.look(node).role)

    def world(self) -> list[str]:
        """By rank; empty where none is formed."""
        job = self.rendezvous.jobs.get(JOB)
        return list(job.world.nodes) if job is not None and job.token else []

    def keys(self) -> dict[str, Any]:
        """What any client of etcd sees of the job, by key below its prefix."""
        prefix = f"/raftkv/rendezvous/{JOB}/".encode()
        request = rpc.RangeRequest(key=prefix, range_end=prefix[:-1] + b"0")
        found = finish(self.log.machine.store.range(request)).kvs
        return {kv.key.decode().removeprefix(prefix.decode()): json.loads(kv.value) for kv in found}
