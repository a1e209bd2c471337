"""An endpoint: a port at which torchft's clients find the lighthouse of one job.

It keeps nothing: each call is made again at the cluster, with the job's name and this client's credentials, and at another node where
one has died, until the caller's own deadline. A call of Quorum that is made twice is the same group asking, so that is harmless.
"""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from google.protobuf.message import Message

from raftkv.client import Client
from raftkv.client.method import Method as ClientMethod
from raftkv.client.method import Repeat
from raftkv.errors import RaftKVError, RequestError, UnavailableError
from raftkv.http2.server import GrpcServer
from raftkv.lighthouse import DEFAULT_JOB, check_job
from raftkv.pb import torchft as pb
from raftkv.rpc.lighthouse import JOB, SERVICE
from raftkv.rpc.method import Call, Kind, Method

QUORUM = ClientMethod(SERVICE + "Quorum", pb.LighthouseQuorumResponse, Repeat.ALWAYS)
HEARTBEAT = ClientMethod(SERVICE + "Heartbeat", pb.LighthouseHeartbeatResponse, Repeat.ALWAYS)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Made by `serve`."""

    host: str
    port: int

    @property
    def address(self) -> str:
        """What TORCHFT_LIGHTHOUSE is to be."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@asynccontextmanager
async def serve(client: Client, job: str = DEFAULT_JOB, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Endpoint]:
    """Serves the lighthouse of a job to torchft's clients while the block runs; port 0: any that is free.

    Raises:
        InvalidArgumentError: The job cannot have this name.
        OSError: The port cannot be had.
    """
    check_job(job)
    server = GrpcServer(_methods(client, job))
    try:
        yield Endpoint(host, await server.listen(host, port))
    finally:
        await server.stop()


def _methods(client: Client, job: str) -> list[Method]:
    metadata = ((JOB.encode(), quote(job).encode()),)

    async def ask(method: ClientMethod[Any], request: Message) -> Message:
        try:
            answer: Message = await client.call(
                method, request, metadata=metadata, timeout=math.inf
            )  # the caller's deadline cancels it
        except RequestError:
            raise
        except RaftKVError as error:
            raise UnavailableError(str(error)) from error
        return answer

    async def quorum(request: pb.LighthouseQuorumRequest, call: Call) -> Message:  # noqa: ARG001 (a handler's shape)
        return await ask(QUORUM, request)

    async def heartbeat(request: pb.LighthouseHeartbeatRequest, call: Call) -> Message:  # noqa: ARG001 (as above)
        return await ask(HEARTBEAT, request)

    return [
        Method(QUORUM.path, Kind.UNARY, pb.LighthouseQuorumRequest, QUORUM.response, quorum),
        Method(HEARTBEAT.path, Kind.UNARY, pb.LighthouseHeartbeatRequest, HEARTBEAT.response, heartbeat),
    ]
