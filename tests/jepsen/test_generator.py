from random import Random

from raftkv_jepsen import rehearsal
from raftkv_jepsen.generator import (
    NOTHING,
    Appends,
    Asked,
    Context,
    EachProcess,
    Generator,
    Limit,
    Mix,
    Once,
    Phases,
    Reads,
    Stagger,
    Transactions,
    Until,
    Wait,
    Writes,
)


def run(
    generator: Generator | None, *, processes: int = 2, steps: int = 1_000, seed: int = 1
) -> list[tuple[float, int, Asked]]:
    """Each operation takes half a second; the clock moves when somebody has to wait."""
    dice, now, busy = Random(seed), 0.0, dict.fromkeys(range(processes), 0.0)
    done: list[tuple[float, int, Asked]] = []
    for _ in range(steps):
        free = [process for process, until in busy.items() if until <= now]
        if generator is None:
            return done
        found = None
        for process in free:
            if generator is None:
                break
            found = generator.next(Context(process, now, dice, processes - len(free)))
            generator = found[1] if found else None
            if found is None or isinstance(found[0], Asked):
                break
        if found is not None and isinstance(found[0], Asked):
            done.append((now, process, found[0]))
            busy[process] = now + 0.5
        elif generator is not None:
            until = [found[0].until] if found is not None and isinstance(found[0], Wait) and found[0].until else []
            now = min([*until, *(end for end in busy.values() if end > now)], default=now + 0.1)
    return done


def test_same_seed_same_operations() -> None:
    generator = Limit(200, Mix(((3, Reads("x")), (1, Writes("x", 5)), (1, Transactions()))))
    assert run(generator, seed=7) == run(generator, seed=7)
    assert run(generator, seed=7) != run(generator, seed=8)
    assert len(run(generator)) == 200


def test_mix_goes_by_weight_and_drops_what_is_exhausted() -> None:
    mixed = run(Limit(400, Mix(((3, Reads("x")), (1, Writes("x"))))))
    assert 60 < sum(asked.f == "write" for _, _, asked in mixed) < 140
    assert [asked.f for _, _, asked in run(Mix(((1, Once(Asked("a"))), (1, Once(Asked("b"))))))] in (["a", "b"], ["b", "a"])


def test_stagger_keeps_a_rate_on_the_clock_that_is_handed_in() -> None:
    times = [now for now, _, _ in run(Limit(100, Stagger(1.0, Reads())), processes=10)]
    assert 70 < times[-1] < 130


def test_values_without_a_bound_never_come_twice() -> None:
    written = [asked.value for _, _, asked in run(Limit(50, Writes("x")))]
    appended = [asked.value for _, _, asked in run(Limit(50, Appends("x")))]
    assert len(set(written)) == len(set(appended)) == 50


def test_next_phase_waits_until_nobody_is_busy() -> None:
    final = EachProcess(Limit(1, Reads("x")), processes=2)
    done = run(Phases((Limit(5, Writes("x")), final)))
    assert [asked.f for _, _, asked in done] == ["write"] * 5 + ["read"] * 2
    assert {process for _, process, asked in done if asked.f == "read"} == {0, 1}
    assert done[5][0] >= done[4][0] + 0.5


def test_until_a_time() -> None:
    assert max(now for now, _, _ in run(Until(3.0, Reads()))) < 3.0
    assert run(NOTHING) == []


def test_rehearsal_comes_from_its_seed() -> None:
    def history(seed: int) -> object:
        return rehearsal.Rehearsal(
            Limit(100, Mix(((1, Reads("k", "get")), (1, Appends("k"))))), rehearsal.append_kv, 5, seed, 0.1
        ).run()

    assert history(1) == history(1)
    assert history(1) != history(2)
