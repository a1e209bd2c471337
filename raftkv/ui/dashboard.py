"""The dashboard of one node: its parts, and the paths at which they answer."""

from collections.abc import Callable, Iterable, Mapping

from aiohttp.web import BaseRequest, Response

from raftkv.clock import Clock
from raftkv.errors import RequestError
from raftkv.gateway.gateway import Page
from raftkv.metrics.sources import Sources
from raftkv.pb.auth import Permission, Role
from raftkv.rpc.access import Access
from raftkv.rpc.method import Call, Method
from raftkv.ui.assets import ROOT, asset_pages
from raftkv.ui.cluster import ClusterView
from raftkv.ui.jobs import JobsView
from raftkv.ui.journal import Journal
from raftkv.ui.keys import KeysView
from raftkv.ui.leases import LeasesView
from raftkv.ui.lines import LinesView
from raftkv.ui.live import Live
from raftkv.ui.question import MAX_PAGE, Gate, Json, Parameters, Question, encoded, error_response, json_response
from raftkv.ui.quorums import QuorumsView
from raftkv.ui.rounds import Rounds

API = f"{ROOT}/api"


class Dashboard:
    """Made on a running event loop. Order: construct, `start`, `stop`."""

    def __init__(
        self,
        sources: Sources,
        access: Access,
        methods: Iterable[Method],
        *,
        clock: Clock,
        unix_time: Callable[[], float],
    ) -> None:
        replica = sources.replica
        self._sources = sources
        self._unix_time = unix_time
        self._gate = gate = Gate(replica, access)
        self._cluster = ClusterView(sources, clock)
        self._journal = Journal(sources, gate, unix_time)
        self._rounds = Rounds(replica.machine.rendezvous, self._journal, unix_time)
        keys, leases = KeysView(replica, gate), LeasesView(replica, gate)
        lines = LinesView(replica, gate, leases, clock.now)
        quorums = QuorumsView(replica, gate)
        jobs = JobsView(replica, gate, self._rounds, quorums, {method.path: method for method in methods})
        self._questions: Mapping[str, Question] = {
            "session": self._session,
            "cluster": self._cluster.answer,
            "keys": keys.children,
            "history": keys.history,
            "leases": leases.page,
            "lease": leases.one,
            "locks": lines.page,
            "lock": lines.one,
            "jobs": jobs.page,
            "job": jobs.one,
            "quorums": quorums.page,
            "quorum": quorums.one,
            "events": self._journal.page,
        }
        self._live = Live(gate, self._questions, self._pulse)

    def pages(self) -> Mapping[str, Page]:
        """Every path below /ui."""
        answers = {f"{API}/{name}": self._page(question) for name, question in self._questions.items()}
        return {**asset_pages(), **answers, f"{API}/live": self._live.page}

    def start(self) -> None:
        """Begins to note what happens, and to answer other members."""
        self._cluster.start()
        self._rounds.start()
        self._journal.start()

    def stop(self) -> None:
        """Ends the streams: nobody should wait for those who look."""
        self._journal.stop()
        self._live.stop()

    def _page(self, question: Question) -> Page:
        async def answer(request: BaseRequest) -> Response:
            try:
                call = await self._gate.admit(request)
                return json_response(await question(call, Parameters(request.query)))
            except RequestError as error:
                return error_response(error)

        return answer

    async def _session(self, call: Call, parameters: Parameters) -> Json:  # noqa: ARG002 (a question's shape)
        """Who asks, and whom: what the page begins with."""
        auth = self._sources.replica.machine.auth
        user = call.author.user if call.author is not None else ""
        roles = list(auth.user(user).roles) if user else []
        return {
            "auth": auth.enabled,
            "user": user,
            "roles": roles,
            "readable": _readable(auth.roles[role] for role in roles if role in auth.roles),
            **self._pulse(),
        }

    def _pulse(self) -> Json:
        replica = self._sources.replica
        own = replica.members.get(replica.settings.node_id)
        leader = replica.members.get(replica.leader)
        others = [member for member in replica.members.values() if member is not own]
        connected = set(self._sources.peers.connected)
        return {
            "at": self._unix_time(),
            "cluster": f"{replica.settings.cluster_id:x}",
            "member": f"{replica.settings.node_id:x}",
            "name": own.name if own is not None else "",
            "version": self._sources.version,
            "leader": f"{replica.leader:x}" if replica.leader else "",
            "leader_name": leader.name if leader is not None else "",
            "term": replica.term,
            "revision": replica.store.revision,
            "behind": max(0, replica.commit_index - replica.machine.applied_index),
            "alarms": len(replica.machine.alarms),
            "peers": [url for member in others for url in member.clientURLs],
            "lost": [member.name or f"{member.ID:x}" for member in others if member.ID not in connected],
        }


def _readable(roles: Iterable[Role]) -> list[Json]:
    """The ranges that roles let their users read: where to begin to look, for those who may not see everything."""
    grants = [grant for role in roles for grant in role.keyPermission if grant.permType != Permission.WRITE]
    return [{"key": encoded(grant.key), "range_end": encoded(grant.range_end)} for grant in grants[:MAX_PAGE]]
