"""Every method of every service that raftkv has descriptors of, called with messages from a seed. For long: `make fuzz`.

What must hold whatever is sent: the node lives and still serves, every call ends, every status is a documented one, and of
no call anything is left. Only a learner may be added, for a voter that does not exist would rightly stop the cluster.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import grpc
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from raftkv import errors
from raftkv.errors import Code, RequestError
from raftkv.pb import election, health, lock, reflection, reflection_v1alpha, rpc
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster
from tests.rpc.messages import damaged, message

FILES = (rpc, lock, election, health, reflection, reflection_v1alpha)
CALLS = 300
"""In one life of a node."""
AT_ONCE = 8
PATIENCE_S = 12.0
"""More than the server's own: a call that takes so long hangs."""
GLANCE_S = 0.25
"""For methods that wait for something, by nature."""
WAITING = {"Lock", "Campaign"}
REMOVES_ITSELF = {"MemberRemove"}
OWN_WRITE_FAILED = (Code.INTERNAL, "Internal error from Core")
"""What grpc.aio says in place of a call's status when the call ended while it was sending."""
RAW_TEXTS = ("bcrypt: password length exceeds 72 bytes", "etcdserver: unknown method")
"""What etcd lets through as it comes from below."""
FORBIDDEN = ("internal error", "Traceback", "Error(")
METADATA: tuple[dict[str, str | bytes], ...] = (
    {},
    {},
    {},
    {"hasleader": "true"},
    {"token": "x.1"},
    {"raftkv-request-id": "00ff-1"},
    {"raftkv-request-id": "nonsense"},
    {"raftkv-max-staleness-ms": "100"},
    {"raftkv-max-staleness-ms": "-1"},
    {"client-api-version": "3.5"},
    {"x-bin": b"\0\1"},
)


class Target(NamedTuple):
    """One method."""

    path: str
    method: MethodDescriptor


class Shot(NamedTuple):
    """One call to be made."""

    target: Target
    requests: list[bytes]
    metadata: Mapping[str, str | bytes]
    timeout_s: float


class Finding(Exception):  # noqa: N818 (it is the outcome of a search)
    """Something that must not be."""


def targets() -> list[Target]:
    """All methods there are."""
    services = [service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()]
    return [Target(f"/{service.full_name}/{method.name}", method) for service in services for method in service.methods]


def documented() -> set[tuple[Code, str]]:
    """Every status that raftkv says it answers with."""

    def below(kind: type[RequestError]) -> Iterator[type[RequestError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    return {(kind.code, kind.text) for kind in below(errors.RequestError) if kind.text}


def shots(seed: int, among: list[Target], count: int = CALLS) -> Iterator[Shot]:
    """What is sent for a seed."""
    chance = random.Random(seed)
    for _ in range(count):
        target = chance.choice(among)
        streaming = target.method.client_streaming
        requests = [_request(target.method.input_type, chance) for _ in range(chance.randrange(4) if streaming else 1)]
        waits = streaming or target.method.server_streaming or target.method.name in WAITING
        yield Shot(target, requests, chance.choice(METADATA), GLANCE_S if waits else PATIENCE_S)


def _request(descriptor: Descriptor, chance: random.Random) -> bytes:
    made: Any = message(descriptor, chance)
    if descriptor.name == "MemberAddRequest":
        made.isLearner = True
        return bytes(made.SerializeToString())
    data = made.SerializeToString()
    return damaged(data, chance) if chance.random() < 0.15 else data


async def fire(channel: grpc.aio.Channel, shot: Shot) -> tuple[Code, str]:
    """Makes a call; its status."""
    method = shot.target.method
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    options: dict[str, Any] = {"timeout": shot.timeout_s, "metadata": tuple(shot.metadata.items())}
    body: Any = iter(shot.requests) if method.client_streaming else shot.requests[0]
    call = getattr(channel, kind)(shot.target.path)(body, **options)
    try:
        if method.server_streaming:
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return Code(error.code().value[0]), error.details() or ""
    return Code.OK, ""


def check(shot: Shot, code: Code, text: str, known: set[tuple[Code, str]]) -> None:
    """Raises Finding."""
    about = f"{shot.target.path} {[request.hex() for request in shot.requests]} {dict(shot.metadata)}: {code.name} {text!r}"
    if any(word in text for word in FORBIDDEN):
        raise Finding(f"a bug shows: {about}")
    if code in {Code.INTERNAL, Code.ABORTED, Code.ALREADY_EXISTS} and (code, text) not in known:
        raise Finding(f"no documented status: {about}")
    # Locks and elections are clients of the other services to etcd, whose errors lose their codes on that way.
    if code is Code.UNKNOWN and text not in {*RAW_TEXTS, *(text for _, text in known)}:
        raise Finding(f"no documented status: {about}")
    if code is Code.DEADLINE_EXCEEDED and shot.timeout_s == PATIENCE_S:
        raise Finding(f"a call hangs: {about}")


async def volley(endpoint: str, planned: Iterable[Shot]) -> int:
    """Makes the calls, some at a time; how many succeeded. Raises Finding."""
    known, waiting, good = documented(), iter(planned), 0

    async def worker(channel: grpc.aio.Channel) -> None:
        nonlocal good
        for shot in waiting:
            while (answer := await fire(channel, shot)) == OWN_WRITE_FAILED:
                pass
            code, text = answer
            check(shot, code, text, known)
            good += code is Code.OK

    async with (
        grpc.aio.insecure_channel(endpoint, options=[("grpc.enable_retries", 0)]) as channel,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(AT_ONCE):
            tasks.create_task(worker(channel))
    return good


def check_node(cluster: Cluster) -> None:
    """The node must serve, and be done with every call. Raises Finding."""
    (node,) = cluster.nodes
    if not node.process.running:
        raise Finding(f"the node ended: {node.process.log_tail()}")
    if any(word in node.process.log_tail(1000) for word in FORBIDDEN):
        raise Finding(f"the node complains: {node.process.log_tail(200)}")
    try:
        cluster.wait_until(lambda: _calls_in_progress(node.endpoint) == 0, "every call has ended", timeout_s=10.0)
    except Exception as error:
        raise Finding(f"{_calls_in_progress(node.endpoint)} calls never end") from error


def _calls_in_progress(endpoint: str) -> int:
    with urlopen(f"http://{endpoint}/metrics") as answer:
        lines = [line for line in answer.read().decode().splitlines() if line.startswith("grpc_server_")]

    def total(name: str) -> int:
        return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(name))

    return total("grpc_server_started_total") - total("grpc_server_handled_total")


def life(directory: Path, seed: int, count: int = CALLS) -> int:
    """One node's life under fire, without what ends it for good; how many calls succeeded. Raises Finding."""
    among = [target for target in targets() if target.method.name not in REMOVES_ITSELF]
    with RaftkvCluster(directory) as cluster:
        try:
            good = asyncio.run(volley(cluster.endpoints[0], shots(seed, among, count)))
        except* Finding as found:
            raise found.exceptions[0] from None
        check_node(cluster)
    return good


def main() -> None:
    """`python -m tests.rpc.fuzz FIRST_SEED COUNT`."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    good = 0
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            try:
                good += life(Path(folder), seed)
            except Finding:
                sys.stderr.write(f"seed {seed}\n")
                raise
    sys.stdout.write(f"seeds {first} to {first + count - 1}: {count * CALLS} calls, {good} of them OK, nothing found\n")


if __name__ == "__main__":
    main()
