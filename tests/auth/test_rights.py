"""Who may do what, method by method and command by command: nothing is left without a rule."""

import random
from typing import Any

import pytest

from raftkv.apply.rights import RIGHTS as COMMAND_RIGHTS
from raftkv.apply.rights import Right as CommandRight
from raftkv.auth.state import NODE, Author
from raftkv.errors import (
    AuthOldRevisionError,
    CorruptClusterError,
    NoSpaceError,
    NotAllowedError,
    PermissionDeniedError,
    UserEmptyError,
)
from raftkv.pb import command, election, health, lock, quota, reflection, reflection_v1alpha, rendezvous, rpc, torchft, update
from raftkv.pb.auth import Permission
from raftkv.rpc.rights import RIGHTS, Right
from tests.auth.making import ROOT, AuthMachine, cluster_of_three_users, grant

FILES = (rpc, lock, election, health, quota, reflection, reflection_v1alpha, rendezvous, torchft, update)
OPEN = {
    "/etcdserverpb.Auth/Authenticate",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
}
KEY_COMMANDS: dict[str, Any] = {
    "put": rpc.PutRequest(key=b"k"),
    "delete_range": rpc.DeleteRangeRequest(key=b"k"),
    "txn": rpc.TxnRequest(success=[rpc.RequestOp(request_put=rpc.PutRequest(key=b"k"))]),
    "update": update.UpdateRequest(changes=[update.Change(key=b"k")]),
}
ALARMS = {
    "none": [],
    "nospace": [rpc.NOSPACE],
    "corrupt": [rpc.CORRUPT],
    "both": [rpc.NOSPACE, rpc.CORRUPT],
}


def test_every_method_of_every_service_has_one_rule() -> None:
    services = [service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()]
    assert set(RIGHTS) == {f"/{service.full_name}/{method.name}" for service in services for method in service.methods}


def test_nothing_is_open_but_what_must_be() -> None:
    assert {path for path, right in RIGHTS.items() if right is Right.OPEN} == OPEN


def test_every_command_of_the_log_has_one_rule() -> None:
    body = command.Command.DESCRIPTOR.oneofs_by_name["body"]
    assert set(COMMAND_RIGHTS) == {field.name for field in body.fields}


def test_every_change_of_users_needs_root_when_applied() -> None:
    auth = AuthMachine().machine.auth
    assert {name for name in auth.handlers() if COMMAND_RIGHTS[name] is not CommandRight.ROOT} == set()


@pytest.mark.parametrize(
    "name", [name for name, right in COMMAND_RIGHTS.items() if right in {CommandRight.ROOT, CommandRight.NODE}]
)
def test_command_for_root_is_refused_to_everybody_else(name: str) -> None:
    machine = cluster_of_three_users()
    body: dict[str, Any] = {name: getattr(command.Command(), name)}
    assert isinstance(machine.do(None, **body).error, UserEmptyError)
    assert isinstance(machine.do(machine.as_("rw"), **body).error, PermissionDeniedError)
    error = machine.do(machine.as_(ROOT), **body).error
    assert not isinstance(error, NotAllowedError) or name == "user_add"  # whose name is empty


def test_a_nodes_own_compaction_needs_no_user() -> None:
    machine = cluster_of_three_users()
    machine.must(machine.as_("rw"), put=rpc.PutRequest(key=b"k"))
    assert machine.do(NODE, compact=rpc.CompactionRequest(revision=2)).error is None
    assert isinstance(machine.do(NODE, put=rpc.PutRequest(key=b"k")).error, UserEmptyError)
    assert isinstance(machine.do(NODE, auth_disable=rpc.AuthDisableRequest()).error, UserEmptyError)


@pytest.mark.parametrize("name", KEY_COMMANDS)
def test_keys_are_asked_about_when_they_are_written(name: str) -> None:
    machine = cluster_of_three_users()
    body: dict[str, Any] = {name: KEY_COMMANDS[name]}
    assert isinstance(machine.do(None, **body).error, UserEmptyError)
    assert isinstance(machine.do(machine.as_("nobody"), **body).error, PermissionDeniedError)
    assert machine.do(machine.as_("rw"), **body).error is None
    assert machine.do(machine.as_(ROOT), **body).error is None


@pytest.mark.parametrize("alarms", ALARMS)
@pytest.mark.parametrize("name", [*KEY_COMMANDS, "auth_disable", "compact"])
def test_alarms_do_not_open_what_users_may_not_do(name: str, alarms: str) -> None:
    machine = cluster_of_three_users()
    for alarm in ALARMS[alarms]:
        machine.must(alarm=rpc.AlarmRequest(action=rpc.AlarmRequest.ACTIVATE, memberID=1, alarm=alarm))
    body: dict[str, Any] = {name: KEY_COMMANDS.get(name, getattr(command.Command(), name))}
    assert isinstance(machine.do(None, **body).error, UserEmptyError)
    assert isinstance(machine.do(machine.as_("nobody"), **body).error, PermissionDeniedError)
    assert machine.machine.auth.enabled
    if name == "auth_disable":
        machine.must(machine.as_(ROOT), **body)
    elif alarms == "nospace" and name in {"put", "txn"}:
        assert isinstance(machine.do(machine.as_("rw"), **body).error, NoSpaceError)
    elif alarms in {"corrupt", "both"}:
        assert isinstance(machine.do(machine.as_(ROOT), **body).error, CorruptClusterError)


def test_alarms_are_put_down_by_root_and_looked_at_by_any_user() -> None:
    machine = cluster_of_three_users()
    machine.must(alarm=rpc.AlarmRequest(action=rpc.AlarmRequest.ACTIVATE, memberID=1, alarm=rpc.NOSPACE))  # a node's own
    lower = rpc.AlarmRequest(action=rpc.AlarmRequest.DEACTIVATE, memberID=1, alarm=rpc.NOSPACE)
    assert isinstance(machine.do(machine.as_("rw"), alarm=lower).error, PermissionDeniedError)
    machine.must(machine.as_("nobody"), alarm=rpc.AlarmRequest())
    machine.must(machine.as_(ROOT), alarm=lower)


def test_request_that_was_proposed_before_a_change_of_roles_is_refused_after_it() -> None:
    machine = cluster_of_three_users()
    before = machine.as_("rw")
    machine.must(machine.as_(ROOT), user_revoke_role=rpc.AuthUserRevokeRoleRequest(name="rw", role="rw"))
    assert isinstance(machine.do(before, put=rpc.PutRequest(key=b"k")).error, AuthOldRevisionError)
    assert machine.machine.store.revision == 1


def test_refusal_is_not_remembered_so_that_the_same_request_may_come_again() -> None:
    machine = cluster_of_three_users()
    stale, request_id = Author("rw", machine.machine.auth.revision - 1), (b"client", 1)
    put = rpc.PutRequest(key=b"k")
    assert isinstance(machine.do(stale, request_id, put=put).error, AuthOldRevisionError)
    first = machine.do(machine.as_("rw"), request_id, put=put)
    assert first.error is None
    assert machine.do(stale, request_id, put=put).response == first.response  # a late copy: answered, not applied
    assert machine.machine.store.revision == 2


def test_lease_is_everybodys_who_may_write_all_its_keys() -> None:
    machine = cluster_of_three_users()
    machine.role("other", grant(Permission.READWRITE, b"x"))
    machine.user("other", "other")
    assert isinstance(machine.do(None, lease_grant=rpc.LeaseGrantRequest(ID=7, TTL=60)).error, UserEmptyError)
    machine.must(machine.as_("nobody"), lease_grant=rpc.LeaseGrantRequest(ID=7, TTL=60))
    machine.must(machine.as_("rw"), put=rpc.PutRequest(key=b"k", lease=7))
    joined = machine.do(machine.as_("other"), put=rpc.PutRequest(key=b"x", lease=7))
    assert isinstance(joined.error, PermissionDeniedError)
    assert isinstance(machine.do(machine.as_("other"), lease_revoke=rpc.LeaseRevokeRequest(ID=7)).error, PermissionDeniedError)
    assert isinstance(machine.do(None, lease_revoke=rpc.LeaseRevokeRequest(ID=7)).error, UserEmptyError)
    machine.must(machine.as_("rw"), lease_revoke=rpc.LeaseRevokeRequest(ID=7))


def test_replicas_decide_alike_about_random_commands() -> None:
    rng = random.Random(11)
    machines = [cluster_of_three_users(), cluster_of_three_users()]
    for _ in range(300):
        author = Author(rng.choice([ROOT, "rw", "nobody", ""]), rng.randrange(1, machines[0].machine.auth.revision + 2))
        body = _random_command(rng)
        left, right = (machine.do(author, **body) for machine in machines)
        assert (left.response, type(left.error)) == (right.response, type(right.error))
        machines[1] = _restarted(machines[1])
    assert machines[0].rows() == machines[1].rows()


def _random_command(rng: random.Random) -> dict[str, Any]:
    key = rng.choice([b"k", b"l", b"z"])
    choices: list[dict[str, Any]] = [
        {"put": rpc.PutRequest(key=key, prev_kv=rng.random() < 0.5)},
        {"delete_range": rpc.DeleteRangeRequest(key=key, range_end=rng.choice([b"", b"\0", b"m"]))},
        {
            "role_grant_permission": rpc.AuthRoleGrantPermissionRequest(
                name="rw", perm=grant(rng.choice([Permission.READ, Permission.WRITE, Permission.READWRITE]), key)
            )
        },
        {"role_revoke_permission": rpc.AuthRoleRevokePermissionRequest(role="rw", key=key)},
        {"user_grant_role": rpc.AuthUserGrantRoleRequest(user="nobody", role="rw")},
        {"user_revoke_role": rpc.AuthUserRevokeRoleRequest(name="nobody", role="rw")},
    ]
    return rng.choice(choices)


def _restarted(machine: AuthMachine) -> AuthMachine:
    machine.write()
    return AuthMachine(machine.engine)
