"""torchrun's rendezvous over the cluster: `torchrun --rdzv-backend raftkv --rdzv-endpoint h1:2379,h2:2379,h3:2379`.

next_rendezvous   joins, waits for the world, and starts this node's endpoint of the round's store
num_nodes_waiting how the job stands, as the cluster has pushed it: the agent asks ten times a second, and nobody is asked
shutdown          this node is done, or the job has failed; the signal that ends an agent says neither, so the node just leaves

A round that has ended for this node counts as a node that waits: that is how an agent learns that it is to restart its workers.

All of it goes over one client, and so over one connection to the cluster: the node's lease, its standing, the rounds' stores. Streams
have windows of their own, so neither a slow watch nor a long answer keeps a heartbeat waiting.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import NamedTuple

from torch.distributed.elastic.rendezvous import (
    RendezvousClosedError,
    RendezvousConnectionError,
    RendezvousHandler,
    RendezvousInfo,
    RendezvousParameters,
    RendezvousStateError,
    RendezvousStoreInfo,
    RendezvousTimeoutError,
)

from raftkv import errors
from raftkv.client import Client, Place, TLSConfig
from raftkv.client.rendezvous import CHECK_COOL_DOWN_S, Participant
from raftkv.errors import JobClosedError, NodeExcludedError, NodeUnfitError, RaftKVError
from raftkv.pb import rendezvous as pb
from raftkv.tcpstore import Namespace
from raftkv.torch.background import Access, Resident
from raftkv.torch.server import StoreServer

BACKEND = "raftkv"
JOIN_TIMEOUT_S = 600
LAST_CALL_S = 30
TTL_S = 10
STORE_TTL_S = 120
REPORT_S = 30
"""For how long an agent that ends tries to say how; after that the lease says that it is gone."""
LOCAL = "127.0.0.1"
ANOTHER_RUN = "A job that has ended stays ended: another run takes another --rdzv-id."


def create_handler(parameters: RendezvousParameters) -> "RaftkvRendezvous":
    """A handler as torchrun's options ask for it; docs/torch.md lists what --rdzv-conf knows."""
    tls = _tls(parameters)
    access = Access(parameters.endpoint, parameters.get("user"), parameters.get("password", ""), tls)
    return RaftkvRendezvous(parameters, access)


class Agent(NamedTuple):
    """This process in a job."""

    client: Client
    """For everything that the agent does."""
    participant: Participant


class RaftkvRendezvous(RendezvousHandler):
    """One agent's part in a job."""

    def __init__(self, parameters: RendezvousParameters, access: Access) -> None:
        self._job: str = parameters.run_id
        self._access = access
        self._join_timeout_s = float(parameters.get("join_timeout", JOIN_TIMEOUT_S))
        self._store_ttl_s = int(parameters.get("store_ttl", STORE_TTL_S))
        self._make: Callable[[], AbstractAsyncContextManager[Agent]] = lambda: _agent(access, parameters)
        self._resident: Resident[Agent] | None = None
        self._server: StoreServer | None = None

    def get_backend(self) -> str:
        return BACKEND

    @property
    def use_agent_store(self) -> bool:
        """Workers find the store at MASTER_ADDR and MASTER_PORT: nobody of them is to serve it."""
        return True

    def next_rendezvous(self) -> RendezvousInfo:
        self._close_store()
        with _translated():
            agent = self._joined()
            client, participant = agent.value
            world = agent.run(participant.next_round(timeout=self._join_timeout_s))
            namespace = Namespace(self._job, f"{world.number}.{world.token}", self._store_ttl_s)
            self._server = StoreServer(self._access, namespace, host=LOCAL, client=client)
        place = Place(self._job, participant.node, world.token)
        os.environ.update(self._access.environment() | place.environment())  # workers inherit it
        address = RendezvousStoreInfo(self._server.host, self._server.port)
        return RendezvousInfo(self._server.store(), world.rank, world.world_size, address)

    def is_closed(self) -> bool:
        standing = self._standing()
        return standing is not None and standing.phase == pb.CLOSED

    def set_closed(self) -> None:
        with _translated():
            agent = self._joined()
            agent.run(agent.value.client.rendezvous(self._job).close("closed by an agent"))

    def num_nodes_waiting(self) -> int:
        standing = self._standing()
        world = None if self._resident is None else self._resident.value.participant.round
        if standing is None or world is None or standing.phase == pb.CLOSED:
            return 0
        waiting: int = standing.waiting
        return waiting if standing.token == world.token else max(1, waiting)

    def get_run_id(self) -> str:
        return self._job

    def shutdown(self) -> bool:
        failure = sys.exc_info()[1]  # torch calls this from a `finally`: what ends the agent, if anything does
        try:
            if self._resident is not None:
                self._resident.run(self._report(self._resident.value.participant, failure))
        except (RaftKVError, TimeoutError):
            return False  # the lease says the rest
        finally:
            self._close_store()
            if self._resident is not None:
                self._resident.close()
        return True

    # --- inside

    async def _report(self, participant: Participant, failure: BaseException | None) -> None:
        if participant.round is None or self.is_closed():
            return
        async with asyncio.timeout(REPORT_S):
            if failure is None:
                await participant.succeed()
            else:
                await participant.fail(_reason(failure), fatal=True)

    def _joined(self) -> Resident[Agent]:
        if self._resident is None:
            self._resident = Resident(self._make, f"agent of {self._job}")
        return self._resident

    def _standing(self) -> pb.Standing | None:
        return None if self._resident is None else self._resident.value.participant.standing

    def _close_store(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


@asynccontextmanager
async def _agent(access: Access, parameters: RendezvousParameters) -> AsyncIterator[Agent]:
    async with access.client() as client, _participant(client, parameters) as participant:
        yield Agent(client, participant)


def _participant(client: Client, parameters: RendezvousParameters) -> Participant:
    address = parameters.local_addr or socket.getfqdn()
    segments = [segment for segment in parameters.get("segments", "").split("/") if segment]
    return client.rendezvous(parameters.run_id).participant(
        parameters.get("node") or f"{address}-{os.getpid()}",
        job_settings(parameters),
        address=address,
        segments=segments,
        slot=int(parameters.get("slot", 0)),
        ttl=int(parameters.get("ttl", TTL_S)),
        checks=parameters.get("health_check", ""),
        check_cool_down=float(parameters.get("health_check_cool_down", CHECK_COOL_DOWN_S)),
    )


def job_settings(parameters: RendezvousParameters) -> pb.JobSettings:
    """What a job is begun with; times are in seconds, as everywhere in --rdzv-conf."""
    return pb.JobSettings(
        min_nodes=parameters.min_nodes,
        max_nodes=parameters.max_nodes,
        last_call_ms=round(1000 * float(parameters.get("last_call_timeout", LAST_CALL_S))),
        gather_timeout_ms=round(1000 * float(parameters.get("gather_timeout", 0))),
        max_restarts=int(parameters.get("max_restarts", 0)),
        max_rounds_without_progress=int(parameters.get("max_rounds_without_progress", 0)),
        max_node_failures=int(parameters.get("max_node_failures", 0)),
        cool_down_ms=round(1000 * float(parameters.get("cool_down", 0))),
        rank_order=str(parameters.get("rank_order", "stable")).upper(),
        hang_timeout_ms=round(1000 * float(parameters.get("hang_timeout", 0))),
        hang_factor=int(parameters.get("hang_factor", 0)),
        restart_hung=bool(parameters.get_as_bool("restart_hung", default=False)),
    )


def _tls(parameters: RendezvousParameters) -> TLSConfig | None:
    files = {name: parameters.get(name) for name in ("ca_file", "cert_file", "key_file")}
    return TLSConfig(**files) if any(files.values()) else None


def _reason(failure: BaseException) -> str:
    return f"{type(failure).__name__}: {failure}".strip().splitlines()[0]


@contextmanager
def _translated() -> Iterator[None]:
    """Our errors as those that an agent knows."""
    try:
        yield
    except JobClosedError as error:
        if error.outcome == "SUCCEEDED":
            sys.stderr.write(f"{error}. {ANOTHER_RUN}\n")
            raise SystemExit(
                0
            ) from error  # the launcher stumbles over RendezvousGracefulExitError: its agent then has no result
        raise RendezvousClosedError(f"{error}. {ANOTHER_RUN}") from error
    except errors.RendezvousTimeoutError as error:
        raise RendezvousTimeoutError(str(error)) from error
    except (NodeExcludedError, NodeUnfitError) as error:
        raise RendezvousStateError(str(error)) from error
    except RaftKVError as error:
        raise RendezvousConnectionError(str(error)) from error
