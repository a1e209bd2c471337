"""v3electionpb.Election: elections for clients that cannot keep up a conversation themselves (etcd api/v3election)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from raftkv.errors import MissingLeaderKeyError
from raftkv.pb import election
from raftkv.recipes import candidacy
from raftkv.recipes.line import Place
from raftkv.rpc.conversation import Conversations
from raftkv.rpc.method import Call, Kind, Method
from raftkv.rpc.standing import no_trace, own_lease, unmapped

SERVICE = "/v3electionpb.Election/"


class Election:
    """The service."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    def methods(self) -> list[Method]:
        """What it offers."""
        unary, stream = Kind.UNARY, Kind.SERVER_STREAM
        return [
            Method(SERVICE + "Campaign", unary, election.CampaignRequest, election.CampaignResponse, unmapped(self.campaign)),
            Method(SERVICE + "Proclaim", unary, election.ProclaimRequest, election.ProclaimResponse, unmapped(self.proclaim)),
            Method(SERVICE + "Leader", unary, election.LeaderRequest, election.LeaderResponse, unmapped(self.leader)),
            Method(SERVICE + "Observe", stream, election.LeaderRequest, election.LeaderResponse, self.observe),
            Method(SERVICE + "Resign", unary, election.ResignRequest, election.ResignResponse, unmapped(self.resign)),
        ]

    async def campaign(self, request: election.CampaignRequest, call: Call) -> election.CampaignResponse:
        """Waits until the caller leads. Who gives up leaves no key behind."""
        store = self._conversations.of(call)
        async with own_lease(store, request.lease) as lease:
            prefix = request.name + b"/"
            key = prefix + b"%x" % lease
            async with no_trace(store, key):
                entry = await candidacy.stand(store, prefix, key, lease, request.value)
                if not entry.first:
                    await candidacy.win(store, prefix, entry.place)
            leader = election.LeaderKey(name=request.name, key=key, rev=entry.place.revision, lease=lease)
            return election.CampaignResponse(header=entry.header, leader=leader)

    async def proclaim(self, request: election.ProclaimRequest, call: Call) -> election.ProclaimResponse:
        """Says a new value, while the leadership lasts."""
        place = _place(request)
        store = self._conversations.of(call)
        async with own_lease(store, request.leader.lease) as lease:
            return election.ProclaimResponse(header=await candidacy.proclaim(store, place, lease, request.value))

    async def leader(self, request: election.LeaderRequest, call: Call) -> election.LeaderResponse:
        """Who leads now."""
        sighting = await candidacy.current(self._conversations.of(call), request.name + b"/")
        return election.LeaderResponse(header=sighting.header, kv=sighting.key_value)

    async def observe(self, request: election.LeaderRequest, call: Call) -> AsyncGenerator[election.LeaderResponse, None]:
        """Every leader and every value, from now on."""
        async with aclosing(candidacy.observe(self._conversations.of(call), request.name + b"/")) as sightings:
            async for sighting in sightings:
                yield election.LeaderResponse(header=sighting.header, kv=sighting.key_value)

    async def resign(self, request: election.ResignRequest, call: Call) -> election.ResignResponse:
        """Ends the leadership, if it has not ended."""
        header = await candidacy.resign(self._conversations.of(call), _place(request))
        return election.ResignResponse(header=header)


def _place(request: election.ProclaimRequest | election.ResignRequest) -> Place:
    if not request.HasField("leader"):
        raise MissingLeaderKeyError
    return Place(request.leader.key, request.leader.rev)
