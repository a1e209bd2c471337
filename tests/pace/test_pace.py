"""What the leader makes of heartbeats: who is slow beside the others or beside itself, and who hangs."""

from typing import Any

import pytest

from raftkv.errors import InvalidArgumentError
from raftkv.pace import JobPace, WorkerPace, check_heartbeat, hang_of
from raftkv.pb.rendezvous import HeartbeatRequest, JobSettings, StepMemory

NODES = ["a", "b", "c", "d"]


def beat(node: str, step: int, step_s: float = 1.0, work_s: float = 0.0, *, paused: bool = False) -> HeartbeatRequest:
    return HeartbeatRequest(node=node, step=step, step_seconds=step_s, work_seconds=work_s, paused=paused)


def job(works: dict[str, float], *, seconds: int = 20, step_s: float = 1.0) -> JobPace:
    """Nodes that do a step a second, of which their own work takes what is said."""
    pace = JobPace(0.0)
    pace.enter(1)
    for second in range(seconds):
        for node, work_s in works.items():
            pace.hear(beat(node, second, step_s, work_s), float(second))
        pace.look(JobSettings(), 0.0)
    return pace


def scores(pace: JobPace) -> dict[str, float]:
    report = pace.report("job", 20.0, ranks=NODES.index, limit=10)
    return {each.node: round(each.score, 2) for each in report.each}


def test_who_works_twice_as_long_as_the_others_is_a_straggler_though_all_steps_take_as_long() -> None:
    pace = job({"a": 0.4, "b": 0.4, "c": 0.8, "d": 0.4})
    assert scores(pace) == {"a": 1.0, "b": 1.0, "c": 0.5, "d": 1.0}
    assert pace.summary("job").stragglers == 1


def test_who_becomes_slower_than_it_was_is_a_straggler_though_all_become_slower() -> None:
    pace = job(dict.fromkeys(NODES, 0.4))
    for second in range(20, 30):
        for node in NODES:
            pace.hear(beat(node, second, 1.0, 0.8), float(second))
        pace.look(JobSettings(), 0.0)
    assert all(score < 0.7 for score in scores(pace).values())
    (one, *_) = pace.workers.values()
    assert one.relative_score(pace.median_s) == 1.0


def test_one_slow_step_makes_no_straggler() -> None:
    pace = job(dict.fromkeys(NODES, 0.4))
    pace.hear(beat("a", 20, 1.0, 0.6), 20.0)
    pace.look(JobSettings(), 0.0)
    assert pace.summary("job").stragglers == 0


def test_scores_mean_nothing_before_a_few_heartbeats() -> None:
    pace = job({"a": 0.4, "b": 4.0}, seconds=1)
    assert pace.summary("job").stragglers == 0


def test_new_leader_goes_on_where_the_last_one_ended() -> None:
    old = job({"a": 0.4, "b": 0.4, "c": 0.8})
    new = JobPace(100.0)
    new.enter(1)
    for key, worker in old.workers.items():
        request = beat(key[0], 21, 1.0, worker.work_s)
        request.memory.CopyFrom(worker.memory())
        new.hear(request, 100.0)
    new.look(JobSettings(), 0.0)
    assert {key: round(each.score(new.median_s), 3) for key, each in new.workers.items()} == {
        key: round(each.score(old.median_s), 3) for key, each in old.workers.items()
    }
    assert new.summary("job").stragglers == 1


def hung(pace: JobPace, now: float, **settings: Any) -> list[str]:
    pace.look(JobSettings(**settings), now)
    return [worker.node for worker in pace.hung]


def test_worker_that_stands_still_for_the_set_time_hangs_also_where_it_sends_heartbeats() -> None:
    pace = job({"a": 0.4, "b": 0.4}, seconds=10)
    for second in range(10, 40):
        pace.hear(beat("a", second), float(second))
        pace.hear(beat("b", 9, 0.0), float(second))
    assert hung(pace, 39.0, hang_timeout_ms=30_000) == []
    assert hung(pace, 39.1, hang_timeout_ms=30_000) == ["b"]
    assert hung(pace, 39.1) == []


def test_worker_that_stands_still_for_many_times_its_usual_step_hangs() -> None:
    pace = job({"a": 0.4, "b": 0.4}, seconds=10, step_s=2.0)
    assert hung(pace, 9.0 + 20.0, hang_factor=10) == []
    assert hung(pace, 9.0 + 20.1, hang_factor=10) == ["a", "b"]


def test_short_steps_make_no_hang_before_a_few_heartbeats_could_have_come() -> None:
    pace = job({"a": 0.01}, step_s=0.01)
    assert hung(pace, 19.0 + 2.9, hang_factor=10) == []
    assert hung(pace, 19.0 + 3.1, hang_factor=10) == ["a"]


def test_pause_is_measured_by_the_set_time_alone() -> None:
    pace = job({"a": 0.4, "b": 0.4}, seconds=10)
    pace.hear(beat("a", 9, 0.0, paused=True), 10.0)
    assert hung(pace, 200.0, hang_factor=10) == ["b"]
    assert hung(pace, 200.0, hang_timeout_ms=100_000, hang_factor=10) == ["b", "a"]
    pace.hear(beat("a", 9, 0.0), 300.0)
    assert hung(pace, 305.0, hang_factor=10) == ["b"]


def test_hang_of_all_names_who_is_behind_first() -> None:
    pace = job({"a": 0.4, "b": 0.4}, seconds=10)
    pace.hear(beat("a", 10), 10.0)
    pace.look(JobSettings(hang_timeout_ms=1000), 60.0)
    hang = hang_of(pace.hung, pace, 60.0)
    assert (list(hang.nodes), hang.workers, hang.whole_job, hang.step, hang.still_ms) == (["b", "a"], 2, True, 9, 51_000)


def test_workers_of_another_world_and_of_nodes_that_are_done_are_forgotten() -> None:
    pace = job({"a": 0.4, "b": 0.4})
    pace.look(JobSettings(), 20.0, {"b"})
    assert list(pace.workers) == [("a", 0)]
    pace.enter(2)
    assert (pace.workers, pace.median_s) == ({}, 0.0)


def test_time_is_lost_between_two_worlds_and_failures_are_counted() -> None:
    pace = JobPace(0.0)
    pace.pass_time(10.0, working=False, lost=False, restarts=3)
    pace.pass_time(70.0, working=True, lost=False, restarts=3)
    pace.pass_time(75.0, working=False, lost=True, restarts=4)
    assert (pace.working_s, pace.lost_s, pace.failures) == (60.0, 5.0, 1)


def test_report_of_many_shows_the_worst_and_heartbeats_become_rarer() -> None:
    pace = JobPace(0.0)
    pace.enter(1)
    for number in range(10_000):
        for step in range(4):
            pace.hear(beat(str(number), step, 1.0, 0.4 if number % 100 else 0.8), float(step))
    pace.look(JobSettings(), 0.0)
    report = pace.report("job", 4.0, ranks=int, limit=100)
    assert (report.workers, report.stragglers, [each.rank for each in report.each]) == (10_000, 100, [*range(0, 10_000, 100)])
    assert pace.again_ms == 5000


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), 1e300])
def test_times_that_cannot_be_are_refused(seconds: float) -> None:
    for wrong in (
        HeartbeatRequest(step_seconds=seconds),
        HeartbeatRequest(work_seconds=seconds),
        HeartbeatRequest(memory=StepMemory(usual_seconds=seconds)),
    ):
        with pytest.raises(InvalidArgumentError):
            check_heartbeat(wrong)


def test_worker_of_two_on_a_node_has_its_own_rank() -> None:
    pace = JobPace(0.0)
    pace.enter(1)
    for node in "ab":
        for worker in (0, 1):
            pace.hear(HeartbeatRequest(node=node, worker=worker, workers=2, step=1), 0.0)
    report = pace.report("job", 1.0, ranks=NODES.index, limit=10)
    assert [(each.node, each.worker, each.rank) for each in report.each] == [("a", 0, 0), ("a", 1, 1), ("b", 0, 2), ("b", 1, 3)]


def test_step_that_goes_back_counts_as_a_move() -> None:
    worker = WorkerPace(beat("a", 10), 0.0)
    worker.hear(beat("a", 5), 9.0)
    assert (worker.step, worker.moved_at) == (5, 9.0)
