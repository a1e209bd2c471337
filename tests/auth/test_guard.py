"""A method that nobody has thought of is for nobody."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from raftkv.errors import PermissionDeniedError
from raftkv.pb import rpc
from raftkv.reply import Reply
from raftkv.rpc.access import Access
from raftkv.rpc.guard import guarded
from raftkv.rpc.method import Call, Kind, Method
from raftkv.server.replica import Replica
from tests.auth.making import ROOT, cluster_of_three_users


def call_unknown_method(user: str) -> Any:
    """What a caller gets from a method that has no rule."""
    machine = cluster_of_three_users()
    replica = cast("Replica", SimpleNamespace(machine=machine.machine, leader=1, is_learner=False))
    access = cast("Access", SimpleNamespace(author=lambda _: machine.as_(user)))
    method = Method("/new.Service/Method", Kind.UNARY, rpc.RangeRequest, rpc.RangeResponse, lambda *_: Reply())
    return guarded(method, replica, access).handler(rpc.RangeRequest(), Call(""))


@pytest.mark.parametrize("user", ["nobody", "rw", ROOT])
def test_a_method_without_a_rule_is_refused_to_everybody(user: str) -> None:
    with pytest.raises(PermissionDeniedError):
        call_unknown_method(user)
