"""Replica groups of torchft: they say that they live, ask for one quorum after the other, commit steps or fail to, die and come back.

a group that comes back is at an older step: it heals from the highest one of its quorum
a step that came to nothing is told with the next question, and the quorum's id grows
"""

import asyncio
from contextlib import suppress

from raftkv.errors import RequestError
from raftkv.pb import torchft as pb
from raftkv_chaos.sim.calls import RefusedError, UnknownOutcomeError
from raftkv_chaos.sim.clients.client import Client
from raftkv_chaos.sim.knobs import Crew

SERVICE = "/torchft.LighthouseService/"
JOB = "ft"
METADATA = {"raftkv-job": JOB}
OPTIONS = "/raftkv/lighthouse/ft/options"
HEARTBEAT_TIMEOUT_MS = 2000
JOIN_TIMEOUT_MS = 4000
BEATS_EVERY_S = 0.3
WAITS_S = 15.0


class Group(Client):
    """One group, over all of its lives."""

    kind = "group"
    crew: Crew
    calm = False
    """Nobody dies any more but those that are told to, for good."""
    buried = False
    together: frozenset[str] = frozenset()
    """Of the last quorum that it was told of."""

    @property
    def name(self) -> str:
        """The replica id."""
        return f"g{self.number}"

    async def run(self) -> None:
        while self.busy and not await self._set_options():  # noqa: ASYNC110 (virtual time passes)
            await asyncio.sleep(1.0)
        while self.busy and not self.buried:
            loop = asyncio.get_running_loop()
            living = loop.create_task(self._live())
            until = loop.time() + self.dice.expovariate(1 / 8.0)
            try:
                while (self.calm or loop.time() < until) and self.busy and not self.buried and not living.done():
                    await asyncio.wait([living], timeout=0.2)
            finally:
                living.cancel()
                with suppress(asyncio.CancelledError):
                    await living
            if not self.calm:
                await asyncio.sleep(self.dice.choice((0.1, 1.0, 2 * HEARTBEAT_TIMEOUT_MS / 1000)))

    async def _set_options(self) -> bool:
        """All of them write the same."""
        options = (
            f'{{"min_replicas": {self.crew.min_replicas}, "join_timeout_ms": {JOIN_TIMEOUT_MS}, '
            f'"heartbeat_timeout_ms": {HEARTBEAT_TIMEOUT_MS}}}'
        )
        told = await self.do("put", {"key": OPTIONS, "value": options})
        return told is not None and "error" not in told

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat())
            tasks.create_task(self._train())

    async def _beat(self) -> None:
        request = pb.LighthouseHeartbeatRequest(replica_id=self.name)
        while True:
            with suppress(RequestError, RefusedError, UnknownOutcomeError):
                await self.caller.ask(
                    self.dice.choice(self.town.reachable()),
                    SERVICE + "Heartbeat",
                    request,
                    pb.LighthouseHeartbeatResponse,
                    patience_s=self.traffic.patience_s,
                    metadata=dict(METADATA),
                )
            await asyncio.sleep(BEATS_EVERY_S)

    async def _train(self) -> None:
        member = pb.QuorumMember(replica_id=self.name, address=f"http://{self.name}")
        while True:
            quorum = await self._quorum(member)
            if quorum is None:
                await asyncio.sleep(0.1)
                continue
            self.together = frozenset(each.replica_id for each in quorum.participants)
            member.step = max(member.step, *(each.step for each in quorum.participants), 0)
            await asyncio.sleep(self.dice.expovariate(1 / self.traffic.think_s))
            if self.dice.random() < 0.9:
                member.step += 1
                member.commit_failures = 0
            else:
                member.commit_failures += 1

    async def _quorum(self, member: pb.QuorumMember) -> pb.Quorum | None:
        process = self.process
        asked = {"group": self.name, "step": member.step, "failures": member.commit_failures}
        request = pb.LighthouseQuorumRequest(requester=member)
        self.recorder.note("invoke", process, "quorum", asked, key=JOB)
        self.patience_s = WAITS_S
        try:
            response = await self.ask(SERVICE + "Quorum", request, pb.LighthouseQuorumResponse, **METADATA)
        except (RequestError, RefusedError, UnknownOutcomeError, asyncio.CancelledError) as error:
            self._lives += 1
            self.recorder.note("info", process, "quorum", key=JOB)
            if isinstance(error, asyncio.CancelledError):
                raise
            return None
        finally:
            self.patience_s = self.traffic.patience_s
        quorum = response.quorum
        told = {"id": quorum.quorum_id, "members": [[each.replica_id, each.step] for each in quorum.participants]}
        self.recorder.note("ok", process, "quorum", told, key=JOB)
        return quorum
