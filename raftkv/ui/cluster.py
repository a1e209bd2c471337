"""The cluster at a glance: what every member says of itself, also where one says nothing, and what is wrong with it.

    looked at ---ask all (Kind.OVERVIEW)---> answers within PATIENCE_S; the rest is shown as it was last seen, and since when

Members are asked over the ways on which they speak anyway, only while somebody looks, and at most once in INTERVAL_S however
many look: a dashboard costs the cluster one small question a second.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from raftkv.clock import Clock
from raftkv.errors import MalformedRequestError, PeerUnreachableError, RequestError, UnimplementedError
from raftkv.metrics.sources import Sources
from raftkv.pb.rpc import AlarmType, Member
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.rpc.method import Call
from raftkv.ui.findings import findings
from raftkv.ui.overview import answered, overview, unpack
from raftkv.ui.question import Json, Parameters
from raftkv.ui.rates import Recent

INTERVAL_S: Final = 0.9
PATIENCE_S: Final = 0.6
"""How long an answer waits for members that say nothing."""
ASK_TIMEOUT_S: Final = 3.0
SILENT_S: Final = 2.5
"""Who has said nothing for so long is shown as silent."""


class _Seen:
    """What is known of one member."""

    def __init__(self, now_s: float) -> None:
        self.overview: Json = {}
        self.heard_at = now_s
        """When it last said something; when it was first asked, where it never did."""
        self.asked = False
        """An answer is being waited for."""
        self.error = ""
        self.recent = Recent()


class ClusterView:
    """This node's view of all members."""

    def __init__(self, sources: Sources, clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._began_s = clock.now()
        self._seen: dict[int, _Seen] = {}
        self._looked_at = float("-inf")
        self._looking: asyncio.Future[None] | None = None
        self._serve = sources.replica.asks.serve

    def start(self) -> None:
        """Answers other members from now on."""
        self._serve(Kind.OVERVIEW, self._answer)

    async def answer(self, call: Call, parameters: Parameters) -> Json:  # noqa: ARG002 (a question's shape)
        """All members."""
        await self._look()
        return self.picture()

    def picture(self) -> Json:
        """As of the last look."""
        replica = self._sources.replica
        members = [self._member(member) for _, member in sorted(replica.members.items())]
        picture = {
            "cluster": f"{replica.settings.cluster_id:x}",
            "asked": self._sources.own,
            "term": replica.term,
            "leader": f"{replica.leader:x}" if replica.leader else "",
            "revision": replica.store.revision,
            "version": replica.machine.cluster_version or "",
            "members": members,
            "alarms": [
                {"member": f"{member:x}", "alarm": AlarmType.Name(alarm)} for member, alarm in sorted(replica.machine.alarms)
            ],
        }
        return {**picture, "findings": findings(picture)}

    # --- looking ------------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        if self._looking is not None:
            await asyncio.shield(self._looking)
        elif self._clock.now() - self._looked_at >= INTERVAL_S:
            self._looking = asyncio.get_running_loop().create_future()
            try:
                self._looked_at = self._clock.now()
                await self._ask_all()
            finally:
                self._looking.set_result(None)
                self._looking = None

    async def _ask_all(self) -> None:
        """Returns when all have answered, or PATIENCE_S have passed."""
        now_s, own = self._clock.now(), self._sources.replica.settings.node_id
        members = self._sources.replica.members
        self._seen = {member: self._seen.get(member) or _Seen(now_s) for member in members}
        if own in self._seen:
            self._heard(self._seen[own], overview(self._sources, now_s - self._began_s))
        all_answered = asyncio.get_running_loop().create_future()
        waiting = {member for member in members if member != own and not self._seen[member].asked}
        for member in list(waiting):
            self._ask(member, partial(_tick_off, waiting, member, all_answered))
        if waiting:
            await asyncio.wait([all_answered], timeout=PATIENCE_S)

    def _ask(self, member: int, done: Callable[[], None]) -> None:
        seen = self._seen[member]
        seen.asked = True

        def told(reply: Reply[bytes]) -> None:
            seen.asked = False
            self._told(seen, reply)
            done()

        self._sources.replica.asks.ask(member, Kind.OVERVIEW, b"", ASK_TIMEOUT_S).add_done_callback(told)

    def _told(self, seen: _Seen, reply: Reply[bytes]) -> None:
        error = reply.exception()
        try:
            if error is not None:
                raise error
            self._heard(seen, unpack(reply.result()))
        except PeerUnreachableError:
            seen.error = "cannot be reached"
        except UnimplementedError:
            self._heard(seen, {})
            seen.error = "runs a version without a dashboard"
        except MalformedRequestError:
            seen.error = "says nothing that can be understood"
        except RequestError:
            seen.error = "does not answer"

    def _heard(self, seen: _Seen, said: Json) -> None:
        now_s = self._clock.now()
        seen.overview, seen.heard_at, seen.error = said, now_s, ""
        seen.recent.add(now_s, said)

    def _answer(self, question: bytes, source: int) -> Reply[bytes]:  # noqa: ARG002 (all may ask)
        if question:
            raise MalformedRequestError
        return answered(overview(self._sources, self._clock.now() - self._began_s))

    # --- telling ------------------------------------------------------------------------------------------------------

    def _member(self, member: Member) -> Json:
        seen = self._seen.get(member.ID) or _Seen(self._clock.now())
        silent_s = self._clock.now() - seen.heard_at
        return {
            **{name: value for name, value in seen.overview.items() if name not in _HISTOGRAMS},
            "id": f"{member.ID:x}",
            "name": member.name,
            "peer_urls": list(member.peerURLs),
            "client_urls": list(member.clientURLs),
            "learner": member.isLearner,
            "started": bool(member.name),
            "answers": bool(seen.overview) and silent_s < SILENT_S,
            "silent_s": round(silent_s) if silent_s >= SILENT_S or not seen.overview else 0,
            "error": seen.error or ("does not answer" if silent_s >= SILENT_S else ""),
            "now": {
                "writes_per_s": seen.recent.per_second("applied"),
                "reads_per_s": seen.recent.per_second("ranges"),
                "sync_p50_ms": seen.recent.quantile_ms("sync", 0.5),
                "sync_p99_ms": seen.recent.quantile_ms("sync", 0.99),
                "lag_p99_ms": seen.recent.quantile_ms("lag", 0.99),
            },
        }


_HISTOGRAMS: Final = frozenset({"sync", "lag"})
"""What an overview has and a page does not want."""


def _tick_off(waiting: set[int], member: int, all_answered: "asyncio.Future[None]") -> None:
    waiting.discard(member)
    if not waiting and not all_answered.done():
        all_answered.set_result(None)
