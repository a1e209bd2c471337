"""The dashboard's paths on a real node, over plain HTTP."""

import base64
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from raftkv.pb.torchft import QuorumMember
from raftkv.ui.live import MAX_STREAMS
from tests.harness.cluster import Cluster
from tests.harness.lighthouse import ask
from tests.harness.raftkv import RaftkvCluster


class Got(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def get(cluster: Cluster, path: str, method: str = "GET", body: Any = None, **headers: str) -> Got:
    connection = http.client.HTTPConnection(cluster.endpoints[0], timeout=20)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        response = connection.getresponse()
        return Got(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def post(cluster: Cluster, path: str, body: Any, **headers: str) -> Any:
    return get(cluster, path, "POST", body, **headers).json


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def events(cluster: Cluster, topic: str, wanted: int, **headers: str) -> list[tuple[str, Any]]:
    """The first events of a stream."""
    connection = http.client.HTTPConnection(cluster.endpoints[0], timeout=20)
    try:
        connection.request("GET", f"/ui/api/live?topic={topic}", None, headers)
        response = connection.getresponse()
        assert response.getheader("Content-Type") == "text/event-stream"
        found: list[tuple[str, Any]] = []
        while len(found) < wanted:
            name = response.readline().decode().removeprefix("event: ").strip()
            data = json.loads(response.readline().decode().removeprefix("data: "))
            assert response.readline() == b"\n"
            found.append((name, data))
        return found
    finally:
        connection.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with RaftkvCluster(tmp_path_factory.mktemp("ui")) as cluster:
        post(cluster, "/v3/kv/put", {"key": b64("app/<b>"), "value": b64("v")})
        lease = int(post(cluster, "/v3/lease/grant", {"TTL": 600})["ID"])
        post(cluster, "/v3/kv/put", {"key": b64(f"lock/{lease:x}"), "lease": lease})
        join = {"job": "j", "node": "n", "incarnation": "1", "lease": lease, "settings": {"min_nodes": 1, "max_nodes": 1}}
        post(cluster, "/v3/rendezvous/join", join)
        member = QuorumMember(replica_id="g", address="http://g:1", store_address="g:2", step=7, world_size=8)
        ask(cluster.endpoints[0], member, raftkv_job="j")
        yield cluster


# --- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_and_all_that_it_loads_are_served_with_strict_headers(cluster: Cluster) -> None:
    page = get(cluster, "/ui/")
    assert page.status == 200
    names = [name for name in page.body.decode().replace("'", '"').split('"') if name.endswith((".js", ".css", ".svg"))]
    assert {"main.js", "theme.js", "palette.css", "icon.svg"} <= set(names)
    for path in ("/ui/", *(f"/ui/{name}" for name in names), "/ui/views/cluster.js"):
        got = get(cluster, path)
        assert got.status == 200, path
        policy = got.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"} <= set(policy)
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in got.headers["Content-Security-Policy"]
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert got.headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in got.headers
        assert b"://" not in got.body.replace(b"http://www.w3.org/2000/svg", b""), "something is loaded from elsewhere"
        assert b"innerHTML" not in got.body


def test_the_page_stands_below_a_path_of_its_own(cluster: Cluster) -> None:
    moved = get(cluster, "/ui")
    assert (moved.status, moved.headers["Location"]) == (308, "/ui/")
    known = get(cluster, "/ui/main.js").headers["ETag"]
    assert get(cluster, "/ui/main.js", If_None_Match=known).status == 304
    assert get(cluster, "/ui/main.js", "POST").status == 405


def test_no_path_leads_anywhere_else(cluster: Cluster) -> None:
    for path in (
        "/ui/../assets.py",
        "/ui/..%2fassets.py",
        "/ui/%2e%2e/dashboard.py",
        "/ui/views/../../assets.py",
        "/ui//etc/passwd",
        "/ui/views",
        "/ui/views/",
        "/ui/main.js/",
        "/ui/main.js%00.css",
        "/ui/api/",
        "/ui/api/nope",
    ):
        assert get(cluster, path).status == 404, path


# --- questions ---------------------------------------------------------------------------------------------------------


def test_every_question_has_its_answer(cluster: Cluster) -> None:
    session = get(cluster, "/ui/api/session").json
    assert (session["auth"], session["user"], session["name"], session["leader_name"]) == (False, "", "node1", "node1")
    picture = get(cluster, "/ui/api/cluster").json
    assert [member["name"] for member in picture["members"]] == ["node1"]
    assert picture["members"][0]["answers"]
    assert [row["count"] for row in get(cluster, "/ui/api/keys").json["rows"]] == [4, 1, 1]
    history = get(cluster, f"/ui/api/history?key={b64('app/<b>')}").json
    assert [one["version"] for one in history["versions"]] == [1]
    (lease,) = get(cluster, "/ui/api/leases").json["leases"]
    assert lease["keys"] == 2
    assert 0 < lease["left"] <= 600
    assert get(cluster, f"/ui/api/lease?id={lease['id']}").json["lease"]["shown"][-1] == b64(f"lock/{lease['id']}")
    (line,) = get(cluster, "/ui/api/locks").json["lines"]
    assert (line["kind"], line["waiting"], line["holder"]["lease"]) == ("lock", 0, lease["id"])
    (place,) = get(cluster, f"/ui/api/lock?name={line['name']}").json["line"]["places"]
    assert place["holds"]
    (job,) = get(cluster, "/ui/api/jobs").json["jobs"]
    assert (job["name"], job["phase"], job["world_size"]) == ("j", "formed", 1)
    assert [round_["formed_at"] is not None for round_ in get(cluster, "/ui/api/job?name=j").json["job"]["rounds"]] == [True]
    texts = [event["text"] for event in get(cluster, "/ui/api/events?kind=job").json["events"]]
    assert texts == ["round 1 formed: 1 node", "began: round 1 is open"]


def test_a_quorum_is_told_with_what_its_groups_said(cluster: Cluster) -> None:
    (row,) = get(cluster, "/ui/api/quorums?find=j").json["quorums"]
    assert (row["name"], row["quorum_id"], row["groups"], row["first"]) == ("j", 1, 1, ["g"])
    quorum = get(cluster, "/ui/api/quorum?name=j").json["quorum"]
    assert quorum["members"] == [{"group": "g", "address": "http://g:1", "store_address": "g:2", "step": 7, "world_size": 8}]
    assert quorum["settings"] == {"min_replicas": 1, "join_timeout_ms": 60_000, "heartbeat_timeout_ms": 5000}
    assert quorum["created"] > 1.7e9
    assert get(cluster, "/ui/api/job?name=j").json["job"]["quorum"] == 1


def test_a_quorum_whose_key_says_something_else_has_its_id_and_groups(cluster: Cluster) -> None:
    ask(cluster.endpoints[0], "g", raftkv_job="changed")
    written = [
        "no json",
        "[]",
        '{"quorum_id": 2}',
        '{"quorum_id": 1, "created": "once", "participants": 5}',
        '{"quorum_id": 1, "created": 5, "participants": [7, {"replica_id": "g", "step": "x"}]}',
    ]
    for value in written:
        for key in ("quorum", "options"):
            post(cluster, "/v3/kv/put", {"key": b64(f"/raftkv/lighthouse/changed/{key}"), "value": b64(value)})
        quorum = get(cluster, "/ui/api/quorum?name=changed").json["quorum"]
        assert (quorum["quorum_id"], quorum["created"], quorum["settings"]["min_replicas"]) == (1, None, 1)
        assert [(member["group"], member["step"]) for member in quorum["members"]] == [("g", None)]


def test_answers_are_for_nobody_elses_pages_and_caches(cluster: Cluster) -> None:
    answer = get(cluster, "/ui/api/session")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert get(cluster, "/ui/api/session", Origin="http://evil.example").status == 403
    assert get(cluster, "/ui/api/live?topic=session", Origin="http://evil.example").status == 403


def test_what_is_asked_wrongly_is_answered_in_one_line(cluster: Cluster) -> None:
    for path in ("keys?prefix=%%%", "leases?offset=x", "live?topic=nope"):
        answer = get(cluster, f"/ui/api/{path}")
        assert (answer.status, answer.json["code"]) == (400, 3)
    assert get(cluster, "/ui/api/lease?id=zzz").json == {"lease": None}
    assert get(cluster, "/ui/api/job?name=nope").json == {"job": None}
    assert get(cluster, "/ui/api/quorum?name=nope").json == {"quorum": None}


def test_a_stream_tells_its_answer_once_and_a_pulse_each_second(cluster: Cluster) -> None:
    told = events(cluster, "jobs", 3)
    assert [name for name, _ in told] == ["pulse", "jobs", "pulse"]
    assert told[0][1]["leader_name"] == "node1"
    assert told[1][1]["jobs"][0]["name"] == "j"


def test_pages_that_are_open_are_bounded_and_what_is_closed_counts_no_more(cluster: Cluster) -> None:
    host, port = cluster.endpoints[0].split(":")

    def opened(closing: ExitStack) -> bytes:
        stream = closing.enter_context(socket.create_connection((host, int(port))))
        stream.sendall(b"GET /ui/api/live?topic=session HTTP/1.1\r\nHost: a\r\n\r\n")
        return stream.recv(12)

    with ExitStack() as closing:
        assert {opened(closing) for _ in range(MAX_STREAMS)} == {b"HTTP/1.1 200"}
        assert get(cluster, "/ui/api/live?topic=session").status == 429
        assert get(cluster, "/ui/api/session").status == 200  # only streams are bounded
    with ExitStack() as closing:
        while opened(closing) != b"HTTP/1.1 200":
            pass  # the node has not heard of all the ends yet


# --- authentication ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with RaftkvCluster(tmp_path_factory.mktemp("guarded"), options={"bcrypt-cost": "4"}) as cluster:
        post(cluster, "/v3/kv/put", {"key": b64("jobs/1"), "value": b64("hers")})
        post(cluster, "/v3/kv/put", {"key": b64("other"), "value": b64("not hers")})
        for job in ("jobs", "other"):
            lease = int(post(cluster, "/v3/lease/grant", {"TTL": 600})["ID"])
            post(cluster, "/v3/kv/put", {"key": b64(f"{job}/{lease:x}"), "lease": lease})
            join = {"job": job, "node": "n", "incarnation": "1", "lease": lease, "settings": {"min_nodes": 1, "max_nodes": 1}}
            post(cluster, "/v3/rendezvous/join", join)
            ask(cluster.endpoints[0], "g", raftkv_job=job)
        post(cluster, "/v3/auth/role/add", {"name": "r"})
        for prefix in ("jobs/", "/raftkv/rendezvous/jobs/", "/raftkv/lighthouse/jobs/"):
            permission = {"permType": "READ", "key": b64(prefix), "range_end": b64(prefix[:-1] + "0")}
            post(cluster, "/v3/auth/role/grant", {"name": "r", "perm": permission})
        for user, role in (("root", "root"), ("alice", "r")):
            post(cluster, "/v3/auth/user/add", {"name": user, "password": "p"})
            post(cluster, "/v3/auth/user/grant", {"user": user, "role": role})
        assert "error" not in post(cluster, "/v3/auth/enable", {})
        yield cluster


@pytest.fixture
def alice(guarded: Cluster) -> dict[str, str]:
    return {"Authorization": post(guarded, "/v3/auth/authenticate", {"name": "alice", "password": "p"})["token"]}


QUESTIONS = (
    "session",
    "cluster",
    "keys",
    "history",
    "leases",
    "lease",
    "locks",
    "lock",
    "jobs",
    "job",
    "quorums",
    "quorum",
    "events",
)


def test_the_page_itself_is_open_and_its_questions_are_not(guarded: Cluster) -> None:
    assert get(guarded, "/ui/").status == 200
    for question in QUESTIONS:
        refused = get(guarded, f"/ui/api/{question}")
        assert (refused.status, refused.json["message"]) == (400, "etcdserver: user name is empty"), question
        refused = get(guarded, f"/ui/api/{question}", Authorization="nobodysnobodysno.7")
        assert (refused.status, refused.json["code"]) == (401, 16), question
    assert get(guarded, "/ui/api/live?topic=cluster").status == 400


def test_a_token_in_an_address_is_none(guarded: Cluster, alice: dict[str, str]) -> None:
    assert get(guarded, f"/ui/api/session?token={alice['Authorization']}").status == 400
    assert get(guarded, "/ui/api/session", Cookie=f"token={alice['Authorization']}").status == 400


def test_a_user_sees_what_it_may_read_and_no_more(guarded: Cluster, alice: dict[str, str]) -> None:
    session = get(guarded, "/ui/api/session", **alice).json
    assert (session["user"], session["roles"], session["readable"][0]["key"]) == (
        "alice",
        ["r"],
        b64("/raftkv/lighthouse/jobs/"),
    )
    assert get(guarded, "/ui/api/keys", **alice).status == 403
    assert get(guarded, f"/ui/api/keys?prefix={b64('jobs/')}", **alice).json["count"] == 2
    assert get(guarded, f"/ui/api/history?key={b64('other')}", **alice).status == 403
    shown = [(len(lease["shown"]), lease["keys"]) for lease in get(guarded, "/ui/api/leases", **alice).json["leases"]]
    assert shown == [(0, 2), (2, 2)]
    locks = get(guarded, "/ui/api/locks", **alice).json
    assert ([line["name"] for line in locks["lines"]], locks["hidden"]) == ([b64("jobs/")], 1)
    assert get(guarded, f"/ui/api/lock?name={b64('other/')}", **alice).status == 403
    assert [job["name"] for job in get(guarded, "/ui/api/jobs", **alice).json["jobs"]] == ["jobs"]
    assert get(guarded, "/ui/api/job?name=other", **alice).status == 403
    assert [quorum["name"] for quorum in get(guarded, "/ui/api/quorums", **alice).json["quorums"]] == ["jobs"]
    assert get(guarded, "/ui/api/quorum?name=jobs", **alice).json["quorum"]["groups"] == 1
    assert get(guarded, "/ui/api/quorum?name=other", **alice).status == 403
    subjects = {event["subject"] for event in get(guarded, "/ui/api/events?kind=job", **alice).json["events"]}
    assert subjects == {"jobs"}


def test_a_stream_ends_with_the_right_to_it(guarded: Cluster, alice: dict[str, str]) -> None:
    connection = http.client.HTTPConnection(guarded.endpoints[0], timeout=20)
    connection.request("GET", "/ui/api/live?topic=jobs", None, alice)
    response = connection.getresponse()
    assert response.readline() == b"event: pulse\n"
    root = post(guarded, "/v3/auth/authenticate", {"name": "root", "password": "p"})["token"]
    post(guarded, "/v3/auth/user/changepw", {"name": "alice", "password": "p"}, Authorization=root)
    rest = response.read().decode()
    assert 'event: trouble\ndata: {"code":16,"message":"etcdserver: invalid auth token"}' in rest
    connection.close()
