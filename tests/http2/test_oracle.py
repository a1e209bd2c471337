"""The same handlers under our server and under grpc.aio: clients must not be able to tell them apart."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest

from raftkv.http2 import Hooks
from raftkv.pb.rpc import PutRequest
from tests.http2.echo import SERVICE, Echo
from tests.http2.grpc_oracle import generic_handler
from tests.http2.running import LOOPBACK, SECONDS, Client, StartServer

Outcome = tuple[list[PutRequest], grpc.StatusCode, str]
Scenario = Callable[[Client], Any]


def say(key: str = "", value: bytes = b"v", lease: int = 0) -> PutRequest:
    return PutRequest(key=key.encode(), value=value, lease=lease)


def stream(*requests: PutRequest) -> Iterator[PutRequest]:
    return iter(requests)


SCENARIOS: dict[str, Scenario] = {
    "unary": lambda client: client.unary(say(value=b"hello"), timeout=SECONDS),
    "unary, an empty message": lambda client: client.unary(PutRequest(), timeout=SECONDS),
    "unary, a large message": lambda client: client.unary(say(value=bytes(1_500_000)), timeout=SECONDS),
    "unary, an error": lambda client: client.unary(say("fail"), timeout=SECONDS),
    "unary, an error in words": lambda client: client.unary(say("fail with", "für 100 %\n".encode()), timeout=SECONDS),
    "unary, a done future": lambda client: client.future(say(), timeout=SECONDS),
    "unary, a future": lambda client: client.later(say(), timeout=SECONDS),
    "unary, a future's error": lambda client: client.later(say("fail"), timeout=SECONDS),
    "unary, a done future's error": lambda client: client.future(say("fail"), timeout=SECONDS),
    "unary, an error before all": lambda client: client.now(say(), timeout=SECONDS),
    "down": lambda client: client.down(say(lease=5), timeout=SECONDS),
    "down, nothing": lambda client: client.down(say(lease=0), timeout=SECONDS),
    "down, an error at the end": lambda client: client.down(say("fail", lease=3), timeout=SECONDS),
    "down, an error at once": lambda client: client.down(say("fail"), timeout=SECONDS),
    "down, large": lambda client: client.down(say(value=bytes(100_000), lease=30), timeout=SECONDS),
    "up": lambda client: client.up(stream(say(value=b"a"), say(value=b"b")), timeout=SECONDS),
    "up, nothing": lambda client: client.up(stream(), timeout=SECONDS),
    "up, an error": lambda client: client.up(stream(say(), say("fail")), timeout=SECONDS),
    "up, an early answer": lambda client: client.up(stream(say("enough"), say()), timeout=SECONDS),
    "up, large": lambda client: client.up(stream(*[say(value=bytes(300_000))] * 10), timeout=SECONDS),
    "both": lambda client: client.both(stream(say(value=b"a"), say(value=b"b")), timeout=SECONDS),
    "both, nothing": lambda client: client.both(stream(), timeout=SECONDS),
    "both, an error": lambda client: client.both(stream(say(), say("fail"), say()), timeout=SECONDS),
    "both, an early end": lambda client: client.both(stream(say(), say("enough"), say()), timeout=SECONDS),
    "both, large": lambda client: client.both(stream(*[say(value=bytes(300_000))] * 10), timeout=SECONDS),
}
LIKE_IN_CODE_ONLY: dict[str, Scenario] = {
    "unary, a crash": lambda client: client.unary(say("crash"), timeout=SECONDS),
    "down, a crash": lambda client: client.down(say("crash", lease=2), timeout=SECONDS),
    "an unknown method": lambda client: client.channel.unary_unary(SERVICE + "Nothing")(b"", timeout=SECONDS),
    "an unknown service": lambda client: client.channel.unary_unary("/no.Thing/Nothing")(b"", timeout=SECONDS),
}


async def outcome_of(scenario: Scenario, client: Client) -> Outcome:
    """How a call ends. grpc.aio's client now and then reports a write of its own, which met the end of the call, in place of the
    status that ended it: that says nothing about the server, so it is asked again.
    """
    for _ in range(5):
        outcome = await one_outcome(scenario, client)
        if outcome[2] != "Internal error from Core":
            break
    return outcome


async def one_outcome(scenario: Scenario, client: Client) -> Outcome:
    call, answers = scenario(client), []
    try:
        if isinstance(call, grpc.aio.UnaryUnaryCall | grpc.aio.StreamUnaryCall):
            answers.append(await call)
        else:
            answers += [answer async for answer in call]
    except grpc.aio.AioRpcError:
        pass
    return answers, await call.code(), await call.details()


@pytest.fixture
async def ask_oracle() -> AsyncIterator["AskOracle"]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((generic_handler(Echo().methods()),))
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    await server.start()
    channels: list[grpc.aio.Channel] = []

    async def ask(scenario: Scenario) -> Outcome:
        channels.append(grpc.aio.insecure_channel(f"{LOOPBACK}:{port}"))
        return await outcome_of(scenario, Client(channels[-1]))

    yield ask
    for channel in channels:
        await channel.close()
    await server.stop(None)


AskOracle = Callable[[Scenario], Awaitable[Outcome]]


async def test_answers_codes_and_details_are_equal(start: StartServer, ask_oracle: AskOracle) -> None:
    client = (await start()).client()
    for name, scenario in SCENARIOS.items():
        assert await outcome_of(scenario, client) == await ask_oracle(scenario), name


async def test_codes_are_equal_where_every_server_has_its_own_words(start: StartServer, ask_oracle: AskOracle) -> None:
    crashes: list[BaseException] = []
    client = (await start(hooks=Hooks(crashed=lambda method, error: crashes.append(error)))).client()
    for name, scenario in LIKE_IN_CODE_ONLY.items():
        answers, code, _ = await outcome_of(scenario, client)
        theirs = await ask_oracle(scenario)
        assert (answers, code) == theirs[:2], name
    assert [type(error) for error in crashes] == [ValueError, ValueError]
