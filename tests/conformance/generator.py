"""Random requests of the KV service, from a seed.

The key space is small so that requests collide: puts meet deletes, transactions meet their own keys, compactions meet reads
of old revisions. Most requests are valid, for an error tells little about the state behind it; every invalid kind comes up
too. Unknown sort orders and targets are left out here: etcd 3.5.1 crashes on them (newer releases answer as raftkv does).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from google.protobuf.message import Message

from raftkv.pb import rpc

ALL = b"\x00"
KEYS = (
    b"a", b"aa", b"ab", b"a\x00", b"b", b"c", b"ca", b"cb", b"d", b"k/", b"k/1", b"k/10", b"k/2", b"k/3", b"\x00",
    b"\x00\x00", b"\xfe\xff", b"\xff", b"\xff\xff", "schlüssel".encode(),
)  # fmt: skip
MANY_KEYS = (*KEYS, *(b"n/%04d" % number for number in range(2000)))
"""More than a server handles in one slice of work, and with `large_value` more bytes, too."""
VALUES = (b"", b"1", b"2", b"3", b"value", b"\x00\xff", b"x" * 300)
MAX_INT64 = 2**63 - 1
MAX_TXN_OPS = 128
TXN_DEPTH = 4
TOO_LARGE = bytes(1_600_000)  # above 1.5 MiB, below the limit of the transport


def large_value(key: bytes) -> bytes:
    """A value that is large for one key in fifty."""
    return key * 10_000 if key.endswith((b"25", b"75")) else key


@dataclass
class Position:
    """Where the store stands, as its answers have told: the generator aims its revisions round these."""

    revision: int = 1
    compacted: int = 0


@dataclass
class TxnPlan:
    """What the operations of one transaction agree on, at all its levels."""

    free_keys: list[bytes]
    """Keys that no other operation changes, so that most transactions are valid."""
    deletes_to_end: bool
    """Whether deletes may go on from a key to the end, or puts may keep the value or lease that is there. etcd 3.5.1 crashes
    on a transaction that does both: it does not see that the one takes away what the other needs.
    """


class Generator:
    """An endless row of requests: the same seed and the same answers give the same row."""

    def __init__(self, random: Random, *, keys: Sequence[bytes] = KEYS, serializable: bool = True) -> None:
        self._random = random
        self._keys = keys
        self._serializable = serializable
        self.position = Position()

    def request(self) -> Message:
        """The next request."""
        kinds: list[Callable[[], Message]] = [self._range, self._put, self._delete, self._txn, self._compact]
        kind = self._random.choices(kinds, weights=(34, 28, 10, 26, 2))[0]
        return kind()

    def _chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def _key(self) -> bytes:
        return b"" if self._chance(2) else self._random.choice(self._keys)

    def _range_end(self, key: bytes) -> bytes:
        """Single key, prefix, from-key, a second key (often inverted), or an empty range."""
        ends = (b"", _prefix_end(key), ALL, self._random.choice(self._keys), key)
        return self._random.choices(ends, weights=(35, 20, 15, 25, 5))[0]

    def _revision(self) -> int:
        at = self.position
        revisions = (
            at.revision,
            self._random.randint(1, at.revision),
            self._random.randint(at.compacted, at.revision),
            at.compacted + self._random.randint(-1, 1),
            at.revision + self._random.choice((1, 2, 1000)),
            -self._random.randint(1, 5),
        )
        return self._random.choices(revisions, weights=(20, 10, 50, 8, 6, 6))[0]

    def _range(self) -> rpc.RangeRequest:
        request = rpc.RangeRequest(key=self._key())
        request.range_end = self._range_end(request.key)
        if self._chance(15):
            request.key, request.range_end = ALL, ALL
        if self._chance(30):
            request.limit = self._random.choice((1, 1, 2, 2, 3, 5, 100, -1, MAX_INT64))
        if self._chance(35):
            request.revision = self._revision()
        if self._chance(40):
            request.sort_order = self._random.randrange(3)  # type: ignore[assignment]  # the stubs know the enum's names only
        if self._chance(40):
            request.sort_target = self._random.randrange(5)  # type: ignore[assignment]  # as above
        request.serializable = self._serializable and self._chance(20)
        request.keys_only = self._chance(15)
        request.count_only = self._chance(10)
        self._add_filters(request)
        return request

    def _add_filters(self, request: rpc.RangeRequest) -> None:
        for name in ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision"):
            if self._chance(6):
                setattr(request, name, self._revision())

    def _put(self) -> rpc.PutRequest:
        request = rpc.PutRequest(key=self._key(), value=self._random.choice(VALUES), prev_kv=self._chance(30))
        if self._chance(10):
            request.ignore_value = True
            request.value = b"provided" if self._chance(15) else b""
        request.ignore_lease = self._chance(10)
        if self._chance(4):
            request.lease = self._random.choice((7, 4711, -1, MAX_INT64))  # never granted
        if self._random.randrange(300) == 0:
            request.value = TOO_LARGE
        return request

    def _delete(self) -> rpc.DeleteRangeRequest:
        request = rpc.DeleteRangeRequest(key=self._key(), prev_kv=self._chance(50))
        if self._chance(50):
            request.range_end = self._range_end(request.key)
        if self._chance(2):
            request.key, request.range_end = ALL, ALL
        return request

    def _compact(self) -> rpc.CompactionRequest:
        at = self.position
        revisions = (
            self._random.randint(at.compacted, at.revision),
            max(at.compacted, at.revision - 20),
            at.compacted,
            at.compacted - 1,
            at.revision,
            at.revision + 1,
        )
        revision = self._random.choices(revisions, weights=(20, 50, 10, 5, 5, 10))[0]
        return rpc.CompactionRequest(revision=revision, physical=self._chance(30))

    def _txn(self) -> rpc.TxnRequest:
        if self._random.randrange(60) == 0:
            return self._txn_of_many(MAX_TXN_OPS + self._random.choice((-1, 0, 1)))
        if self._random.randrange(100) == 0:
            return rpc.TxnRequest(success=[rpc.RequestOp(request_put=rpc.PutRequest(key=b"a", value=TOO_LARGE))])
        plan = TxnPlan(self._random.sample(self._keys, len(KEYS)), deletes_to_end=self._chance(50))
        return self._txn_at(1, plan)

    def _txn_of_many(self, count: int) -> rpc.TxnRequest:
        """Just below, at and above the limit on operations, in each of the three lists, plain or nested."""
        request = rpc.TxnRequest()
        operation = rpc.RequestOp(request_range=rpc.RangeRequest(key=b"a", count_only=True))
        place = self._random.randrange(4)
        if place == 0:
            request.success.extend([operation] * count)
        elif place == 1:
            request.failure.extend([operation] * count)
        elif place == 2:
            request.compare.extend([rpc.Compare(key=b"a")] * count)
        else:
            inner = rpc.TxnRequest(success=[operation] * (count - 1))
            request.success.append(rpc.RequestOp(request_txn=inner))
        return request

    def _txn_at(self, depth: int, plan: TxnPlan) -> rpc.TxnRequest:
        request = rpc.TxnRequest()
        request.compare.extend(self._compare() for _ in range(self._random.randrange(4)))
        request.success.extend(self._operation(depth, plan) for _ in range(self._random.randrange(5)))
        request.failure.extend(self._operation(depth, plan) for _ in range(self._random.randrange(4)))
        return request

    def _operation(self, depth: int, plan: TxnPlan) -> rpc.RequestOp:
        kind = self._random.choices(
            ("range", "put", "delete", "txn", "empty"), weights=(30, 35, 18, 16 if depth < TXN_DEPTH else 0, 1)
        )[0]
        if kind == "range":
            return rpc.RequestOp(request_range=self._range_in_txn())
        if kind == "put":
            return rpc.RequestOp(request_put=self._put_in_txn(plan))
        if kind == "delete":
            return rpc.RequestOp(request_delete_range=self._delete_in_txn(plan))
        if kind == "txn":
            return rpc.RequestOp(request_txn=self._txn_at(depth + 1, plan))
        return rpc.RequestOp()

    def _range_in_txn(self) -> rpc.RangeRequest:
        request = self._range()
        if self._chance(75):
            request.revision = 0  # one bad revision fails the whole transaction
        request.key = request.key or b"a"
        return request

    def _put_in_txn(self, plan: TxnPlan) -> rpc.PutRequest:
        request = self._put()
        if request.value == TOO_LARGE:
            request.value = b""  # two of them would be above the limit of the transport
        if plan.free_keys and self._chance(97):
            request.key = plan.free_keys.pop()
        if self._chance(80):
            request.lease = 0
        if plan.deletes_to_end or self._chance(80):
            request.ignore_value = request.ignore_lease = False
        return request

    def _delete_in_txn(self, plan: TxnPlan) -> rpc.DeleteRangeRequest:
        request = self._delete()
        if plan.free_keys and self._chance(85):
            request.key, request.range_end = plan.free_keys.pop(), b""
        if request.range_end == ALL and not plan.deletes_to_end:
            request.range_end = b""
        return request

    def _compare(self) -> rpc.Compare:
        compare = rpc.Compare(key=self._key() or b"a" if self._chance(90) else self._key())
        compare.result = self._random.randrange(4)  # type: ignore[assignment]  # the stubs know the enum's names only
        compare.target = self._random.randrange(5)  # type: ignore[assignment]  # as above
        operand = compare.target if self._chance(94) else self._random.randrange(6)
        self._add_operand(compare, operand)
        if self._chance(25):
            compare.range_end = self._range_end(compare.key)
        if self._chance(2):
            compare.result = 9  # type: ignore[assignment]  # no such enum value, on purpose
        if self._chance(2):
            compare.target = 9  # type: ignore[assignment]  # as above
        return compare

    def _add_operand(self, compare: rpc.Compare, operand: int) -> None:
        """Sets the value to compare with; it may not fit the target, and 5 sets none."""
        if operand == rpc.Compare.VERSION:
            compare.version = self._random.choice((0, 1, 2, 3, -1))
        elif operand == rpc.Compare.CREATE:
            compare.create_revision = self._random.choice((0, 1, self._revision()))
        elif operand == rpc.Compare.MOD:
            compare.mod_revision = self._random.choice((0, 1, self._revision()))
        elif operand == rpc.Compare.VALUE:
            compare.value = self._random.choice(VALUES)
        elif operand == rpc.Compare.LEASE:
            compare.lease = self._random.choice((0, 0, 7, -1))


def _prefix_end(prefix: bytes) -> bytes:
    """The smallest key above every key with this prefix."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else ALL
