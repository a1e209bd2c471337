"""Random entries of a log: what is proposed, and the same request as the model knows it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from raftkv.apply.command import COMPACT, DELETE_RANGE, EXPIRE_LEASES, LEASE_GRANT, LEASE_REVOKE, PUT, TXN, body
from raftkv.errors import RequestError
from raftkv.mvcc.checks import check_txn
from raftkv.pb import kv, rpc
from raftkv.pb.command import Command, ExpireLeases, RequestId
from raftkv_jepsen import store as model

KEYS = ("a", "a\0", "a\0\0", "a\xff", "ab", "b", "b\xff\xff", "c")
ENDS = ("", "", "", "\0", "d", "c", "a\0\0", "b", "b\xff", "c")
VALUES = ("", "1", "2", "3", "long" * 8)
LEASES = (1, 2, 3, 1 << 40)
OPERATORS = {"=": rpc.Compare.EQUAL, "!=": rpc.Compare.NOT_EQUAL, "<": rpc.Compare.LESS, ">": rpc.Compare.GREATER}
CLIENTS = (b"one", b"two")


@dataclass(slots=True)
class Step:
    """One entry."""

    name: str
    data: bytes
    requests: list[model.Request]
    """What the model is to do: nothing for a retry, several for leases that end together."""
    compare: Callable[[Any, list[model.Answer]], None]
    answers: list[model.Answer] = field(default_factory=list)

    def check(self, outcome: Any) -> None:
        """Compares the answer of the replicas with the model's."""
        self.compare(outcome, self.answers)


class LogMaker:
    """Makes one entry after the other."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._sequence = dict.fromkeys(CLIENTS, 0)
        self._retries: list[tuple[bytes, Any]] = []
        self._granted: list[int] = []
        self.checksums: dict[tuple[int, int], Any] = {}
        self._outcomes: dict[bytes, Any] = {}

    def bounds(self) -> tuple[bytes, bytes]:
        """A key and the end of a range, as bytes."""
        key, end = self._bounds()
        return key.encode("latin-1"), end.encode("latin-1")

    def next(self, now: model.Store) -> Step:
        """An entry; `now`: the state that it will find."""
        if self._retries and self._rng.random() < 0.1:
            return self._retry()
        make = self._rng.choices(
            (self._put, self._delete, self._txn, self._compact, self._grant, self._revoke, self._expire),
            (30, 10, 25, 4, 6, 3, 3),
        )[0]
        return make(now)

    # --- kinds of entries ---------------------------------------------------------------------------------------------------

    def _put(self, now: model.Store) -> Step:
        request = self._model_put(now, alone=True)
        return self._step("put", PUT, _proto_put(request, prev_kv=self._rng.random() < 0.5), [request], _check_put)

    def _delete(self, _: model.Store) -> Step:
        request = model.Delete(*self._bounds())
        return self._step("delete", DELETE_RANGE, _proto_delete(request), [request], _check_delete)

    def _txn(self, now: model.Store) -> Step:
        while True:
            request = self._model_txn(now, depth=self._rng.choice((0, 0, 1)))
            message = _proto_txn(request)
            try:
                check_txn(message)
            except RequestError:
                continue
            return self._step("txn", TXN, message, [request], _check_txn)

    def _compact(self, now: model.Store) -> Step:
        request = model.Compact(max(1, now.revision - self._rng.choice((0, 0, 1, 3, 6, -1))))
        return self._step("compact", COMPACT, rpc.CompactionRequest(revision=request.revision), [request], _check_error)

    def _grant(self, _: model.Store) -> Step:
        request = model.LeaseGrant(self._rng.choice(LEASES), 60)
        return self._step("grant", LEASE_GRANT, rpc.LeaseGrantRequest(ID=request.id, TTL=60), [request], _check_error)

    def _revoke(self, _: model.Store) -> Step:
        request = model.LeaseRevoke(self._rng.choice(LEASES))
        return self._step("revoke", LEASE_REVOKE, rpc.LeaseRevokeRequest(ID=request.id), [request], _check_error)

    def _expire(self, now: model.Store) -> Step:
        doomed = self._rng.sample(LEASES, self._rng.randint(1, 3))
        requests: list[model.Request] = [model.LeaseRevoke(lease) for lease in doomed if lease in now.leases]
        return self._step("expire", EXPIRE_LEASES, ExpireLeases(term=1, ids=doomed), requests, _check_nothing)

    def _retry(self) -> Step:
        data, outcome_of = self._rng.choice(self._retries)

        def same(outcome: Any, _: list[model.Answer]) -> None:
            first = outcome_of()
            assert (str(outcome.error), str(outcome.response)) == first, f"a retry is answered {outcome}, first {first}"
            assert not outcome.events, "a retry is applied again"

        return Step("retry", data, [], same)

    def _step(self, name: str, tag: bytes, message: Any, requests: list[model.Request], check: Any) -> Step:
        client = self._rng.choice(CLIENTS)
        self._sequence[client] += 1
        command = Command(request_id=RequestId(client=client, sequence=self._sequence[client]))
        data = command.SerializeToString() + body(tag, message.SerializeToString())

        def compare(outcome: Any, answers: list[model.Answer]) -> None:
            check(outcome, answers)
            self._outcomes[data] = (str(outcome.error), str(outcome.response))

        self._retries = [*self._retries[-10:], (data, lambda: self._outcomes[data])]
        return Step(name, data, requests, compare)

    # --- requests as the model has them ----------------------------------------------------------------------------------------

    def _bounds(self) -> tuple[str, str]:
        return self._rng.choice(KEYS), self._rng.choice(ENDS)

    def _model_put(self, now: model.Store, *, alone: bool) -> model.Put:
        rng = self._rng
        ignore_value, ignore_lease = alone and rng.random() < 0.1, alone and rng.random() < 0.1
        lease = rng.choice((0, 0, *now.leases, *now.leases, 99)) if rng.random() < 0.5 else 0
        return model.Put(
            rng.choice(KEYS),
            "" if ignore_value else rng.choice(VALUES),
            0 if ignore_lease else lease,
            ignore_value,
            ignore_lease,
        )

    def _model_txn(self, now: model.Store, *, depth: int) -> model.Txn:
        rng = self._rng
        compares = tuple(self._model_compare(now) for _ in range(rng.choice((0, 1, 1, 2))))
        branches = [tuple(self._operation(now, depth) for _ in range(rng.randint(0, 3))) for _ in range(2)]
        return model.Txn(compares, *branches)

    def _operation(self, now: model.Store, depth: int) -> model.Request:
        rng = self._rng
        if depth and rng.random() < 0.4:
            return self._model_txn(now, depth=depth - 1)
        match rng.randrange(4):
            case 0 | 1:
                return self._model_put(now, alone=False)
            case 2:
                return model.Delete(*self._bounds())
        revision = rng.choice((0, 0, 0, max(1, now.revision - rng.randint(1, 9))))
        return model.Range(*self._bounds(), revision=revision, limit=rng.choice((0, 1, 2)))

    def _model_compare(self, now: model.Store) -> model.Compare:
        rng = self._rng
        target = rng.choice(sorted(model.TARGETS))
        operand: Any = rng.choice(VALUES) if target == "value" else rng.choice((0, 1, 2, now.revision, now.revision - 3))
        end = rng.choice(ENDS) if rng.random() < 0.2 else ""
        return model.Compare(rng.choice(KEYS), target, rng.choice(list(OPERATORS)), operand, end)


# --- the same as messages -------------------------------------------------------------------------------------------------------


def _proto_put(put: model.Put, *, prev_kv: bool) -> rpc.PutRequest:
    return rpc.PutRequest(
        key=put.key.encode("latin-1"),
        value=put.value.encode("latin-1"),
        lease=put.lease,
        prev_kv=prev_kv,
        ignore_value=put.ignore_value,
        ignore_lease=put.ignore_lease,
    )


def _proto_delete(delete: model.Delete) -> rpc.DeleteRangeRequest:
    return rpc.DeleteRangeRequest(key=delete.key.encode("latin-1"), range_end=delete.range_end.encode("latin-1"), prev_kv=True)


def _proto_range(request: model.Range) -> rpc.RangeRequest:
    return rpc.RangeRequest(
        key=request.key.encode("latin-1"),
        range_end=request.range_end.encode("latin-1"),
        revision=request.revision,
        limit=request.limit,
    )


def _proto_txn(request: model.Txn) -> rpc.TxnRequest:
    return rpc.TxnRequest(
        compare=[_proto_compare(compare) for compare in request.compare],
        success=[_proto_operation(each) for each in request.success],
        failure=[_proto_operation(each) for each in request.failure],
    )


def _proto_operation(request: model.Request) -> rpc.RequestOp:
    if isinstance(request, model.Put):
        return rpc.RequestOp(request_put=_proto_put(request, prev_kv=True))
    if isinstance(request, model.Delete):
        return rpc.RequestOp(request_delete_range=_proto_delete(request))
    if isinstance(request, model.Range):
        return rpc.RequestOp(request_range=_proto_range(request))
    assert isinstance(request, model.Txn), f"{request} is no operation"
    return rpc.RequestOp(request_txn=_proto_txn(request))


def _proto_compare(compare: model.Compare) -> rpc.Compare:
    message = rpc.Compare(
        key=compare.key.encode("latin-1"),
        range_end=compare.range_end.encode("latin-1"),
        result=OPERATORS[compare.result],
        target=compare.target.upper(),
    )
    match compare.target:
        case "value":
            message.value = compare.operand.encode("latin-1")
        case "create" | "mod":
            setattr(message, compare.target + "_revision", compare.operand)
        case target:
            setattr(message, target, compare.operand)
    return message


# --- answers --------------------------------------------------------------------------------------------------------------------


def _check_nothing(outcome: Any, _: list[model.Answer]) -> None:
    assert outcome.error is None, outcome.error


def _check_error(outcome: Any, answers: list[model.Answer]) -> None:
    (answer,) = answers
    assert (outcome.error is not None) == ("error" in answer), f"answer {outcome.error}, expected {answer}"
    if outcome.error is None:
        assert outcome.response.header.revision == answer["revision"], f"{outcome.response} has not {answer['revision']}"


def _check_put(outcome: Any, answers: list[model.Answer]) -> None:
    _check_error(outcome, answers)
    if outcome.error is None and outcome.response.HasField("prev_kv"):
        assert _row(outcome.response.prev_kv) == answers[0]["prev"], f"{outcome.response} has not {answers[0]['prev']}"


def _check_delete(outcome: Any, answers: list[model.Answer]) -> None:
    _check_error(outcome, answers)
    if outcome.error is None:
        _compare_delete(outcome.response, answers[0])


def _check_txn(outcome: Any, answers: list[model.Answer]) -> None:
    _check_error(outcome, answers)
    if outcome.error is None:
        _compare_txn(outcome.response, answers[0])


def _compare_delete(response: rpc.DeleteRangeResponse, answer: model.Answer) -> None:
    told = response.deleted, tuple(_row(each) for each in response.prev_kvs)
    assert told == (answer["deleted"], answer["prev"]), f"a deletion answers {told}, expected {answer}"


def _compare_txn(response: rpc.TxnResponse, answer: model.Answer) -> None:
    assert response.succeeded == answer["succeeded"], f"compares hold: {response.succeeded}, expected {answer['succeeded']}"
    assert len(response.responses) == len(answer["responses"]), "as many answers as operations"
    for told, expected in zip(response.responses, answer["responses"], strict=True):
        match told.WhichOneof("response"):
            case "response_put":
                before = _row(told.response_put.prev_kv) if told.response_put.HasField("prev_kv") else None
                assert before == expected["prev"], f"a put in a transaction had {before} before, expected {expected['prev']}"
            case "response_delete_range":
                _compare_delete(told.response_delete_range, expected)
            case "response_range":
                _compare_range(told.response_range, expected)
            case _:
                _compare_txn(told.response_txn, expected)


def _compare_range(response: rpc.RangeResponse, answer: model.Answer) -> None:
    if "past" in answer:
        return
    told = tuple(_row(each) for each in response.kvs), response.count
    assert told == (answer["kvs"], answer["count"]), f"a range in a transaction answers {told}, expected {answer}"


def _row(each: kv.KeyValue) -> model.Row:
    return model.Row(
        each.key.decode("latin-1"),
        each.value.decode("latin-1"),
        each.create_revision,
        each.mod_revision,
        each.version,
        each.lease,
    )
