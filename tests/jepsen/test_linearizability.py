"""The search against the definition, and each rule against a history that it would spoil if it were wrong."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftkv.clock import ManualClock
from raftkv_jepsen import rehearsal
from raftkv_jepsen.errors import ModelError
from raftkv_jepsen.generator import CompareAndSets, Limit, Mix, Reads, Writes
from raftkv_jepsen.history import UNKNOWN, Operation
from raftkv_jepsen.linearizability import check_linearizable, unique_writes
from raftkv_jepsen.linearizability.budget import Budget
from raftkv_jepsen.models import AppendKV, CasRegister, Model, Mutex, Register, SetModel
from raftkv_jepsen.verdict import Validity
from tests.jepsen import plain
from tests.jepsen.plain import operation

values = st.integers(0, 2)


def read_or_cas(draw: st.DrawFn) -> tuple[str, Any, Any]:
    kind = draw(st.sampled_from(["read", "write", "cas"]))
    if kind == "read":
        return "read", None, draw(st.none() | values)
    if kind == "write":
        return "write", draw(values), None
    return "cas", (draw(values), draw(values)), draw(st.booleans() | st.just(UNKNOWN))


def acquire_or_release(draw: st.DrawFn) -> tuple[str, Any, Any]:
    return draw(st.sampled_from(["acquire", "release"])), None, None


def append_or_get(draw: st.DrawFn) -> tuple[str, Any, Any]:
    kind = draw(st.sampled_from(["get", "put", "append"]))
    if kind == "get":
        return "get", None, draw(st.sampled_from(["", "a", "b", "ab", "ba", "aa", "aba"]))
    return kind, draw(st.sampled_from(["a", "b"])), None


def add_or_look(draw: st.DrawFn) -> tuple[str, Any, Any]:
    kind = draw(st.sampled_from(["add", "remove", "contains", "read"]))
    if kind == "read":
        return "read", None, tuple(draw(st.frozensets(values, max_size=3)))
    return kind, draw(values), draw(st.booleans())


@st.composite
def histories(draw: st.DrawFn, kind: Callable[[st.DrawFn], tuple[str, Any, Any]]) -> list[Operation]:
    """Up to seven operations with calls and ends in any order, some without an end."""
    count = draw(st.integers(1, 7))
    marks = draw(st.permutations([n // 2 for n in range(2 * count)]))
    found = []
    for process in range(count):
        first, second = (place for place, owner in enumerate(marks) if owner == process)
        f, argument, outcome = kind(draw)
        end = second if draw(st.integers(0, 4)) else None
        found.append(operation(process, f, argument, outcome, (first, end)))
    return sorted(found, key=lambda each: each.call)


@pytest.mark.parametrize(
    ("model", "kind"),
    [(CasRegister(), read_or_cas), (Mutex(), acquire_or_release), (AppendKV(), append_or_get), (SetModel(), add_or_look)],
    ids=["cas-register", "mutex", "append-kv", "set"],
)
def test_agrees_with_the_definition(model: Model, kind: Callable[[st.DrawFn], tuple[str, Any, Any]]) -> None:
    @settings(max_examples=250, deadline=None)
    @given(histories(kind))
    def compare(history: list[Operation]) -> None:
        expected = Validity.OK if plain.linearizable(history, model) else Validity.VIOLATION
        assert check_linearizable(history, model).validity is expected

    compare()


@settings(max_examples=300, deadline=None)
@given(histories(read_or_cas))
def test_intervals_agree_with_the_definition_where_writes_differ(history: list[Operation]) -> None:
    kept = [
        operation(place, each.f, 10 + place if each.f == "write" else None, each.outcome, (each.call, each.end))
        for place, each in enumerate(history)
        if each.f != "cas"
    ]
    written = {place % 3: each.argument for place, each in enumerate(kept) if each.f == "write"}
    kept = [
        plain.with_outcome(each, written.get(each.outcome) if each.outcome is not None else None) if each.f == "read" else each
        for each in kept
    ]
    assert unique_writes.applies(kept)
    assert unique_writes.linearizable(kept) == plain.linearizable(kept, Register())


@settings(max_examples=150, deadline=None)
@given(histories(read_or_cas))
def test_prefix_and_first_impossible_operation_are_what_they_say(history: list[Operation]) -> None:
    verdict = check_linearizable(history, CasRegister())
    if verdict.validity is Validity.OK:
        assert verdict.impossible is None
        return
    bad = verdict.impossible
    assert bad is not None
    assert bad.end is not None
    assert not plain.linearizable(history, CasRegister(), until=bad.end)
    assert plain.linearizable(history, CasRegister(), until=bad.end - 1)
    assert _runs(verdict.prefix, CasRegister())


def _runs(order: list[Operation], model: Model) -> bool:
    states = {model.initial()}
    for each in order:
        action = model.action(each)
        states = states if action is None else {s for state in states for s in model.step(state, action)}
    return bool(states)


def run_of(operations: int, clients: int, values: int, seed: int, *, keys: int = 1) -> list[Operation]:
    kinds = [each for key in range(keys) for each in (Reads(key), Writes(key, values), CompareAndSets(key, values))]
    generator = Limit(operations, Mix(tuple((1, each) for each in kinds)))
    return rehearsal.Rehearsal(generator, rehearsal.register, clients, seed).run()


def test_long_history_is_ok_and_one_false_read_in_it_is_found() -> None:
    history = run_of(3_000, 10, 5, seed=1)
    assert check_linearizable(history, CasRegister()).validity is Validity.OK
    reads = [place for place, each in enumerate(history) if each.f == "read"]
    place = reads[len(reads) // 2]
    history[place] = plain.with_outcome(history[place], 99)
    verdict = check_linearizable(history, CasRegister())
    assert verdict.validity is Validity.VIOLATION
    assert verdict.impossible == history[place]
    assert len(verdict.prefix) > 1_000


def test_parts_on_other_processes_give_the_same_verdict() -> None:
    history = run_of(6_000, 8, 5, seed=2, keys=40)
    place = next(place for place, each in enumerate(history) if each.f == "read" and place > 3_000)
    history[place] = plain.with_outcome(history[place], 99)
    alone = check_linearizable(history, CasRegister())
    with ProcessPoolExecutor(2) as executor:
        spread = check_linearizable(history, CasRegister(), executor=executor)
    assert spread == alone
    assert alone.counts["parts"] == 40
    assert alone.impossible == history[place]


def test_key_is_not_enough_to_part_a_set_that_is_read_whole() -> None:
    both = [
        operation(0, "add", 1, None, (0, 1)),
        operation(1, "add", 2, None, (2, 3)),
        operation(2, "read", None, (2,), (4, 5)),
    ]
    verdict = check_linearizable(both, SetModel())
    assert verdict.validity is Validity.VIOLATION
    assert verdict.counts["parts"] == 1
    assert check_linearizable(both[:2], SetModel()).counts["parts"] == 2


def hard_history() -> list[Operation]:
    """Many concurrent additions, and a read of what nobody added."""
    additions = [operation(n, "add", n, None, (n, 100 + n)) for n in range(20)]
    return [*additions, operation(50, "read", None, ("nonsense",), (200, 201))]


def test_search_that_is_cut_off_is_unknown() -> None:
    verdict = check_linearizable(hard_history(), SetModel(), Budget(max_steps=5_000))
    assert verdict.validity is Validity.UNKNOWN
    assert verdict.impossible is None


def test_search_that_runs_out_of_time_is_unknown() -> None:
    class Hurried(ManualClock):
        def now(self) -> float:
            self.advance(1.0)
            return super().now()

    verdict = check_linearizable(hard_history(), SetModel(), Budget(timeout_s=3.0, clock=Hurried()))
    assert verdict.validity is Validity.UNKNOWN


def test_equal_open_writes_are_as_easy_as_one() -> None:
    crashed = [operation(n, "write", n % 2, None, (n, None)) for n in range(60)]
    reads = [operation(100 + n, "read", None, n % 2, (100 + 2 * n, 101 + 2 * n)) for n in range(50)]
    verdict = check_linearizable([*crashed, *reads], CasRegister())
    assert verdict.validity is Validity.OK
    too_many = [operation(100 + n, "read", None, n % 2, (100 + 2 * n, 101 + 2 * n)) for n in range(62)]
    verdict = check_linearizable([*crashed, *too_many, operation(300, "cas", (5, 5), False, (400, 401))], CasRegister())
    assert verdict.validity is Validity.VIOLATION
    assert verdict.steps < 20_000


def test_model_that_does_not_know_an_operation_says_so() -> None:
    with pytest.raises(ModelError, match="register does not know process 1: cas"):
        check_linearizable([operation(1, "cas", (1, 2), True, (0, 1))], Register())
