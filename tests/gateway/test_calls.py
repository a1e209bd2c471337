import asyncio
from typing import Any

import grpc
import pytest

from raftkv.gateway import answers, body
from raftkv.pb import rpc
from tests.gateway.running import GRANT, LOOPBACK, MAX_MESSAGE_BYTES, PUT, StartGateway


async def test_a_unary_method_answers_in_json(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(PUT, {"key": "YQ==", "prevKv": True})
    assert (answer.status, answer.json) == (200, {"header": {"revision": "7"}})
    assert running.handlers.requests == [rpc.PutRequest(key=b"a", prev_kv=True)]


async def test_the_handler_gets_the_encoded_request_for_the_log(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    await running.post(PUT, {"key": "YQ==", "unknown": [1, 2]})
    assert running.handlers.calls[0].body == rpc.PutRequest(key=b"a").SerializeToString()


async def test_headers_become_metadata_and_nothing_else_does(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    headers = {
        "Authorization": "token",
        "Grpc-Metadata-Hasleader": "true",
        "Grpc-Metadata-Grpc-Encoding": "gzip",
        "Grpc-Metadata-Trace-Bin": "YWI=",
        "Raftkv-Request-Id": "ab-1",
        "Raftkv-Max-Staleness-Ms": "10",
        "Cookie": "a=b",
        "X-Forwarded-For": "1.2.3.4",
    }
    await running.post(PUT, {}, **{name.replace("-", "_"): value for name, value in headers.items()})
    call = running.handlers.calls[0]
    assert call.metadata == {
        "authorization": "token",
        "hasleader": "true",
        "trace-bin": b"ab",
        "raftkv-request-id": "ab-1",
        "raftkv-max-staleness-ms": "10",
    }
    assert call.peer.startswith(f"{LOOPBACK}:")
    assert call.identity == ""


async def test_an_error_has_the_status_and_body_of_etcd(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(PUT, {"key": "bWlzc2luZw=="})
    text = "etcdserver: key not found"
    assert (answer.status, answer.json) == (400, {"error": text, "code": 3, "message": text})


async def test_a_bug_in_a_handler_fails_its_call_only(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(PUT, {"key": "YnVn"})
    assert (answer.status, answer.json["code"]) == (500, 2)
    assert [type(error) for error in running.crashes] == [ZeroDivisionError]
    assert (await running.post(PUT, {})).status == 200


async def test_a_deadline_ends_the_handler(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(PUT, {"key": "d2FpdA=="}, Grpc_Timeout="10m")
    assert (answer.status, answer.json["message"], answer.json["code"]) == (504, "context deadline exceeded", 4)
    assert running.handlers.cancelled.is_set()


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"Grpc_Timeout": "xx"}, "invalid grpc-timeout: xx"),
        ({"Grpc_Metadata_Foo_Bin": "!!"}, "invalid binary header Grpc-Metadata-Foo-Bin"),
    ],
)
async def test_headers_that_mean_nothing_are_refused(start_gateway: StartGateway, headers: dict[str, str], text: str) -> None:
    running = await start_gateway()
    answer = await running.post(PUT, {}, **headers)
    assert (answer.status, answer.json) == (400, {"error": text, "code": 3, "message": text})


async def test_a_page_of_another_site_is_refused_whatever_type_it_claims(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(PUT, {"key": "YQ=="}, Origin="http://evil.example", Content_Type="text/plain")
    assert (answer.status, answer.json["code"]) == (403, 7)
    assert not running.handlers.calls
    own = await running.post(PUT, {}, Origin=f"http://{LOOPBACK}:{running.port}")
    assert own.status == 200


async def test_any_host_and_any_content_type_are_served(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(PUT, {}, Host="another.example", Content_Type="application/x-www-form-urlencoded")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "method", "status", "text"),
    [
        (PUT, "GET", 405, "Method Not Allowed\n"),
        (PUT, "PUT", 405, "Method Not Allowed\n"),
        (PUT + "/", "POST", 404, "Not Found\n"),
        (GRANT, "POST", 404, "Not Found\n"),
        ("/v3/nope", "GET", 404, "Not Found\n"),
        ("/v3alpha/kv/put", "POST", 404, "404 page not found\n"),
        ("/v3beta/kv/put", "POST", 404, "404 page not found\n"),
        ("/", "GET", 404, "404 page not found\n"),
        ("/metrics", "POST", 405, "Method Not Allowed\n"),
        ("/metrics", "GET", 200, "up 1\n"),
    ],
)
async def test_other_paths_and_methods_are_answered_as_etcd_answers_them(
    start_gateway: StartGateway, path: str, method: str, status: int, text: str
) -> None:
    running = await start_gateway()
    assert await running.get(path, method) == (status, text)


async def test_a_message_above_the_limit_is_refused_in_the_words_of_grpc(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(PUT, {"value": "YWFh" * (MAX_MESSAGE_BYTES // 3)})
    size = MAX_MESSAGE_BYTES // 3 * 3 + 4
    text = f"grpc: received message larger than max ({size} vs. {MAX_MESSAGE_BYTES})"
    assert (answer.status, answer.json) == (429, {"error": text, "code": 8, "message": text})


async def test_a_body_that_could_be_no_request_is_not_even_read(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    reader, writer = await running.connect()
    writer.write(b"POST /v3/kv/put HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 429 ")
    writer.close()


async def test_a_chunked_body_is_cut_off_at_the_limit(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    reader, writer = await running.connect()
    writer.write(b"POST /v3/kv/put HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    writer.write(b"40000\r\n" + b" " * 0x40000 + b"\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 429 ")
    writer.close()


async def test_a_large_message_is_read_and_written_beside_the_event_loop(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    value = bytes(60_000)
    answer = await running.post(PUT, {"value": "AAAA" * 20_000})
    assert answer.status == 200
    assert running.handlers.requests == [rpc.PutRequest(value=value)]


async def test_a_client_that_waits_for_permission_gets_it(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    reader, writer = await running.connect()
    writer.write(b"POST /v3/kv/put HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"{}")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_client_that_does_not_send_its_body_is_cut_off(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.05)
    running = await start_gateway()
    reader, writer = await running.connect()
    writer.write(b"POST /v3/kv/put HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{")
    assert await reader.read() == b""
    writer.close()


async def test_a_client_that_does_not_collect_its_answer_is_cut_off(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "SEND_SECONDS", 0.1)
    asked = asyncio.Event()

    async def page(request: Any) -> Any:
        asked.set()
        return answers.text_answer("x" * 20_000_000)

    running = await start_gateway(pages={"/large": page})
    reader, writer = await running.connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined] # the transport of a StreamWriter can read as well
    writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    await asked.wait()
    await running.gateway._wait_idle(5.0)
    writer.transport.resume_reading()  # type: ignore[attr-defined] # as above
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(20_000_000)
    writer.close()


async def test_a_client_that_leaves_cancels_its_handler(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    _, writer = await running.connect()
    writer.write(b'POST /v3/kv/put HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\n{"key":"d2FpdA=="}')
    await running.handlers.waiting.wait()
    writer.close()
    async with asyncio.timeout(5):
        await running.handlers.cancelled.wait()


async def test_one_port_speaks_grpc_and_json(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    async with grpc.aio.insecure_channel(f"{LOOPBACK}:{running.port}") as channel:
        call: Any = channel.unary_unary(
            "/etcdserverpb.KV/Put",
            request_serializer=rpc.PutRequest.SerializeToString,
            response_deserializer=rpc.PutResponse.FromString,
        )
        over_grpc = await call(rpc.PutRequest(key=b"a"))
        over_json = await running.post(PUT, {"key": "YQ=="})
    assert over_grpc.header.revision == int(over_json.json["header"]["revision"]) == 7
    assert [call.body for call in running.handlers.calls] == [b"\n\x01a"] * 2


async def test_requests_on_one_connection_are_answered_in_their_order(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    reader, writer = await running.connect()
    for key in (b"YQ==", b"Yg=="):
        writer.write(b'POST /v3/kv/put HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n\r\n{"key":"%s"}' % key)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    text = await reader.read()
    assert [text.count(b"HTTP/1.1 200"), text.endswith(b"up 1\n")] == [3, True]
    assert [request.key for request in running.handlers.requests] == [b"a", b"b"]
    writer.close()


async def test_stopping_closes_idle_connections_and_answers_the_others(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    idle, idle_writer = await running.connect()
    idle_writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    await idle.readuntil(b"up 1\n")
    waiting = asyncio.get_running_loop().create_task(running.post(PUT, {"key": "d2FpdA=="}))
    await running.handlers.waiting.wait()
    running.gateway.drain()
    assert await idle.read() == b""
    await running.gateway.stop(0.01)
    answer = await waiting
    assert (answer.status, answer.json["message"]) == (503, "etcdserver: server stopped")
    idle_writer.close()


async def test_a_call_that_ends_within_the_grace_is_not_cut_off(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    loop = asyncio.get_running_loop()
    waiting = loop.create_task(running.post(PUT, {"key": "d2FpdA=="}))
    await running.handlers.waiting.wait()
    stopping = loop.create_task(running.gateway.stop(5.0))
    running.handlers.go_on.set()
    assert (await waiting).status == 200
    await stopping
