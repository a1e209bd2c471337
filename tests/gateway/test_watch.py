"""Watches through the gateways of a real etcd and of raftkv: as lines, and over a WebSocket."""

import asyncio
import base64
import json
from typing import Any

import aiohttp
import pytest

from tests.conftest import StartCluster
from tests.gateway.running import KEEP_ALIVE, StartGateway
from tests.gateway.test_beside_etcd import without_identity
from tests.harness.etcd import ETCD, EtcdCluster
from tests.harness.raftkv import RaftkvCluster

WATCH = "/v3/watch"
FOREVER = aiohttp.ClientTimeout(total=30)


@pytest.fixture
def endpoints(start_cluster: StartCluster) -> list[str]:
    targets = [RaftkvCluster] if not ETCD.exists() else [EtcdCluster, RaftkvCluster]
    return [start_cluster(target).endpoints[0] for target in targets]


def create(key: bytes, **options: Any) -> dict[str, Any]:
    return {"create_request": {"key": base64.b64encode(key).decode(), **options}}


async def put(session: aiohttp.ClientSession, key: bytes, value: bytes) -> None:
    body = {"key": base64.b64encode(key).decode(), "value": base64.b64encode(value).decode()}
    async with session.post("/v3/kv/put", json=body) as response:
        assert response.status == 200


async def lines_of(endpoint: str) -> list[Any]:
    """A watch that is asked for once, and listened to."""
    async with (
        aiohttp.ClientSession(f"http://{endpoint}", timeout=FOREVER) as session,
        session.post(WATCH, json=create(b"a", prev_kv=True)) as response,
    ):
        lines = [json.loads(await response.content.readline())]
        for value in (b"1", b"2"):
            await put(session, b"a", value)
            lines.append(json.loads(await response.content.readline()))
    return [without_identity(line) for line in lines]


async def texts_of(endpoint: str) -> list[Any]:
    """A conversation over a WebSocket."""
    async with aiohttp.ClientSession(f"http://{endpoint}", timeout=FOREVER) as session, session.ws_connect(WATCH) as socket:
        await socket.send_json(create(b"a"))
        texts = [await socket.receive_json()]
        await put(session, b"a", b"1")
        texts.append(await socket.receive_json())
        await socket.send_json(create(b"a", start_revision="2"))
        texts += [await socket.receive_json(), await socket.receive_json()]
        await socket.send_json({"cancel_request": {"watch_id": 1}})
        texts.append(await socket.receive_json())
        await socket.send_json({"progress_request": {}})
        texts.append(await socket.receive_json())
    return [without_identity(text) for text in texts]


async def test_lines_are_those_of_etcd(endpoints: list[str]) -> None:
    answers = [await lines_of(endpoint) for endpoint in endpoints]
    assert answers[0] == answers[-1]
    assert answers[-1][0]["result"]["created"] is True
    assert answers[-1][2]["result"]["events"][0]["prev_kv"]["value"] == "MQ=="


async def test_a_websocket_says_what_etcds_says(endpoints: list[str]) -> None:
    answers = [await texts_of(endpoint) for endpoint in endpoints]
    assert answers[0] == answers[-1]
    assert answers[-1][-1]["result"]["watch_id"] == "-1"


async def test_an_error_is_the_last_text_of_a_websocket(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    async with running.session.ws_connect(KEEP_ALIVE) as socket:
        await socket.send_str('{"ID":"7"}')
        assert (await socket.receive_json())["result"]["ID"] == "7"
        await socket.send_str('{"ID":404}')
        assert (await socket.receive_json())["error"]["message"] == "etcdserver: key not found"
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_what_is_no_json_ends_a_websocket(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    async with running.session.ws_connect(KEEP_ALIVE) as socket:
        await socket.send_str("{")
        assert "error" in await socket.receive_json()
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_other_sites_pages_get_no_websocket(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await running.session.ws_connect(KEEP_ALIVE, origin="http://elsewhere.example")
    assert caught.value.status == 403


async def test_a_closed_websocket_ends_the_handler(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    async with running.session.ws_connect(KEEP_ALIVE) as socket:
        await socket.send_str('{"ID":"7"}')
        await socket.receive_json()
    async with asyncio.timeout(5):
        await running.gateway._idle.wait()
    assert not running.crashes


async def test_a_websocket_outlives_no_stop(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    async with running.session.ws_connect(KEEP_ALIVE) as socket:
        await socket.send_str('{"ID":"7"}')
        await socket.receive_json()
        await running.gateway.stop()
        assert (await socket.receive_json())["error"]["message"] == "etcdserver: server stopped"
