"""The course of a job: what opens a round, forms its world and ends it."""

from collections.abc import Iterable
from typing import Any

import pytest

from raftkv.errors import (
    InvalidArgumentError,
    JobInUseError,
    JobNotFoundError,
    LeaseNotFoundError,
    NotLeaderError,
    RoundOverError,
)
from raftkv.pb import rendezvous as pb
from raftkv.pb import rpc
from tests.rendezvous.jobs import JOB, Jobs, settings


def formed(*nodes: str, low: int = 2, high: int = 4, **more: int) -> tuple[Jobs, int]:
    """A job whose first world has these nodes, and the world's token."""
    jobs = Jobs(settings(low, high, **more))
    jobs.join_all(*nodes)
    if jobs.phase() == "GATHERING":
        jobs.ring("LAST_CALL")
    assert jobs.world() == list(nodes)
    return jobs, jobs.look().token


def test_first_round_forms_at_once_when_max_nodes_are_there() -> None:
    jobs = Jobs(settings(2, 3))
    jobs.join_all("a", "b")
    assert jobs.phase() == "GATHERING"
    standing = jobs.join("c")
    assert (standing.phase, standing.role, standing.rank, standing.world_size) == (pb.FORMED, pb.MEMBER, 2, 3)
    assert (standing.master_node, standing.master_address) == ("a", "a.example")


def test_first_round_forms_with_min_nodes_when_last_call_is_over() -> None:
    jobs = Jobs(settings(2, 4))
    jobs.join_all("a", "b")
    jobs.ring("LAST_CALL")
    assert jobs.world() == ["a", "b"]


def test_last_call_is_withdrawn_when_too_few_are_left() -> None:
    jobs = Jobs(settings(2, 4))
    jobs.join_all("a", "b")
    jobs.die("b")
    assert jobs.rendezvous.timers.running == {}
    assert jobs.phase() == "GATHERING"


def test_a_time_that_another_leader_reckoned_counts_for_nothing() -> None:
    jobs = Jobs(settings(2, 4))
    jobs.join_all("a", "b")
    assert isinstance(jobs.ring("LAST_CALL", term=2).error, NotLeaderError)
    assert jobs.phase() == "GATHERING"


def test_death_of_a_member_opens_the_next_round_in_the_same_entry() -> None:
    jobs, _ = formed("a", "b", "c")
    events = jobs.die("b").events
    assert jobs.look().round == 2
    assert jobs.look().reason == "b died"
    assert [jobs.role(node) for node in "abc"] == ["SURVIVOR", "NO_ROLE", "SURVIVOR"]
    assert {event.key.rsplit(b"/", 1)[-1] for event in events} >= {b"b", b"job"}


def test_round_of_survivors_forms_as_soon_as_all_are_back() -> None:
    jobs, token = formed("a", "b", "c")
    jobs.die("b")
    jobs.join("c", after=token)
    assert jobs.phase() == "GATHERING"
    jobs.join("a", after=token)
    assert jobs.world() == ["a", "c"]
    assert jobs.look().token > token


def test_newcomers_do_not_crowd_out_a_survivor_during_last_call() -> None:
    jobs, token = formed("a", "b", low=1, high=2)
    jobs.join_all("c", "d")
    jobs.leave("b")
    assert jobs.phase() == "GATHERING"
    jobs.join("a", after=token)
    assert jobs.world() == ["a", "c"]
    assert jobs.role("d") == "SPARE"


def test_survivor_that_misses_the_last_call_is_a_newcomer_later() -> None:
    jobs, token = formed("a", "b", "c", high=3)
    jobs.die("c")
    jobs.join_all("d", "a", after=token)
    jobs.ring("LAST_CALL")
    assert jobs.world() == ["a", "d"]
    assert jobs.role("b") == "NO_ROLE"
    jobs.join("b", after=token)
    assert jobs.role("b") == "WAITING"


def test_all_nodes_started_anew_get_a_last_call_again() -> None:
    jobs, _ = formed("a", "b", "c")
    jobs.die("a", "b", "c")
    jobs.join_all("a", "b")
    assert jobs.phase() == "GATHERING"
    jobs.join("c")
    jobs.ring("LAST_CALL")
    assert jobs.world() == ["a", "b", "c"]


def test_node_beside_a_world_with_room_waits_and_beside_a_full_one_is_a_spare() -> None:
    jobs, _ = formed("a", "b", high=3)
    jobs.join("c")
    assert (jobs.role("c"), jobs.look().waiting, jobs.look().spares) == ("WAITING", 1, 0)
    full, _ = formed("a", "b", high=2)
    full.join("c")
    assert (full.role("c"), full.look().waiting, full.look().spares) == ("SPARE", 0, 1)


def test_spare_takes_over_the_rank_of_the_dead() -> None:
    jobs, token = formed("a", "b", "c", low=3, high=3)
    jobs.join("s")
    jobs.die("b")
    jobs.join_all("a", "c", after=token)
    assert jobs.world() == ["a", "s", "c"]


def test_member_that_joins_again_ends_the_world_and_takes_waiting_nodes_in() -> None:
    jobs, token = formed("a", "b")
    jobs.join("c")
    jobs.join("a", after=token)
    assert (jobs.phase(), jobs.look().reason, jobs.look().restarts) == ("GATHERING", "a joined again", 0)
    jobs.join("b", after=token)
    assert jobs.world() == ["a", "b", "c"]


def test_join_that_is_asked_for_twice_changes_nothing() -> None:
    jobs, token = formed("a", "b", "c")
    before = jobs.log.machine.store.revision
    assert jobs.join("a").role == pb.MEMBER
    jobs.die("b")
    jobs.join("a", after=token)
    revision = jobs.log.machine.store.revision
    assert jobs.join("a", after=token).role == pb.READY
    assert jobs.log.machine.store.revision == revision > before


def test_another_incarnation_of_a_member_means_that_it_died() -> None:
    jobs, token = formed("a", "b")
    standing = jobs.join("b", incarnation="2")
    assert (standing.phase, standing.role, standing.reason) == (pb.GATHERING, pb.READY, "b was started anew")
    jobs.join("a", after=token)
    assert jobs.world() == ["a", "b"]


def test_join_needs_a_living_lease() -> None:
    jobs = Jobs()
    jobs.leases["a"] = 4711
    with pytest.raises(LeaseNotFoundError):
        jobs.join("a")


def test_member_that_moved_to_another_lease_lives_by_that() -> None:
    jobs, _ = formed("a", "b")
    old = jobs.leases.pop("a")
    jobs.join("a")
    jobs.log.apply(lease_revoke=rpc.LeaseRevokeRequest(ID=old))
    assert jobs.phase() == "FORMED"
    jobs.die("a")
    assert jobs.look().reason == "a died"


def test_node_with_other_settings_is_refused() -> None:
    jobs, _ = formed("a", "b")
    jobs.settings = settings(1, 9)
    with pytest.raises(InvalidArgumentError, match="other settings"):
        jobs.join("c")


def test_node_that_leaves_opens_the_next_round_and_counts_no_restart() -> None:
    jobs, _ = formed("a", "b")
    jobs.leave("b", incarnation="of another life")
    assert jobs.phase() == "FORMED"
    jobs.leave("b")
    assert (jobs.phase(), jobs.look().restarts) == ("GATHERING", 0)


def test_job_succeeds_when_all_have() -> None:
    jobs, _ = formed("a", "b")
    jobs.report("a", "SUCCESS")
    jobs.leave("a")
    assert (jobs.phase(), jobs.role("a")) == ("FORMED", "DONE")
    jobs.report("b", "SUCCESS")
    assert (jobs.look().phase, jobs.look().outcome) == (pb.CLOSED, pb.SUCCEEDED)


def test_failure_ends_the_round_and_too_many_close_the_job() -> None:
    jobs, token = formed("a", "b", max_restarts=1)
    jobs.report("a", "FAILURE", reason="out of memory")
    assert jobs.look().reason == "a failed: out of memory"
    jobs.join_all("a", "b", after=token)
    jobs.report("b", "FAILURE")
    assert (jobs.look().outcome, jobs.look().reason) == (pb.FAILED, "more than 1 restarts: b failed")


def test_rounds_without_progress_close_the_job() -> None:
    jobs, token = formed("a", "b", max_rounds_without_progress=2)
    for step in (5, 0):
        jobs.report("a", "FAILURE", step=step)
        jobs.join_all("a", "b", after=token)
        token = jobs.look().token
    jobs.report("a", "FAILURE", step=5)
    assert jobs.look().reason == "no progress in 2 rounds: a failed"


def test_report_about_another_world_is_refused() -> None:
    jobs, token = formed("a", "b")
    jobs.join("c")
    for node, about in [("a", token - 1), ("c", token), ("x", token)]:
        with pytest.raises(RoundOverError):
            jobs.report(node, "FAILURE", about)


def test_open_round_is_given_up_after_its_time() -> None:
    jobs = Jobs(settings(2, 4, gather_timeout_ms=5000))
    jobs.join("a")
    jobs.ring("GATHER")
    assert (jobs.look().outcome, jobs.look().reason) == (pb.FAILED, "1 of at least 2 nodes were there within 5 s")


def test_closed_job_takes_nobody_and_tells_why() -> None:
    jobs, _ = formed("a", "b")
    jobs.change(close=pb.CloseRequest(job=JOB, reason="enough"))
    standing = jobs.join("c")
    assert (standing.phase, standing.role, standing.reason, standing.outcome) == (pb.CLOSED, pb.NO_ROLE, "enough", pb.CANCELED)


def test_excluded_node_goes_at_once_and_comes_back_after_its_cool_down() -> None:
    jobs, token = formed("a", "b", "c")
    jobs.change(exclude=pb.ExcludeRequest(job=JOB, node="b", reason="ECC errors", cool_down_ms=60_000))
    assert (jobs.phase(), jobs.look().reason) == ("GATHERING", "b is excluded: ECC errors")
    assert jobs.join("b", after=token).role == pb.EXCLUDED
    jobs.join_all("a", "c", after=token)
    jobs.ring("COOL_DOWN", subject="b")
    assert jobs.join("b").role == pb.WAITING


def test_node_that_fails_too_often_is_excluded() -> None:
    jobs, token = formed("a", "b", "c", max_node_failures=2, cool_down_ms=1000)
    for _ in range(2):
        jobs.report("b", "FAILURE")
        jobs.join_all("a", "c", "b", after=token)
        token = jobs.look().token
    assert jobs.role("b") == "EXCLUDED"
    assert jobs.world() == ["a", "c"]


def test_all_agree_on_the_step_at_which_to_stop() -> None:
    jobs, token = formed("a", "b", "c")
    jobs.change(preempt=pb.PreemptRequest(job=JOB, node="b", reason="spot instance"))
    for node, step in [("a", 10), ("b", 11), ("c", 10)]:
        assert not jobs.look().preemption.agreed
        request = pb.AcknowledgePreemptionRequest(job=JOB, node=node, token=token, step=step)
        jobs.change(acknowledge_preemption=request)
    assert (jobs.look().preemption.agreed, jobs.look().preemption.stop_step) == (True, 11)
    jobs.die("b")
    assert not jobs.look().HasField("preemption")


def answer(jobs: Jobs, node: str, worker: int, step: int) -> None:
    request = pb.AcknowledgePreemptionRequest(job=JOB, node=node, token=jobs.look().token, step=step, worker=worker, workers=2)
    jobs.change(acknowledge_preemption=request)


def test_node_has_answered_a_notice_when_all_of_its_workers_have() -> None:
    jobs, _ = formed("a", "b")
    jobs.change(preempt=pb.PreemptRequest(job=JOB))
    for node, worker, step in [("a", 1, 10), ("b", 0, 11), ("a", 1, 99), ("b", 1, 10)]:
        answer(jobs, node, worker, step)
        assert not jobs.look().preemption.agreed
        jobs = jobs.restarted()
    assert jobs.keys()["acknowledged/a"] == {"step": None, "answers": {"1": 10}}
    answer(jobs, "a", 0, 10)
    assert (jobs.look().preemption.agreed, jobs.look().preemption.stop_step) == (True, 11)
    with pytest.raises(InvalidArgumentError, match="workers"):
        answer(jobs, "a", 2, 10)


def test_worker_that_leaves_its_loop_answers_a_notice_that_comes_later() -> None:
    jobs, token = formed("a", "b")
    with pytest.raises(RoundOverError):
        answer(jobs, "a", 0, 10)
    for worker in (0, 1):
        request = pb.AcknowledgePreemptionRequest(
            job=JOB, node="a", token=token, step=9, worker=worker, workers=2, leaving=True
        )
        jobs.change(acknowledge_preemption=request)
        jobs = jobs.restarted()
    assert not jobs.look().HasField("preemption")
    jobs.change(preempt=pb.PreemptRequest(job=JOB))
    assert not jobs.look().preemption.agreed
    for worker in (0, 1):
        answer(jobs, "b", worker, 8)
    assert (jobs.look().preemption.agreed, jobs.look().preemption.stop_step) == (True, 9)


def test_hang_is_told_to_all_until_it_is_over_and_goes_with_the_round() -> None:
    jobs, token = formed("a", "b")
    jobs.hang("b", token=token - 1)
    assert not jobs.look().HasField("hang")
    jobs.hang("b")
    jobs = jobs.restarted()
    assert (list(jobs.look("a").hang.nodes), jobs.look().hang.step, jobs.phase()) == (["b"], 7, "FORMED")
    assert jobs.keys()["job"]["hang"]["nodes"] == ["b"]
    jobs.hang()
    assert not jobs.look().HasField("hang")
    jobs.hang("b")
    jobs.die("a")
    assert not jobs.look().HasField("hang")


def test_hang_that_another_leader_saw_counts_for_nothing() -> None:
    jobs, _ = formed("a", "b", restart_hung=True)
    assert isinstance(jobs.hang("b", term=2).error, NotLeaderError)
    assert jobs.phase() == "FORMED"


def test_hang_ends_the_round_where_that_is_asked_for_and_counts_for_the_limits() -> None:
    jobs, token = formed("a", "b", restart_hung=True, max_restarts=1)
    jobs.hang("b")
    assert (jobs.phase(), jobs.look().reason) == ("GATHERING", "b did not move on from step 7 for 9 s")
    jobs.join_all("a", "b", after=token)
    jobs.hang("a", "b")
    assert (jobs.look().outcome, jobs.look().restarts) == (pb.FAILED, 2)


def arrive(jobs: Jobs, node: str, name: str = "save", **more: Any) -> None:
    request = pb.BarrierRequest(job=JOB, node=node, token=jobs.look().token, name=name, **more)
    jobs.change(barrier=request)


def outcome(jobs: Jobs, name: str = "save") -> tuple[str, list[str]]:
    row = jobs.keys()[f"barriers/{name}"]
    return row["outcome"], row["missing"]


def test_barrier_is_passed_when_all_are_there() -> None:
    jobs, _ = formed("a", "b", "c")
    for node in ("a", "b", "b"):
        arrive(jobs, node)
    assert [key for key in jobs.keys() if key.startswith("arrived/")] == ["arrived/save/a", "arrived/save/b"]  # noqa: SIM118
    jobs = jobs.restarted()
    arrive(jobs, "c")
    assert outcome(jobs) == ("PASSED", [])
    assert not [key for key in jobs.keys() if key.startswith("arrived/")]  # noqa: SIM118


def test_barrier_that_is_late_names_the_missing() -> None:
    jobs, _ = formed("a", "b", "c")
    arrive(jobs, "b", timeout_ms=500)
    jobs.ring("BARRIER", subject="save")
    assert outcome(jobs) == ("TIMED_OUT", ["a", "c"])
    arrive(jobs, "a", timeout_ms=500)
    assert outcome(jobs) == ("TIMED_OUT", ["a", "c"])


def test_barrier_of_some_needs_only_them_and_all_must_say_the_same() -> None:
    jobs, _ = formed("a", "b", "c")
    arrive(jobs, "a", nodes=["b", "a"])
    with pytest.raises(InvalidArgumentError, match="others"):
        arrive(jobs, "b")
    with pytest.raises(InvalidArgumentError, match="of the world"):
        arrive(jobs, "c", "other", nodes=["c", "x"])
    arrive(jobs, "b", nodes=["a", "b"])
    assert outcome(jobs) == ("PASSED", [])


def test_barrier_can_be_canceled_and_goes_with_the_round() -> None:
    jobs, token = formed("a", "b")
    arrive(jobs, "a", timeout_ms=500)
    jobs.change(cancel_barrier=pb.CancelBarrierRequest(job=JOB, token=token, name="save", reason="no space"))
    assert outcome(jobs) == ("CANCELED", ["b"])
    arrive(jobs, "a", "open", timeout_ms=500)
    jobs.die("b")
    assert not [key for key in jobs.keys() if key.startswith(("barriers/", "arrived/"))]  # noqa: SIM118
    assert not jobs.rendezvous.timers.running


def announce(jobs: Jobs, node: str, step: int) -> None:
    request = pb.AnnounceRequest(job=JOB, node=node, token=jobs.look().token, step=step, location=f"/ckpt/{step}/{node}")
    jobs.change(announce=request)


def test_checkpoint_is_there_when_all_parts_are_and_counts_as_progress() -> None:
    jobs, _ = formed("a", "b", keep_checkpoints=2)
    for step in (10, 20, 30):
        announce(jobs, "b", step)
        assert step not in jobs.rendezvous.jobs[JOB].checkpoints
        jobs = jobs.restarted()
        announce(jobs, "a", step)
        assert jobs.look().step == step
    job = jobs.rendezvous.jobs[JOB]
    assert sorted(job.checkpoints) == [20, 30]
    assert [shard.location for shard in jobs.rendezvous.shards(job, 30)] == ["/ckpt/30/a", "/ckpt/30/b"]
    assert len([key for key in jobs.keys() if key.startswith("shards/")]) == 4  # noqa: SIM118


def test_checkpoint_never_has_parts_of_two_worlds() -> None:
    jobs, token = formed("a", "b")
    announce(jobs, "a", 10)
    jobs.leave("b")
    jobs.join_all("b", "a", after=token)
    announce(jobs, "b", 10)
    assert not jobs.rendezvous.jobs[JOB].checkpoints
    announce(jobs, "a", 10)
    assert list(jobs.rendezvous.jobs[JOB].checkpoints) == [10]


def test_removed_job_leaves_no_key() -> None:
    jobs, _ = formed("a", "b")
    with pytest.raises(JobInUseError):
        jobs.change(remove=pb.RemoveRequest(job=JOB))
    jobs.change(close=pb.CloseRequest(job=JOB))
    jobs.change(remove=pb.RemoveRequest(job=JOB))
    assert jobs.keys() == {}
    assert jobs.look().phase == pb.NO_JOB
    with pytest.raises(JobNotFoundError):
        jobs.change(close=pb.CloseRequest(job=JOB))


def test_what_clients_do_to_the_keys_changes_no_job() -> None:
    jobs, token = formed("a", "b")
    prefix = b"/raftkv/rendezvous/"
    jobs.log.apply(delete_range=rpc.DeleteRangeRequest(key=prefix, range_end=b"/raftkv/rendezvous0"))
    jobs.log.apply(put=rpc.PutRequest(key=prefix + b"job/job", value=b"nonsense"))
    assert jobs.restarted().world() == ["a", "b"]
    jobs.join("a", after=token)
    assert jobs.keys()["job"]["phase"] == "GATHERING"


@pytest.mark.parametrize("name", ["", "a/b", "a\n", "x" * 256])
def test_names_must_fit_into_a_key(name: str) -> None:
    with pytest.raises(InvalidArgumentError):
        Jobs().join(name)


def test_step_at_which_all_stop_stays_when_who_named_it_is_done() -> None:
    jobs, token = formed("a", "b", "c")
    jobs.change(preempt=pb.PreemptRequest(job=JOB))
    for node, step in (("a", 5), ("c", 5), ("b", 6)):
        jobs.change(acknowledge_preemption=pb.AcknowledgePreemptionRequest(job=JOB, node=node, token=token, step=step))
    assert jobs.look().preemption.stop_step == 6
    assert jobs.report("b", "SUCCESS").preemption.stop_step == 6
    jobs = jobs.restarted()
    assert (jobs.look().preemption.agreed, jobs.look().preemption.stop_step) == (True, 6)


def test_all_nodes_are_told_of_the_step_at_which_they_stop() -> None:
    told: list[str] = []

    class Audience:
        def changed(self, moved: Iterable[str], nodes: Iterable[tuple[str, str]]) -> None:
            told[:] = moved

        def reloaded(self) -> None:
            raise AssertionError("nothing was reloaded")

    jobs, token = formed("a", "b")
    jobs.rendezvous.audience = Audience()
    jobs.change(preempt=pb.PreemptRequest(job=JOB))
    for node, expected in (("a", []), ("b", [JOB])):
        jobs.change(acknowledge_preemption=pb.AcknowledgePreemptionRequest(job=JOB, node=node, token=token, step=5))
        assert told == expected
