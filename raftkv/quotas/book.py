"""The quotas as replicated state, and what is used of them.

    STATE    "quota/" role's length u16, role, prefix    -> raftkv.v1.Quota
             "quota_use/" prefix                         -> bytes u64, keys u64     one for each prefix that has quotas

    usage[prefix] == the live keys under it, and the bytes of them and their values, whoever wrote them

A quota is looked at when a change is applied, in the log's order, with the roles of that moment: so it is exact, and all replicas
refuse the same changes. A change is refused if it adds to what is used and there would be more than allowed; what shrinks is
always let through, also where a limit was lowered below what is there. Prefixes may be nested: all of them count, and each
quota among them may refuse.

A quota with a role binds users who have that role, and no others; it counts what is under the prefix all the same. Clients'
puts, transactions and updates are bound. What the cluster decides itself (the keys of jobs, the end of a lease) is counted and
never refused: half of a decision cannot be carried out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from struct import Struct

from raftkv.auth.state import Auth
from raftkv.errors import QuotaExceededError, QuotaNotFoundError, TooManyQuotasError
from raftkv.mvcc import Event, Steps, Store
from raftkv.mvcc.counted import content_bytes
from raftkv.pb.quota import Quota, RemoveQuotaRequest, RemoveQuotaResponse, SetQuotaRequest, SetQuotaResponse
from raftkv.quotas.prefixes import Prefixes, end_of
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

MAX_QUOTAS = 1000
_QUOTA, _QUOTA_END = b"quota/", b"quota0"
_USE, _USE_END = b"quota_use/", b"quota_use0"
_numbers = Struct(">QQ")

QuotaResponse = SetQuotaResponse | RemoveQuotaResponse
Name = tuple[bytes, str]
"""Prefix and role."""


class Usage:
    """What is under a prefix."""

    __slots__ = ("bytes", "keys")

    def __init__(self, size: int = 0, keys: int = 0) -> None:
        self.bytes = size
        self.keys = keys


class QuotaBook:
    """All quotas. `load` comes first, and again after a snapshot was installed."""

    def __init__(self, state: Overlay, store: Store, auth: Auth) -> None:
        self._state = state
        self._store = store
        self._auth = auth
        self.quotas: dict[Name, Quota] = {}
        """By prefix and role, in that order; not to be changed."""
        self.usage: dict[bytes, Usage] = {}
        """By prefix; not to be changed."""
        self.refused: Counter[Name] = Counter()
        """Changes that each quota refused, as far as this process has seen it: no part of the state."""
        self.counting = False
        """Whether there are quotas."""
        self.changed: Callable[[], None] = lambda: None
        """Called after every change of the quotas."""
        self._prefixes = Prefixes()
        self._of_prefix: dict[bytes, list[Quota]] = {}
        self._touched: dict[bytes, None] = {}
        """The prefixes whose usage has changed since it was recorded."""
        self._asker: str | None = None

    def load(self) -> None:
        """Takes up what the table holds."""
        quotas = (Quota.FromString(row) for _, row in self._state.scan(Table.STATE, _QUOTA, _QUOTA_END))
        self.quotas = {(quota.prefix, quota.role): quota for quota in quotas}
        uses = self._state.scan(Table.STATE, _USE, _USE_END)
        self.usage = {row[len(_USE) :]: Usage(*_numbers.unpack(value)) for row, value in uses}
        self._touched = {}
        self._settle()

    def record(self) -> None:
        """Stores what is used. To be called before the tables' changes are sealed."""
        for prefix in self._touched:
            usage = self.usage[prefix]
            self._state.put(Table.STATE, _USE + prefix, _numbers.pack(usage.bytes, usage.keys))
        self._touched = {}

    # --- changes of the quotas ------------------------------------------------------------------------------------------

    def set(self, request: SetQuotaRequest) -> Steps[tuple[SetQuotaResponse, Sequence[Event]]]:
        """Sets a quota. Where its prefix has none yet, the keys under it are counted, once.

        Raises:
            TooManyQuotasError: there are MAX_QUOTAS others.
        """
        quota = request.quota
        name = (quota.prefix, quota.role)
        if name not in self.quotas and len(self.quotas) >= MAX_QUOTAS:
            raise TooManyQuotasError
        if quota.prefix not in self.usage:
            size, keys = yield from self._store.measure(quota.prefix, end_of(quota.prefix))
            self.usage[quota.prefix] = Usage(size, keys)
            self._touched[quota.prefix] = None
        self.quotas = {**self.quotas, name: quota}
        self._state.put(Table.STATE, _row(name), quota.SerializeToString(deterministic=True))
        self._settle()
        response = SetQuotaResponse()
        response.header.revision = self._store.revision
        return response, ()

    def remove(self, request: RemoveQuotaRequest) -> tuple[RemoveQuotaResponse, Sequence[Event]]:
        """Removes a quota. Raises QuotaNotFoundError."""
        name = (request.prefix, request.role)
        if name not in self.quotas:
            raise QuotaNotFoundError
        self.quotas = {known: quota for known, quota in self.quotas.items() if known != name}
        self.refused.pop(name, None)
        self._state.delete(Table.STATE, _row(name))
        if all(prefix != request.prefix for prefix, _ in self.quotas):
            del self.usage[request.prefix]
            self._touched.pop(request.prefix, None)
            self._state.delete(Table.STATE, _USE + request.prefix)
        self._settle()
        response = RemoveQuotaResponse()
        response.header.revision = self._store.revision
        return response, ()

    def _settle(self) -> None:
        self.quotas = dict(sorted(self.quotas.items()))
        self._of_prefix = {}
        for (prefix, _), quota in self.quotas.items():
            self._of_prefix.setdefault(prefix, []).append(quota)
        self._prefixes = Prefixes(self._of_prefix)
        self.counting = bool(self.quotas)
        self._store.counted = self if self.counting else None
        self.changed()

    # --- what is used ---------------------------------------------------------------------------------------------------

    def asked_by(self, user: str | None) -> None:
        """Whose changes are applied now; an empty name: anybody's; None: the cluster's own."""
        self._asker = user

    def roles(self, user: str) -> Sequence[str]:
        """The roles that count for a user now."""
        known = self._auth.users.get(user) if self._auth.enabled else None
        return () if known is None else known.roles

    def put(self, key: bytes, encoded: bytes, previous: bytes | None) -> None:
        """See raftkv.mvcc.counted."""
        prefixes = self._prefixes.of(key)
        if not prefixes:
            return
        size = content_bytes(key, encoded) - content_bytes(key, previous)
        keys = int(previous is None)
        for prefix in prefixes:
            self._check(prefix, size, keys)
        for prefix in prefixes:
            self._add(prefix, size, keys)

    def tally(self) -> "_Tally":
        """See raftkv.mvcc.counted."""
        return _Tally(self)

    def prefixes_of(self, key: bytes) -> list[bytes]:
        """The prefixes with quotas that a key lies under."""
        return self._prefixes.of(key)

    def settle(self, growth: Iterable[tuple[bytes, Usage]]) -> None:
        """Counts what a transaction adds to each prefix, or refuses it."""
        changes = list(growth)
        for prefix, more in changes:
            self._check(prefix, more.bytes, more.keys)
        for prefix, more in changes:
            self._add(prefix, more.bytes, more.keys)

    def _check(self, prefix: bytes, size: int, keys: int) -> None:
        if self._asker is None or (size <= 0 and keys <= 0):
            return
        usage = self.usage[prefix]
        for quota in self._of_prefix[prefix]:
            if quota.role and quota.role not in self.roles(self._asker):
                continue
            if keys > 0 and quota.HasField("max_keys") and usage.keys + keys > quota.max_keys:
                raise self._refusal(quota, what="keys", limit=quota.max_keys, used=usage.keys, more=keys)
            if size > 0 and quota.HasField("max_bytes") and usage.bytes + size > quota.max_bytes:
                raise self._refusal(quota, what="bytes", limit=quota.max_bytes, used=usage.bytes, more=size)

    def _refusal(self, quota: Quota, *, what: str, limit: int, used: int, more: int) -> QuotaExceededError:
        self.refused[quota.prefix, quota.role] += 1
        return QuotaExceededError(quota.prefix, quota.role, what=what, limit=limit, used=used, more=more)

    def _add(self, prefix: bytes, size: int, keys: int) -> None:
        usage = self.usage[prefix]
        usage.bytes += size
        usage.keys += keys
        self._touched[prefix] = None


class _Tally:
    """What one transaction adds to the prefixes with quotas."""

    __slots__ = ("_book", "_growth")

    def __init__(self, book: QuotaBook) -> None:
        self._book = book
        self._growth: dict[bytes, Usage] = {}

    def note(self, key: bytes, encoded: bytes | None, previous: bytes | None) -> None:
        prefixes = self._book.prefixes_of(key)
        if not prefixes:
            return
        size = content_bytes(key, encoded) - content_bytes(key, previous)
        keys = int(encoded is not None) - int(previous is not None)
        for prefix in prefixes:
            growth = self._growth.get(prefix)
            if growth is None:
                growth = self._growth[prefix] = Usage()
            growth.bytes += size
            growth.keys += keys

    def settle(self) -> None:
        self._book.settle(self._growth.items())


def _row(name: Name) -> bytes:
    prefix, role = name
    encoded = role.encode()
    return _QUOTA + len(encoded).to_bytes(2, "big") + encoded + prefix
