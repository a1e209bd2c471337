"""The part of quotas that is each node's own: how many requests it takes in a second, how many watches are open here.

A request counts where its keys lie: each prefix that one of them begins with is asked for one token, however many keys there are.
A range counts by its first key. Locks and elections count as the requests that they are made of. A request that one of its
quotas refuses takes no token of the others.

    no quota of requests     one look at `rated` for each request
    no quota of watches      one look at `watched` for each watch
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from raftkv.errors import QuotaExceededError
from raftkv.pb.quota import Quota
from raftkv.pb.rpc import DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest, WatchCreateRequest
from raftkv.pb.update import UpdateRequest
from raftkv.quotas import Prefixes, QuotaBook
from raftkv.quotas.book import Name
from raftkv.quotas.bucket import Bucket
from raftkv.rpc.method import Call, Method

WATCHES, REQUESTS = "watches of this node", "requests per second of this node"
Watched = tuple[WatchCreateRequest, Call]
"""A watch, and the call that asked for it."""


class Tenants:
    """What a node lets through, and what it has refused."""

    def __init__(self, book: QuotaBook, now: Callable[[], float]) -> None:
        """`now`: monotonic seconds."""
        self._book = book
        self._now = now
        self.rated = False
        """Whether a quota limits requests."""
        self.watched = False
        """Whether a quota limits watches."""
        self.watches: Counter[Name] = Counter()
        """Open here, by the quota that limits them."""
        self.refused: Counter[Name] = Counter()
        """Requests and watches, by the quota that refused them, since the node was started."""
        self.open_watches: Callable[[], Iterable[Watched]] = tuple
        """All watches of this node: they are counted anew where quotas or roles have changed."""
        self._buckets: dict[Name, Bucket] = {}
        self._rated = Prefixes()
        self._watched = Prefixes()
        self._by_prefix: dict[bytes, list[Quota]] = {}
        book.changed = self.quotas_changed
        self.quotas_changed()

    # --- what changes the rules -----------------------------------------------------------------------------------------

    def quotas_changed(self) -> None:
        """There are other quotas now. A bucket whose rate stays the same keeps its tokens."""
        quotas, now = self._book.quotas, self._now()
        self._by_prefix = {}
        for (prefix, _), quota in quotas.items():
            self._by_prefix.setdefault(prefix, []).append(quota)
        rates = {name: quota.requests_per_second for name, quota in quotas.items() if quota.HasField("requests_per_second")}
        known = self._buckets
        self._buckets = {
            name: known[name] if name in known and known[name].rate == rate else Bucket(rate, now)
            for name, rate in rates.items()
        }
        self._rated = Prefixes([prefix for prefix, _ in rates])
        self._watched = Prefixes([prefix for (prefix, _), quota in quotas.items() if quota.HasField("max_watches")])
        self.rated, self.watched = bool(self._rated), bool(self._watched)
        for name in self.refused.keys() - quotas.keys():
            del self.refused[name]
        self.recount()

    def recount(self) -> None:
        """Counts all watches again: roles may have changed, too."""
        self.watches = Counter()
        if self.watched:
            for request, call in self.open_watches():
                self.watch_began(request, call)

    # --- requests -------------------------------------------------------------------------------------------------------

    def admit(self, keys: Iterable[bytes], call: Call) -> None:
        """Takes a request for these keys. Raises QuotaExceededError."""
        now = self._now()
        prefixes = {prefix: None for key in keys for prefix in self._rated.of(key)}
        taken: list[Bucket] = []
        for quota in self._binding(prefixes, call):
            name = (quota.prefix, quota.role)
            bucket = self._buckets.get(name)
            if bucket is None:
                continue
            if not bucket.has_one(now):
                raise self._refusal(name, what=REQUESTS, limit=bucket.rate, used=bucket.rate)
            taken.append(bucket)
        for bucket in taken:
            bucket.take()

    # --- watches --------------------------------------------------------------------------------------------------------

    def watch_refusal(self, request: WatchCreateRequest, call: Call) -> str:
        """Why no further watch of this kind may begin, or nothing."""
        for quota in self._binding(self._watched.of(request.key), call):
            name = (quota.prefix, quota.role)
            if quota.HasField("max_watches") and self.watches[name] >= quota.max_watches:
                return str(self._refusal(name, what=WATCHES, limit=quota.max_watches, used=self.watches[name]))
        return ""

    def watch_began(self, request: WatchCreateRequest, call: Call) -> None:
        """A watch is open."""
        for quota in self._binding(self._watched.of(request.key), call):
            if quota.HasField("max_watches"):
                self.watches[quota.prefix, quota.role] += 1

    def watch_ended(self, request: WatchCreateRequest, call: Call) -> None:
        """A watch that was open is not any more."""
        for quota in self._binding(self._watched.of(request.key), call):
            if quota.HasField("max_watches"):
                self.watches[quota.prefix, quota.role] -= 1

    # --- both -----------------------------------------------------------------------------------------------------------

    def _binding(self, prefixes: Iterable[bytes], call: Call) -> Iterator[Quota]:
        """The quotas of these prefixes that bind the caller."""
        roles = () if call.author is None else self._book.roles(call.author.user)
        for prefix in prefixes:
            for quota in self._by_prefix[prefix]:
                if not quota.role or quota.role in roles:
                    yield quota

    def _refusal(self, name: Name, *, what: str, limit: int, used: int) -> QuotaExceededError:
        self.refused[name] += 1
        return QuotaExceededError(*name, what=what, limit=limit, used=used, more=1)


class Census:
    """The watches of one stream (raftkv.watch.stream.Census)."""

    __slots__ = ("_call", "_tenants")

    def __init__(self, tenants: Tenants, call: Call) -> None:
        self._tenants = tenants
        self._call = call

    def began(self, request: WatchCreateRequest) -> None:
        if self._tenants.watched:
            self._tenants.watch_began(request, self._call)

    def ended(self, request: WatchCreateRequest) -> None:
        if self._tenants.watched:
            self._tenants.watch_ended(request, self._call)


def limited(method: Method, tenants: Tenants) -> Method:
    """The method with its requests counted, if they name keys. The caller must be known: `guarded` goes round it."""
    keys = _KEYS.get(method.path)
    if keys is None:
        return method
    handler: Callable[[Any, Call], Any] = method.handler
    named = keys

    def counted(request: Any, call: Call) -> Any:
        if tenants.rated:
            tenants.admit(named(request), call)
        return handler(request, call)

    return replace(method, handler=counted)


def _own_key(request: RangeRequest | PutRequest | DeleteRangeRequest) -> Iterable[bytes]:
    return (request.key,)


def _txn_keys(request: TxnRequest) -> Iterator[bytes]:
    for compare in request.compare:
        yield compare.key
    for operations in (request.success, request.failure):
        for operation in operations:
            kind = operation.WhichOneof("request")
            if kind == "request_txn":
                yield from _txn_keys(operation.request_txn)
            elif kind is not None:
                yield getattr(operation, kind).key


def _update_keys(request: UpdateRequest) -> Iterator[bytes]:
    for change in request.changes:
        yield request.prefix + change.key


_KEYS: Final[Mapping[str, Callable[[Any], Iterable[bytes]]]] = {
    "/etcdserverpb.KV/Range": _own_key,
    "/etcdserverpb.KV/Put": _own_key,
    "/etcdserverpb.KV/DeleteRange": _own_key,
    "/etcdserverpb.KV/Txn": _txn_keys,
    "/raftkv.v1.Updates/Update": _update_keys,
}
