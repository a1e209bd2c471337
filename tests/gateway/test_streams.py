import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.gateway.body import Splitter
from tests.gateway.running import KEEP_ALIVE, SNAPSHOT, StartGateway

FIRST = {"result": {"remaining_bytes": "1", "blob": "YQ=="}}


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


async def test_each_message_of_a_stream_leaves_at_once(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    async with running.session.post(SNAPSHOT, data=b"{}") as response:
        assert response.headers["Content-Type"] == "application/json"
        assert json.loads(await response.content.readline()) == FIRST
        running.handlers.go_on.set()
        assert json.loads(await response.content.readline()) == {"result": {"blob": "Yg=="}}
        assert await response.content.read() == b""


async def test_one_request_is_enough_for_a_bidirectional_method(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(KEEP_ALIVE, b'{"ID":"7"}')
    assert (answer.status, lines(answer.body)) == (200, [{"result": {"ID": "7", "TTL": "10"}}])


async def test_requests_of_a_stream_may_follow_each_other_in_any_spacing(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(KEEP_ALIVE, b' {"ID":"7"}{"ID":8}\n\n{"ID":9}\n')
    assert [line["result"]["ID"] for line in lines(answer.body)] == ["7", "8", "9"]


async def test_an_answer_comes_while_the_client_still_asks(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    reader, writer = await running.connect()
    writer.write(b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" % KEEP_ALIVE.encode())
    for number in (1, 2):
        writer.write(b'8\r\n{"ID":%d}\r\n' % number)
        assert b'"ID":"%d"' % number in await reader.readuntil(b"}}\n")
    writer.write(b"0\r\n\r\n")
    await reader.readuntil(b"0\r\n\r\n")
    writer.close()


async def test_a_stream_without_requests_ends_without_answers(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    assert await running.post(KEEP_ALIVE, b"") == (200, "")


async def test_an_error_before_the_first_message_has_its_status(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(KEEP_ALIVE, b'{"ID":404}')
    reason = {"grpc_code": 3, "http_code": 400, "message": "etcdserver: key not found", "http_status": "Bad Request"}
    assert (answer.status, lines(answer.body)) == (400, [{"error": reason}])


async def test_an_error_after_messages_is_the_last_line(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(KEEP_ALIVE, b'{"ID":1}{"ID":404}')
    assert answer.status == 200
    first, last = lines(answer.body)
    assert first["result"]["ID"] == "1"
    assert last["error"]["message"] == "etcdserver: key not found"


@pytest.mark.parametrize(("text", "words"), [(b"{", "unexpected EOF"), (b'{"ID":true}', "json: cannot unmarshal bool")])
async def test_a_first_request_that_cannot_be_read_is_answered_as_etcd_does(
    start_gateway: StartGateway, text: bytes, words: str
) -> None:
    running = await start_gateway()
    answer = await running.post(KEEP_ALIVE, text)
    assert (answer.status, answer.json["code"]) == (500, 2)
    assert answer.json["message"].startswith(words)
    assert not running.handlers.calls


async def test_a_later_request_that_cannot_be_read_ends_the_requests(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(KEEP_ALIVE, b'{"ID":1}garbage')
    assert lines(answer.body) == [{"result": {"ID": "1", "TTL": "10"}}]


async def test_a_request_of_a_stream_may_not_grow_without_end(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(KEEP_ALIVE, b'{"x":"' + b"y" * 400_000)
    assert (answer.status, answer.json["code"]) == (429, 8)


async def test_a_client_that_leaves_ends_the_stream(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    async with running.session.post(SNAPSHOT, data=b"{}") as response:
        await response.content.readline()
        response.close()
        async with asyncio.timeout(5):
            await running.handlers.cancelled.wait()


async def test_stopping_says_so_in_the_stream(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    async with running.session.post(SNAPSHOT, data=b"{}") as response:
        assert json.loads(await response.content.readline()) == FIRST
        await running.gateway.stop(0.0)
        last = json.loads(await response.content.readline())
    assert (last["error"]["grpc_code"], last["error"]["message"]) == (14, "etcdserver: server stopped")
    assert running.handlers.cancelled.is_set()


async def test_a_deadline_ends_a_stream_with_an_error(start_gateway: StartGateway) -> None:
    running = await start_gateway()
    answer = await running.post(SNAPSHOT, b"{}", Grpc_Timeout="20m")
    assert lines(answer.body)[0] == FIRST
    assert lines(answer.body)[1]["error"]["http_code"] == 504


OBJECTS = st.recursive(
    st.text(max_size=6) | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
).map(lambda value: {"v": value})


@settings(max_examples=150, deadline=None)
@given(st.lists(OBJECTS, max_size=4), st.integers(1, 7))
def test_a_stream_is_cut_between_its_objects_wherever_its_chunks_end(values: list[Any], size: int) -> None:
    text = " \n".join(json.dumps(value, ensure_ascii=False) for value in values).encode("utf-8", "surrogatepass")
    splitter = Splitter()
    found = [part for start in range(0, len(text), size) for part in splitter.feed(text[start : start + size])]
    assert [json.loads(part) for part in found] == values
    assert splitter.rest() == b""
