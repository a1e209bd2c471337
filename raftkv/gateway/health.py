"""Whether this node can serve, for probes and load balancers: etcd's /health, /livez, /readyz, and /version.

/health    false where an alarm stands, no leader is known, or a read fails; `serializable=true` asks only this node,
           `exclude=NOSPACE` overlooks an alarm
/livez     should the process be restarted?  serializable_read
/readyz    should it get requests?           data_corruption, linearizable_read, non_learner, serializable_read
           each check also under /readyz/<check>; `verbose` lists them, `exclude=<check>` leaves one out
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

from aiohttp.web import BaseRequest, Response

from raftkv.errors import RequestError
from raftkv.gateway.answers import json_answer, text_answer
from raftkv.gateway.gateway import Page
from raftkv.metrics.health import HealthCounts
from raftkv.pb.rpc import CORRUPT, AlarmType
from raftkv.rpc.downgrades import STORAGE_VERSION
from raftkv.rpc.maintenance import API_VERSION
from raftkv.server.replica import Replica

Check = Callable[[], Awaitable[str]]
"""Why not, or nothing."""


class Health:
    """The checks of one node."""

    def __init__(self, replica: Replica, counts: HealthCounts) -> None:
        self._replica = replica
        self._counts = counts

    def pages(self) -> Mapping[str, Page]:
        """Every path."""
        live = {"serializable_read": self._serializable_read}
        ready = {
            "data_corruption": self._data_corruption,
            "linearizable_read": self._linearizable_read,
            "non_learner": self._non_learner,
            "serializable_read": self._serializable_read,
        }
        return {
            "/health": self._health,
            "/version": self._version,
            **_pages("livez", live, self._counts),
            **_pages("readyz", ready, self._counts),
        }

    # --- /health ----------------------------------------------------------------------------------------------------

    async def _health(self, request: BaseRequest) -> Response:
        serializable = request.query.get("serializable") == "true"
        reason = self._alarm(request.query.getall("exclude", []))
        if not reason and not serializable and not self._replica.leader:
            reason = "RAFT NO LEADER"
        if not reason:
            failure = await (self._serializable_read if serializable else self._linearizable_read)()
            reason = failure and f"RANGE ERROR:{failure}"
        self._counts.page(healthy=not reason)
        body = json.dumps({"health": "false" if reason else "true", "reason": reason}, separators=(",", ":"))
        return text_answer(f"{body}\n", HTTPStatus.SERVICE_UNAVAILABLE) if reason else text_answer(body)

    def _alarm(self, excluded: list[str]) -> str:
        for _, alarm in sorted(self._replica.machine.alarms):
            name = AlarmType.Name(alarm)
            if name not in excluded:
                return f"ALARM {name}"
        return ""

    # --- checks -----------------------------------------------------------------------------------------------------

    async def _serializable_read(self) -> str:
        return await self._reads(lambda: self._replica.read_local(_nothing))

    async def _linearizable_read(self) -> str:
        return await self._reads(lambda: self._replica.read(_nothing))

    async def _reads(self, read: Callable[[], Awaitable[object]]) -> str:
        try:
            await read()
        except RequestError as error:
            return str(error)
        return ""

    async def _data_corruption(self) -> str:
        corrupt = any(alarm == CORRUPT for _, alarm in self._replica.machine.alarms)
        return "alarm activated: CORRUPT" if corrupt else ""

    async def _non_learner(self) -> str:
        return "not supported for learner" if self._replica.is_learner else ""

    # --- /version ---------------------------------------------------------------------------------------------------

    async def _version(self, request: BaseRequest) -> Response:  # noqa: ARG002 (a page's shape)
        cluster = self._replica.machine.cluster_version or CLUSTER_VERSION
        versions = {"etcdserver": API_VERSION, "etcdcluster": cluster, "storage": STORAGE_VERSION}
        return json_answer(json.dumps(versions, separators=(",", ":")))


CLUSTER_VERSION: Final = API_VERSION.rpartition(".")[0] + ".0"
"""What the members agree on while nothing else was decided: the API's minor version."""


def _nothing() -> None:
    """A read that looks at no key: what it shows is that reads are answered."""


def _pages(kind: str, checks: Mapping[str, Check], counts: HealthCounts) -> Mapping[str, Page]:
    """All checks at the root, and each one below it."""

    async def all_of_them(request: BaseRequest) -> Response:
        excluded = request.query.getall("exclude", [])
        chosen = {name: check for name, check in checks.items() if name not in excluded}
        return await _run(kind, chosen, request, counts)

    def single(name: str, check: Check) -> Page:
        return lambda request: _run(kind, {name: check}, request, counts)

    return {f"/{kind}": all_of_them, **{f"/{kind}/{name}": single(name, check) for name, check in checks.items()}}


async def _run(kind: str, checks: Mapping[str, Check], request: BaseRequest, counts: HealthCounts) -> Response:
    lines: list[str] = []
    failed = False
    for name, check in checks.items():
        reason = await check()
        failed = failed or bool(reason)
        counts.check(kind, name, passed=not reason)
        lines.append(f"[-]{name} failed: {reason}\n" if reason else f"[+]{name} ok\n")
    if failed:
        return text_answer("".join(lines) + "\n", HTTPStatus.SERVICE_UNAVAILABLE)
    return text_answer(("".join(lines) if "verbose" in request.query else "") + "ok\n")
