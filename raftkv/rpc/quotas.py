"""raftkv.v1.Quotas: what prefixes may hold, and how much may be asked of them."""

from typing import Any

from raftkv.apply.command import REMOVE_QUOTA, SET_QUOTA, body
from raftkv.errors import InvalidArgumentError, NotAllowedError, QuotaNotFoundError
from raftkv.pb import quota as pb
from raftkv.pb.rpc import RangeRequest, ResponseHeader
from raftkv.quotas import end_of
from raftkv.quotas.book import Name
from raftkv.reply import Reply
from raftkv.rpc.access import Access
from raftkv.rpc.metadata import request_id
from raftkv.rpc.method import Call, Kind, Method
from raftkv.rpc.tenants import Tenants
from raftkv.server.replica import Replica

SERVICE = "/raftkv.v1.Quotas/"
MAX_PREFIX_BYTES = 4096
MAX_ROLE_BYTES = 256
_LIMITS = ("max_bytes", "max_keys", "max_watches", "requests_per_second")


class QuotasService:
    """The service. Who sets quotas needs the role root; who looks at one, the permission to read its prefix."""

    def __init__(self, replica: Replica, tenants: Tenants, access: Access) -> None:
        self._replica = replica
        self._book = replica.machine.quotas
        self._tenants = tenants
        self._access = access

    def methods(self) -> list[Method]:
        """What it offers."""
        return [
            Method(SERVICE + "Set", Kind.UNARY, pb.SetQuotaRequest, pb.SetQuotaResponse, self.set),
            Method(SERVICE + "Get", Kind.UNARY, pb.GetQuotaRequest, pb.GetQuotaResponse, self.get),
            Method(SERVICE + "List", Kind.UNARY, pb.ListQuotasRequest, pb.ListQuotasResponse, self.list),
            Method(SERVICE + "Remove", Kind.UNARY, pb.RemoveQuotaRequest, pb.RemoveQuotaResponse, self.remove),
        ]

    def set(self, request: pb.SetQuotaRequest, call: Call) -> Reply[Any]:
        """Sets a quota."""
        check_quota(request.quota)
        return self._replica.propose(body(SET_QUOTA, call.body), request_id(call.metadata), call.author)

    def remove(self, request: pb.RemoveQuotaRequest, call: Call) -> Reply[Any]:
        """Removes a quota."""
        _check_name(request.prefix, request.role)
        return self._replica.propose(body(REMOVE_QUOTA, call.body), request_id(call.metadata), call.author)

    def get(self, request: pb.GetQuotaRequest, call: Call) -> Reply[Any]:
        """One quota, and what is used of it."""

        def work() -> pb.GetQuotaResponse:
            self._check(call, request.prefix)
            name = (request.prefix, request.role)
            if name not in self._book.quotas:
                raise QuotaNotFoundError
            return pb.GetQuotaResponse(header=self._header(), status=self._status(name))

        return self._replica.read(work)

    def list(self, _request: pb.ListQuotasRequest, call: Call) -> Reply[Any]:
        """All quotas whose prefixes the caller may read."""

        def work() -> pb.ListQuotasResponse:
            seen = [name for name in self._book.quotas if self._may_see(call, name[0])]
            return pb.ListQuotasResponse(header=self._header(), quotas=[self._status(name) for name in seen])

        return self._replica.read(work)

    def _may_see(self, call: Call, prefix: bytes) -> bool:
        try:
            self._check(call, prefix)
        except NotAllowedError:
            return False
        return True

    def _check(self, call: Call, prefix: bytes) -> None:
        """Refuses who may not read all of the prefix."""
        end = end_of(prefix)
        self._access.check(call, RangeRequest(key=prefix or b"\0", range_end=b"\0" if end is None else end))

    def _status(self, name: Name) -> pb.QuotaStatus:
        usage, tenants = self._book.usage[name[0]], self._tenants
        return pb.QuotaStatus(
            quota=self._book.quotas[name],
            used_bytes=usage.bytes,
            used_keys=usage.keys,
            watches=tenants.watches[name],
            refused=tenants.refused[name] + self._book.refused[name],
        )

    def _header(self) -> ResponseHeader:
        header = ResponseHeader(revision=self._replica.store.revision)
        self._replica.fill(header)
        return header


def check_quota(quota: pb.Quota) -> None:
    """What makes a quota wrong whoever sets it. Raises InvalidArgumentError."""
    _check_name(quota.prefix, quota.role)
    if not any(quota.HasField(limit) for limit in _LIMITS):
        raise InvalidArgumentError(f"raftkv: a quota needs a limit: {', '.join(_LIMITS)}")


def _check_name(prefix: bytes, role: str) -> None:
    if len(prefix) > MAX_PREFIX_BYTES:
        raise InvalidArgumentError(f"raftkv: a prefix of a quota has at most {MAX_PREFIX_BYTES} bytes")
    if len(role.encode()) > MAX_ROLE_BYTES:
        raise InvalidArgumentError(f"raftkv: a role has at most {MAX_ROLE_BYTES} bytes")
