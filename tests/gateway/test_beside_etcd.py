"""The same JSON, given to the gateway of a real etcd 3.5.1 and to raftkv's, has to be answered alike."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from raftkv.gateway.paths import paths
from raftkv.gateway.writing import to_json
from raftkv.pb import rpc
from tests.conformance.comparison import comparable
from tests.conformance.generator import Generator
from tests.conftest import StartCluster
from tests.gateway.plain import Json, Plain
from tests.harness.calls import ROUTES
from tests.harness.etcd import EtcdCluster
from tests.harness.raftkv import RaftkvCluster

REQUESTS = 400
BROKEN = 1500
OF_THE_CLUSTER = ("cluster_id", "member_id", "raft_term")


@pytest.fixture
def both(start_cluster: StartCluster) -> Iterator[tuple[Plain, Plain]]:
    clusters = start_cluster(EtcdCluster, options={"unsafe-no-fsync": "true"}), start_cluster(RaftkvCluster)
    with Plain(clusters[0].endpoints[0]) as etcd, Plain(clusters[1].endpoints[0]) as raftkv:
        yield etcd, raftkv


def without_identity(value: Any) -> Any:
    """The JSON without what differs between clusters."""
    if isinstance(value, dict):
        return {name: without_identity(part) for name, part in value.items() if name not in OF_THE_CLUSTER}
    if isinstance(value, list):
        return [without_identity(part) for part in value]
    return value


def shape(value: Any) -> Any:
    """Names and kinds of values."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value[:1]]
    return type(value).__name__


class Speller:
    """The same request, spelled in one of the ways that a gateway has to understand."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def spell(self, request: Message) -> str:
        spelled = self._message(json.loads(to_json(request)), request.DESCRIPTOR)
        return json.dumps(spelled, indent=self._random.choice((None, None, 1)))

    def _message(self, value: Json, descriptor: Any) -> Json:
        spelled = [self._field(descriptor.fields_by_name[name], part) for name, part in value.items()]
        self._random.shuffle(spelled)
        if self._random.randrange(10) == 0:
            spelled.append(("no_such_field", [{}, None]))
        return dict(spelled)

    def _field(self, field: Any, value: Any) -> tuple[str, Any]:
        name = self._random.choice((field.name, field.json_name))
        if field.message_type is not None:
            parts = [self._message(part, field.message_type) for part in (value if field.is_repeated else [value])]
            return name, parts if field.is_repeated else parts[0]
        if field.enum_type is not None and value in field.enum_type.values_by_name and self._random.randrange(2):
            return name, field.enum_type.values_by_name[value].number
        is_integer = isinstance(value, str) and field.cpp_type in {field.CPPTYPE_INT64, field.CPPTYPE_UINT64}
        return name, int(value) if is_integer and self._random.randrange(2) else value


def path_of(request: Message) -> str:
    return paths(ROUTES[type(request)].path)[0]


def alike(request: Message, expected: Json, actual: Json) -> bool:
    """Whether two answers say the same; etcd sorts what is equal in no certain order."""
    if without_identity(expected) == without_identity(actual):
        return True
    response = ROUTES[type(request)].response
    settled = [comparable(request, json_format.ParseDict(answer, response())) for answer in (expected, actual)]
    return settled[0] == settled[1] and shape(without_identity(expected)) == shape(without_identity(actual))


@pytest.mark.parametrize("seed", [1, 2])
def test_random_requests_are_answered_alike(both: tuple[Plain, Plain], seed: int) -> None:
    etcd, raftkv = both
    random = Random(seed)
    generator, speller = Generator(random), Speller(random)
    accepted = 0
    for number in range(REQUESTS):
        request = generator.request()
        path, text = path_of(request), speller.spell(request)
        expected, actual = etcd.post(path, text), raftkv.post(path, text)
        assert expected.status == actual.status, (seed, number, path, text[:1000], expected, actual)
        assert alike(request, expected.json, actual.json), (seed, number, path, text[:1000], expected, actual)
        if expected.status == 200:
            accepted += 1
            generator.position.revision = int(expected.json["header"]["revision"])
            if isinstance(request, rpc.CompactionRequest):
                generator.position.compacted = request.revision
    assert accepted > REQUESTS // 2


def damaged(random: Random, text: str) -> bytes:
    """The text with a few bytes changed."""
    data = bytearray(text.encode())
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(data) + 1)
        data[at : at + random.randrange(3)] = random.choice(
            (b"", b"", b'"', b"\\", b"{", b"]", b",", b"1", b"-", b"e", b"\xe9", b"\x01")
        )
    return bytes(data)


def test_broken_requests_are_refused_alike(both: tuple[Plain, Plain]) -> None:
    """Only reads: what a broken write would do to etcd 3.5.1 is its own affair, and here the stores have to stay alike."""
    etcd, raftkv = both
    random = Random(5)
    generator, speller = Generator(random), Speller(random)
    reads = (rpc.RangeRequest, rpc.DeleteRangeRequest, rpc.PutRequest)
    refused = 0
    for number in range(BROKEN):
        request = generator.request()
        if not isinstance(request, reads) or request.ByteSize() > 10_000:
            continue
        text = damaged(random, speller.spell(request))
        if b"sort" in text:
            continue  # etcd 3.5.1 crashes on sort orders and targets that do not exist
        expected, actual = etcd.post(path_of(request), text), raftkv.post(path_of(request), text)
        assert (expected.status, without_identity(expected.json)) == (actual.status, without_identity(actual.json)), (
            number,
            text,
        )
        refused += expected.status != 200
    assert refused > 50


TRICKY = [
    b"", b"  ", b"null", b"[]", b'"x"', b"5", b"true", b"{", b"}", b"NaN", b"\x00", b"\xff", b'"', b"'", b"\xef\xbb\xbf{}",
    b'{"key":"YQ=="}garbage', b'{"key":"YQ=="}{"key":"Yg=="}', b'{"key":"YQ==","key":"Yg=="}', b'{"Key":"YQ=="}',
    b'{"key":"YQ"}', b'{"key":"-_8="}', b'{"key":"YQ="}', b'{"key":"!!"}', b'{"key":"YQ\\n=="}', b'{"key":"Y\\r\\nQ=\\n="}',
    b'{"key":"YQ=x"}', b'{"key":"Y2eE="}', b'{"key":"Y2eE===="}', b'{"key":"YQ==YQ=="}', b'{"key":"YQ==\\n"}', b'{"key":"=aaa"}', b'{"key":"a=aa"}', b'{"key":"YR=="}',
    b'{"key":"YWJjZGVmZw="}', b'{"key":"YWJjZGVmZ*=="}', b'{"key":"YQ\\n="}', b'{"key":"YQ\\n=\\n"}', b'{"key":"YQ=\\nx"}',
    b'{"key":5}', b'{"key":{}}', b'{"key":true}', b'{"key":null}', b'{"key":"\\ud800"}', b'{"key":"\xe9"}', b'{"key":"\x01"}',
    b'{"key":"\\x"}', b'{"key":"\\u00g0"}', b'{"key":"\\u"}', b'{"key" "x"}', b'{"key":"x" "y"}', b'{"key":nul}', b'{"key":tru}',
    b'{"key":falsy}', b'{"key":[1 2]}', b'{"key":1.}', b'{"key":-}', b'{"key":1e}', b'{"key":1e+}', b'{"key":.5}', b"{5:1}",
    b'{"k":1,}', b'{"k":[1,]}', b'{"k":[,]}', b"{,}", b'{"k"}', b'{"k":}', b'{"k":1', b'{"k', b'{"k":"\\', b"[1", b'{"k":[{',
    b'{"key":"YQ==","lease":0}', b'{"key":"YQ==","lease":-0}', b'{"key":"YQ==","lease":"0"}', b'{"key":"YQ==","lease":" 0 "}',
    b'{"key":"YQ==","lease":1.5}', b'{"key":"YQ==","lease":1.0}', b'{"key":"YQ==","lease":1e2}', b'{"key":"YQ==","lease":"1e2"}',
    b'{"key":"YQ==","lease":01}', b'{"key":"YQ==","lease":+1}', b'{"key":"YQ==","lease":""}', b'{"key":"YQ==","lease":"x"}',
    b'{"key":"YQ==","lease":true}', b'{"key":"YQ==","lease":[]}', b'{"key":"YQ==","lease":{}}', b'{"key":"YQ==","lease":"1x"}',
    b'{"key":"YQ==","lease":"1 2"}', b'{"key":"YQ==","lease":"[1"}', b'{"key":"YQ==","lease":"true"}', b'{"key":"YQ==","lease":"null"}',
    b'{"key":"YQ==","lease":9223372036854775808}', b'{"key":"YQ==","lease":"-9223372036854775809"}', b'{"key":"YQ==","lease":"12"}',
    b'{"key":"YQ==","prev_kv":"true"}', b'{"key":"YQ==","prev_kv":1}', b'{"key":"YQ==","prev_kv":null}', b'{"key":"YQ==","prevKv":true}',
    b'{"key":"YQ","lease":"x"}', b'{"lease":"x","key":"YQ"}', b'{"prev_kv":true,"prevKv":false,"key":"YQ=="}', b'{"key":"\xff"}',
]  # fmt: skip
TXNS = [
    b"{}", b'{"compare":[null]}', b'{"success":[null]}', b'{"success":[{"request_put":null}]}', b'{"success":{}}', b'{"success":"x"}',
    b'{"success":[5]}', b'{"success":[{"request_put":{"key":"YQ=="},"request_range":{"key":"YQ=="}}]}', b'{"success":[[]]}',
    b'{"compare":[{"key":"YQ==","version":"1","value":"YQ=="}],"success":[{"request_range":{"key":"YQ=="}}]}',
    b'{"compare":[{"key":"YQ==","result":"equal"}]}', b'{"compare":[{"key":"YQ==","result":"1"}]}', b'{"compare":[{"key":"YQ==","result":true}]}',
    b'{"compare":[{"key":"YQ==","result":1.0}]}', b'{"compare":[{"key":"YQ==","target":"\\"VERSION"}]}',
]  # fmt: skip


def test_tricky_texts_are_answered_alike(both: tuple[Plain, Plain]) -> None:
    etcd, raftkv = both
    texts = [("/v3/kv/put", text) for text in TRICKY] + [("/v3/kv/txn", text) for text in TXNS]
    for path, text in texts:
        expected, actual = etcd.post(path, text), raftkv.post(path, text)
        assert (expected.status, without_identity(expected.json)) == (actual.status, without_identity(actual.json)), text


PROBES = [
    ("GET", "/health"), ("GET", "/health?serializable=true"), ("GET", "/health?exclude=NOSPACE"), ("POST", "/health"), ("HEAD", "/health"),
    ("HEAD", "/version"), ("PUT", "/version"), ("GET", "/v3/kv/put"), ("DELETE", "/v3/kv/put"), ("GET", "/v3/"), ("POST", "/v3/nope"),
    ("POST", "/v3/kv/put/"), ("POST", "/v3/kv/put:x"), ("POST", "/V3/kv/put"), ("POST", "/v3alpha/kv/put"), ("GET", "/"), ("GET", "/health/"),
    ("GET", "/nope"), ("POST", "/v3/kv/%70ut"), ("POST", "/v3/kv/put?key=YQ=="),
]  # fmt: skip


def test_other_pages_are_answered_alike(both: tuple[Plain, Plain]) -> None:
    etcd, raftkv = both
    for method, path in PROBES:
        expected, actual = etcd.ask(method, path), raftkv.ask(method, path)
        assert expected == actual, (method, path)


def test_members_status_and_alarms_have_the_same_form(both: tuple[Plain, Plain]) -> None:
    etcd, raftkv = both
    for plain in both:
        assert plain.post("/v3/kv/put", b'{"key":"YQ=="}').status == 200
    for path in ("/v3/cluster/member/list", "/v3/maintenance/alarm"):
        assert shape(etcd.post(path, b"{}").json) == shape(raftkv.post(path, b"{}").json), path
    expected, actual = (shape(plain.post("/v3/maintenance/status", b"{}").json) for plain in both)
    assert {name: actual[name] for name in expected} == expected  # raftkv tells more, as later releases of etcd do


def test_a_timeout_is_answered_alike(both: tuple[Plain, Plain]) -> None:
    for timeout in ("1n", "xx", "5"):
        headers = {"Grpc-Timeout": timeout}
        expected, actual = (plain.post("/v3/kv/put", b'{"key":"YQ=="}', headers) for plain in both)
        assert (expected.status, expected.json) == (actual.status, actual.json), timeout
