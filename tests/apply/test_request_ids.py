from typing import Any

import pytest

from raftkv.apply import Outcome
from raftkv.apply.requests import WINDOW, RequestTable
from raftkv.errors import AnswerNotKeptError, Code, RequestIdExpiredError
from raftkv.pb import rpc
from raftkv.storage.engine import Table
from tests.apply.commands import Machine, put

CLIENT = b"0123456789abcdef"


def put_as(machine: Machine, sequence: int, key: bytes = b"a", client: bytes = CLIENT, **options: Any) -> Outcome:
    return machine.apply(request_id=(client, sequence), **put(key, b"%d" % sequence, **options))


def table(machine: Machine) -> RequestTable:
    return machine.machine._requests


def rows(machine: Machine) -> list[tuple[bytes, int]]:
    """(client, sequence) of every row."""
    return [(row[:-8], int.from_bytes(row[-8:], "big")) for row, _ in machine.state.scan(Table.REQUESTS)]


@pytest.mark.parametrize("restart", [False, True])
def test_retry_is_answered_as_the_first_time_and_not_applied(*, restart: bool) -> None:
    machine = Machine()
    put_as(machine, 1)
    first = put_as(machine, 2, prev_kv=True)
    put_as(machine, 3)
    if restart:
        machine = machine.restarted()
    again = machine.apply(request_id=(CLIENT, 2), **put(b"a", b"2"))
    assert again.response == first.response
    assert again.events == ()
    assert machine.machine.store.revision == 4
    assert machine.machine.applied_index == 4


def test_refusal_is_kept_too() -> None:
    machine = Machine()
    first = put_as(machine, 1, lease=9)
    again = put_as(machine.restarted(), 1)
    assert first.error is not None
    assert again.error is not None
    assert str(again.error) == str(first.error) == "etcdserver: requested lease not found"
    assert again.error.code == Code.NOT_FOUND


def test_every_kind_of_answer_is_kept() -> None:
    machine = Machine()
    bodies: list[dict[str, Any]] = [
        put(b"a"),
        {"txn": rpc.TxnRequest(success=[rpc.RequestOp(request_put=rpc.PutRequest(key=b"b"))])},
        {"delete_range": rpc.DeleteRangeRequest(key=b"a", prev_kv=True)},
        {"compact": rpc.CompactionRequest(revision=2)},
        {"alarm": rpc.AlarmRequest(action=rpc.AlarmRequest.ACTIVATE, alarm=rpc.CORRUPT)},
    ]
    first = [machine.apply(request_id=(CLIENT, number), **body) for number, body in enumerate(bodies, start=1)]
    again = [machine.apply(request_id=(CLIENT, number), **body) for number, body in enumerate(bodies, start=1)]
    assert [outcome.response for outcome in again] == [outcome.response for outcome in first]
    assert [type(outcome.response) for outcome in again] == [type(outcome.response) for outcome in first]


def test_answer_without_a_message_is_kept() -> None:
    machine = Machine()
    member = rpc.Member(ID=1)
    for _ in range(2):
        outcome = machine.apply(request_id=(CLIENT, 1), set_member={"member": member})
        assert (outcome.response, outcome.error) == (None, None)


def test_large_answer_is_not_kept_but_the_write_is_not_repeated() -> None:
    machine = Machine()
    machine.apply(**put(b"a", b"x" * 5000))
    first = put_as(machine, 1, prev_kv=True)
    assert first.error is None
    again = put_as(machine, 1, prev_kv=True)
    assert isinstance(again.error, Exception)
    assert str(again.error) == AnswerNotKeptError.text
    assert machine.machine.store.revision == 3


def test_overtaken_sequence_is_applied_once() -> None:
    machine = Machine()
    for sequence in (5, 3, 4, 3, 4):
        put_as(machine, sequence)
    assert machine.machine.store.revision == 4
    assert rows(machine) == [(CLIENT, 3), (CLIENT, 4), (CLIENT, 5)]


@pytest.mark.parametrize("restart", [False, True])
def test_sequence_below_the_window_is_expired(*, restart: bool) -> None:
    machine = Machine()
    put_as(machine, 1)
    put_as(machine, 1000)
    if restart:
        machine = machine.restarted()
    for sequence in (1, 2, 1000 - WINDOW):
        assert isinstance(put_as(machine, sequence).error, RequestIdExpiredError)
    assert put_as(machine, 1000 - WINDOW + 1).error is None
    assert machine.machine.store.revision == 4


@pytest.mark.parametrize("step", [1, 2, 50, WINDOW - 1, WINDOW, WINDOW + 1, 1 << 50])
def test_rows_are_those_of_the_window(step: int) -> None:
    machine = Machine()
    last = 0
    for number in range(300 if step < 50 else 10):
        last = 1 + number * step
        put_as(machine, last)
    expected = [(CLIENT, sequence) for sequence in range(1, last + 1, step) if sequence > last - WINDOW]
    assert rows(machine) == expected
    again = machine.restarted()
    for _, sequence in expected:
        put_as(again, sequence)
    assert again.machine.store.revision == machine.machine.store.revision


@pytest.mark.interpreted
def test_usual_write_makes_one_row_and_deletes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    for sequence in range(1, 200):
        put_as(machine, sequence)
    calls = {"put": 0, "delete": 0, "get": 0}

    def counted(name: str) -> Any:
        original = getattr(machine.state, name)

        def call(of: Table, *arguments: Any) -> Any:
            calls[name] += of is Table.REQUESTS
            return original(of, *arguments)

        return call

    for name in calls:
        monkeypatch.setattr(machine.state, name, counted(name))
    put_as(machine, 200)
    assert calls == {"put": 1, "delete": 1, "get": 0}


@pytest.mark.parametrize("restart", [False, True])
def test_clients_that_wrote_last_are_remembered(monkeypatch: pytest.MonkeyPatch, *, restart: bool) -> None:
    machine = Machine()
    table(machine)._max_clients = 3
    for client in (b"a", b"b", b"c"):
        put_as(machine, 1, client=client)
    put_as(machine, 2, client=b"a")
    put_as(machine, 1, client=b"b")  # a retry is no write
    if restart:
        machine = machine.restarted()
        table(machine)._max_clients = 3
    put_as(machine, 1, client=b"d")
    assert list(table(machine)._clients) == [b"c", b"a", b"d"]
    assert rows(machine) == [(b"a", 1), (b"a", 2), (b"c", 1), (b"d", 1)]
    put_as(machine, 1, client=b"e")
    assert list(table(machine)._clients) == [b"a", b"d", b"e"]


def test_client_that_wrote_last_an_old_sequence_is_remembered_after_a_restart() -> None:
    machine = Machine()
    put_as(machine, 5, client=b"a")
    put_as(machine, 1, client=b"b")
    put_as(machine, 3, client=b"a")
    assert list(table(machine.restarted())._clients) == list(table(machine)._clients) == [b"b", b"a"]


def test_clients_with_names_that_begin_alike_are_told_apart() -> None:
    machine = Machine()
    clients = [b"a", b"a\0\0\0\0\0\0\0\1", b"a\0"]
    for client in clients:
        for sequence in (1, 2):
            put_as(machine, sequence, client=client)
    again = machine.restarted()
    for client in clients:
        put_as(again, 2, client=client)
    assert again.machine.store.revision == machine.machine.store.revision
    assert len(table(again)) == 3
