"""Alarms, asked of a real etcd 3.5.1 and of the state machine (an unknown alarm type crashes etcd and is left out).

One answer differs on purpose: with NOSPACE, etcd lets a put pass that stands in a nested transaction.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from raftkv.errors import Code
from raftkv.pb import rpc
from raftkv.pb.rpc import CORRUPT, NONE, NOSPACE, AlarmRequest
from tests.apply.commands import Machine
from tests.conftest import StartCluster
from tests.harness.calls import Failure
from tests.harness.cluster import Cluster
from tests.harness.etcd import EtcdCluster


@pytest.fixture
def etcd(start_cluster: StartCluster) -> Cluster:
    """One etcd node that is not asked to sync, for tests of what it answers."""
    return start_cluster(EtcdCluster, options={"unsafe-no-fsync": "true"})


def requests() -> Iterator[Any]:
    get, activate, deactivate = AlarmRequest.GET, AlarmRequest.ACTIVATE, AlarmRequest.DEACTIVATE
    for action, kind, member in (
        (get, NONE, 0),
        (activate, NONE, 5),
        (activate, NOSPACE, 0),
        (activate, NOSPACE, 0),
        (get, NONE, 9),
        (get, NOSPACE, 0),
        (get, CORRUPT, 0),
        (activate, NOSPACE, 5),
        (deactivate, NOSPACE, 7),
        (deactivate, NONE, 5),
        (deactivate, NOSPACE, 0),
        (get, NONE, 0),
        (deactivate, NOSPACE, 5),
        (activate, CORRUPT, 5),
        (deactivate, CORRUPT, 5),
        (get, NONE, 0),
    ):
        yield AlarmRequest(action=action, alarm=kind, memberID=member)
        yield from KEY_REQUESTS


PUT = rpc.RequestOp(request_put=rpc.PutRequest(key=b"a"))
DELETE = rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=b"a"))
KEY_REQUESTS = (
    rpc.PutRequest(key=b"a"),
    rpc.TxnRequest(success=[PUT]),
    rpc.TxnRequest(failure=[PUT]),
    rpc.TxnRequest(success=[DELETE]),
    rpc.DeleteRangeRequest(key=b"a"),
    rpc.CompactionRequest(revision=1000),
)
BODIES: dict[type, str] = {
    rpc.PutRequest: "put",
    rpc.TxnRequest: "txn",
    rpc.DeleteRangeRequest: "delete_range",
    rpc.CompactionRequest: "compact",
    AlarmRequest: "alarm",
}


def test_alarms(etcd: Cluster) -> None:
    machine = Machine()
    for request in requests():
        outcome = machine.apply(**{BODIES[type(request)]: request})
        ours = outcome.answer() if outcome.error is None else Failure(Code(outcome.error.code), str(outcome.error))
        theirs = etcd.nodes[0].caller.call(request)
        if not isinstance(theirs, Failure):
            theirs.header.CopyFrom(rpc.ResponseHeader(revision=theirs.header.revision))
        assert ours == theirs, request
