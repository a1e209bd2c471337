"""Authentication as clients of real nodes meet it: over gRPC, through the gateway, on every node, while it is turned on."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf.message import Message

from raftkv.client import BlockingClient, Client
from raftkv.errors import (
    AuthFailedError,
    Code,
    InvalidAuthTokenError,
    PermissionDeniedError,
    UserEmptyError,
)
from raftkv.pb import election, lock, rpc, update
from raftkv.rpc.rights import RIGHTS, Right
from tests.harness.calls import ROUTES, Failure
from tests.harness.cluster import Cluster
from tests.harness.raftkv import RaftkvCluster

OPTIONS = {"bcrypt-cost": "4"}
LOAD_WRITERS = 4
NAMED: dict[type[Message], Message] = {
    lock.LockRequest: lock.LockRequest(name=b"k"),
    lock.UnlockRequest: lock.UnlockRequest(key=b"k"),
    election.CampaignRequest: election.CampaignRequest(name=b"k"),
    election.LeaderRequest: election.LeaderRequest(name=b"k"),
    election.ProclaimRequest: election.ProclaimRequest(leader=election.LeaderKey(name=b"k", key=b"k", rev=1, lease=1)),
    election.ResignRequest: election.ResignRequest(leader=election.LeaderKey(name=b"k", key=b"k", rev=1, lease=1)),
    rpc.RangeRequest: rpc.RangeRequest(key=b"k"),
    rpc.PutRequest: rpc.PutRequest(key=b"k"),
    rpc.DeleteRangeRequest: rpc.DeleteRangeRequest(key=b"k"),
    rpc.TxnRequest: rpc.TxnRequest(success=[rpc.RequestOp(request_put=rpc.PutRequest(key=b"k"))]),
    update.UpdateRequest: update.UpdateRequest(changes=[update.Change(key=b"k")]),
    rpc.AuthUserGetRequest: rpc.AuthUserGetRequest(name="root"),
    rpc.AuthRoleGetRequest: rpc.AuthRoleGetRequest(role="root"),
}
"""What would do something with keys."""
HARMLESS = {rpc.LeaseRevokeRequest, rpc.LeaseTimeToLiveRequest}
"""About no lease: there are no keys to be denied."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes, with authentication on: root, alice (reads and writes /a/), nobody."""
    with RaftkvCluster(tmp_path_factory.mktemp("auth"), size=3, options=OPTIONS) as nodes:
        with BlockingClient(nodes.endpoints) as client:
            set_up(client)
        yield nodes


def set_up(client: BlockingClient) -> None:
    client.role_add("a")
    client.role_grant_permission("a", "readwrite", "/a/", prefix=True)
    for user in ("root", "alice", "nobody"):
        client.user_add(user, f"{user}'s")
    client.user_grant_role("alice", "a")
    client.user_grant_role("root", "root")
    client.auth_enable()


def as_user(cluster: Cluster, user: str) -> BlockingClient:
    return BlockingClient(cluster.endpoints, user=user, password=f"{user}'s")


def token(cluster: Cluster, user: str) -> str:
    request = rpc.AuthenticateRequest(name=user, password=f"{user}'s")
    answer: rpc.AuthenticateResponse = cluster.nodes[0].caller.ask(request)
    return answer.token


def guarded_requests() -> list[Message]:
    return [NAMED.get(kind, kind()) for kind, route in ROUTES.items() if RIGHTS[route.path] is not Right.OPEN]


def test_no_method_answers_who_does_not_say_who_it_is(cluster: Cluster) -> None:
    for request in guarded_requests():
        answer = cluster.nodes[0].caller.call(request)
        assert answer == Failure(Code.INVALID_ARGUMENT, UserEmptyError.text) or answer.code is Code.UNIMPLEMENTED, request


def test_no_method_answers_an_invented_token(cluster: Cluster) -> None:
    for request in guarded_requests():
        answer = cluster.nodes[0].caller.call(request, metadata={"token": "abcdefghijklmnop.3"})
        assert answer == Failure(Code.UNAUTHENTICATED, InvalidAuthTokenError.text) or answer.code is Code.UNIMPLEMENTED, request


def test_user_without_roles_is_denied_everything_but_what_every_user_may(cluster: Cluster) -> None:
    metadata = {"token": token(cluster, "nobody")}
    for request in guarded_requests():
        answer = cluster.nodes[0].caller.call(request, metadata=metadata)
        path = ROUTES[type(request)].path
        if (RIGHTS[path] is Right.KNOWN and not path.startswith("/etcdserverpb.Auth/")) or type(request) in HARMLESS:
            continue
        assert isinstance(answer, Failure), request
        assert answer.code is Code.UNIMPLEMENTED or answer.details == PermissionDeniedError.text, (request, answer)


def test_token_of_one_node_is_good_on_all(cluster: Cluster) -> None:
    metadata = {"token": token(cluster, "alice")}
    for node in cluster.nodes:
        answer = node.caller.call(rpc.PutRequest(key=b"/a/x"), metadata=metadata)
        assert isinstance(answer, rpc.PutResponse)
        answer = node.caller.call(rpc.RangeRequest(key=b"/a/x", serializable=True), metadata=metadata)
        assert isinstance(answer, rpc.RangeResponse)


def test_client_authenticates_and_meets_its_limits(cluster: Cluster) -> None:
    with as_user(cluster, "alice") as alice:
        alice.put("/a/k", "v")
        assert alice.range("/a/", prefix=True).count >= 1
        for refused in (
            lambda: alice.put("/b", ""),
            lambda: alice.range("/", prefix=True),
            lambda: alice.compact(1),
            alice.users,
        ):
            with pytest.raises(PermissionDeniedError):
                refused()
        assert list(alice.user_get("alice").roles) == ["a"]
        assert len(alice.role_get("a").perm) == 1


def test_wrong_password_and_unknown_user_are_told_alike(cluster: Cluster) -> None:
    for user, password in (("alice", "wrong"), ("mallory", "alice's")):
        with BlockingClient(cluster.endpoints, user=user, password=password) as client, pytest.raises(AuthFailedError):
            client.get("/a/k")


def test_client_renews_a_token_that_was_revoked(cluster: Cluster) -> None:
    with as_user(cluster, "root") as root:
        root.user_add("bob", "bob's")
        root.user_grant_role("bob", "a")
        with as_user(cluster, "bob") as bob:
            bob.put("/a/bob", "1")
            root.user_change_password("bob", "bob's")  # whatever it is, tokens are void
            bob.put("/a/bob", "2")
            root.user_change_password("bob", "other")
            with pytest.raises(AuthFailedError):
                bob.put("/a/bob", "3")
        root.user_delete("bob")


async def test_watch_ends_when_its_user_may_no_longer(cluster: Cluster) -> None:
    async with (
        Client(cluster.endpoints, user="root", password="root's") as root,
        Client(cluster.endpoints, user="carol", password="c") as carol,
    ):
        await root.user_add("carol", "c")
        await root.user_grant_role("carol", "a")
        async with asyncio.timeout(20), carol.watch("/a/", prefix=True) as events:
            await root.role_add("unrelated")
            await root.put("/a/w", "1")
            event = await anext(aiter(events))
            assert event
            await root.user_revoke_role("carol", "a")
            with pytest.raises(PermissionDeniedError):
                async for _ in events:
                    pass
        with pytest.raises(PermissionDeniedError):
            async with carol.watch("/a/") as refused:
                await anext(aiter(refused))
        await root.user_delete("carol")
        await root.role_delete("unrelated")


def test_locks_need_what_their_keys_need(cluster: Cluster) -> None:
    node, metadata = cluster.nodes[0].caller, {"token": token(cluster, "alice")}
    locked: lock.LockResponse = node.ask(lock.LockRequest(name=b"/a/lock"), metadata=metadata)
    node.ask(lock.UnlockRequest(key=locked.key), metadata=metadata)
    refused = node.call(lock.LockRequest(name=b"/b/lock"), metadata=metadata)
    assert isinstance(refused, Failure)
    assert refused.details == PermissionDeniedError.text


def test_recipes_need_what_their_keys_need(cluster: Cluster) -> None:
    with as_user(cluster, "alice") as alice:
        with alice.lock("/a/mutex") as held:
            assert alice.verify(held.token)
        with alice.election("/a/leader").campaign("alice") as leadership:
            assert alice.verify(leadership.token)
        with pytest.raises(PermissionDeniedError), alice.lock("/b/mutex"):
            pass


def test_observing_ends_when_its_user_may_no_longer(cluster: Cluster) -> None:
    with as_user(cluster, "root") as root:
        root.user_add("erin", "erin's")
        root.user_grant_role("erin", "a")
        metadata = {"token": token(cluster, "erin")}
        campaign = election.CampaignRequest(name=b"/a/observed", value=b"v")
        won: election.CampaignResponse = cluster.nodes[0].caller.ask(campaign, metadata=metadata)
        with grpc.insecure_channel(cluster.endpoints[0]) as channel:
            observe: Any = channel.unary_stream("/v3electionpb.Election/Observe")
            request = election.LeaderRequest(name=b"/a/observed").SerializeToString()
            observing = observe(request, metadata=tuple(metadata.items()), timeout=20)
            assert election.LeaderResponse.FromString(next(observing)).kv.value == b"v"
            root.user_revoke_role("erin", "a")
            with pytest.raises(grpc.RpcError, match="permission denied"):
                next(observing)
        root.lease_revoke(won.leader.lease)
        root.user_delete("erin")


def test_leases_are_kept_alive_by_any_user_and_alarms_lowered_by_root_alone(cluster: Cluster) -> None:
    with as_user(cluster, "nobody") as nobody, as_user(cluster, "root") as root:
        with nobody.lease(10) as held:
            assert nobody.lease_time_to_live(held.id).TTL > 0
        assert not nobody.alarms().alarms
        raised = rpc.AlarmRequest(action=rpc.AlarmRequest.ACTIVATE, memberID=1, alarm=rpc.NOSPACE)
        cluster.nodes[0].caller.ask(raised, metadata={"token": token(cluster, "root")})
        with pytest.raises(PermissionDeniedError):
            nobody.alarm_disarm()
        assert len(root.alarm_disarm()) == 1


def test_tokens_may_be_signed_instead(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    private = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    options = OPTIONS | {"auth-token": f"jwt,sign-method=ES256,priv-key={key},ttl=1m"}
    with RaftkvCluster(tmp_path / "signed", options=options) as signed:
        with BlockingClient(signed.endpoints) as client:
            set_up(client)
        with as_user(signed, "root") as root, as_user(signed, "alice") as alice:
            for round_ in range(3):
                alice.put("/a/x", str(round_))
                root.role_add(f"role{round_}")  # every change makes the tokens of users old
            with pytest.raises(PermissionDeniedError):
                alice.put("/b/x", "")
            assert token(signed, "alice").count(".") == 2


def test_gateway_takes_the_token_with_and_without_bearer(cluster: Cluster) -> None:
    known = token(cluster, "alice")
    assert over_http(cluster, {}) == 400
    assert over_http(cluster, {"Authorization": "nonsense"}) == 401
    assert over_http(cluster, {"Authorization": known}) == 200
    assert over_http(cluster, {"Authorization": f"Bearer {known}"}) == 200


async def test_websocket_takes_the_token_as_browsers_can_give_it(cluster: Cluster) -> None:
    known = await asyncio.to_thread(token, cluster, "alice")
    url = f"{cluster.nodes[0].client_url}/v3/watch"
    create = {"create_request": {"key": "L2Ev"}}  # /a/
    async with asyncio.timeout(10), aiohttp.ClientSession() as session:
        async with session.ws_connect(url, protocols=("Bearer", known)) as socket:
            assert socket.protocol == "Bearer"
            await socket.send_json(create)
            assert "canceled" not in (await socket.receive_json())["result"]
        async with session.ws_connect(url, protocols=("Bearer", "nonsense")) as socket:
            await socket.send_json(create)
            refused = await socket.receive_json()
            assert "invalid auth token" in json.dumps(refused)


def over_http(cluster: Cluster, headers: dict[str, str]) -> int:
    body = json.dumps({"key": "L2Ev"}).encode()  # /a/
    request = urllib.request.Request(f"{cluster.nodes[0].client_url}/v3/kv/range", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_logs_and_data_have_no_password(cluster: Cluster) -> None:
    secret = "a-password-to-look-for"
    with as_user(cluster, "root") as root:
        root.user_add("dave", secret)
    with BlockingClient(cluster.endpoints, user="dave", password=secret) as dave, pytest.raises(PermissionDeniedError):
        dave.get("/a/k")
    with BlockingClient(cluster.endpoints, user="dave", password=secret + "!") as wrong, pytest.raises(AuthFailedError):
        wrong.get("/a/k")
    for node in cluster.nodes:
        files = [node.log, *(path for path in node.data.rglob("*") if path.is_file())]
        assert not [path for path in files if secret.encode() in path.read_bytes()]


# --- turning it on


async def test_authentication_is_turned_on_under_load_and_nothing_is_lost(tmp_path: Path) -> None:
    """Clients that have a name go on writing, over the death of a leader too; those that have none are refused."""
    with RaftkvCluster(tmp_path / "migrated", size=3, options=OPTIONS) as cluster:
        finished = asyncio.Event()
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            named = [tasks.create_task(keep_writing(cluster, number, finished)) for number in range(LOAD_WRITERS)]
            anonymous = tasks.create_task(write_until_refused(cluster))
            await asyncio.to_thread(migrate, cluster)
            assert isinstance(await anonymous, UserEmptyError)
            async with Client(cluster.endpoints, user="root", password="root's", timeout=20) as root:
                await kill_leader(cluster, root)
                await root.put("/b/after", "the leader's death")
                finished.set()
                counts = [await writer for writer in named]
                found = await root.range("/a/", prefix=True)
        assert [int(pair.value) for pair in found.kvs] == counts


async def kill_leader(cluster: Cluster, root: Client) -> None:
    leader = (await root.status()).leader
    for node in cluster.nodes:
        if (await root.status(node.endpoint)).header.member_id == leader:
            node.kill()


def migrate(cluster: Cluster) -> None:
    with BlockingClient(cluster.endpoints, timeout=20) as client:
        set_up(client)


async def keep_writing(cluster: Cluster, number: int, finished: asyncio.Event) -> int:
    """Counts in a key of its own; every count is written once. The user is there from the beginning, or comes later."""
    acknowledged: list[int] = []
    async with Client(cluster.endpoints, user="alice", password="alice's", timeout=30) as client:
        while not finished.is_set():
            value = len(acknowledged) + 1
            response = await client.put(f"/a/{number}", str(value), prev_kv=True)
            assert response.prev_kv.value == (str(value - 1).encode() if acknowledged else b"")
            acknowledged.append(value)
    assert all(after == before + 1 for before, after in pairwise(acknowledged))
    return acknowledged[-1]


async def write_until_refused(cluster: Cluster) -> Exception:
    async with Client(cluster.endpoints, timeout=30) as client:
        while True:
            try:
                await client.put("/c/anonymous", "1")
            except UserEmptyError as error:
                return error
