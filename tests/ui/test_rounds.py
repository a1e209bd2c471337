from collections.abc import Iterable
from typing import Any, cast

from raftkv.pb import rendezvous as pb
from raftkv.ui.jobs import barriers, being_written, checkpoints, ranks, settings_of, states, summary
from raftkv.ui.journal import Journal
from raftkv.ui.rounds import Rounds
from tests.rendezvous.jobs import JOB, Jobs, settings


class Told:
    """Stands where the service stands: what it is told must not change."""

    def __init__(self) -> None:
        self.jobs: list[str] = []
        self.reloads = 0

    def changed(self, jobs: Iterable[str], nodes: Iterable[tuple[str, str]]) -> None:
        self.jobs += jobs

    def reloaded(self) -> None:
        self.reloads += 1


class Notes:
    """A journal that only remembers."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, kind: str, severity: str, subject: str, text: str) -> None:
        self.texts.append(f"{severity} {subject}: {text}")


class Watched:
    """Jobs whose rounds are noted, at times that a test sets."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.now = 100.0
        self.told = Told()
        self.notes = Notes()
        jobs.rendezvous.audience = self.told
        self.rounds = Rounds(jobs.rendezvous, cast("Journal", self.notes), lambda: self.now)
        self.rounds.start()

    async def times(self) -> list[tuple[int, Any, Any, Any]]:
        rows = await self.rounds.of(JOB)
        return [(row["round"], row["opened_at"], row["formed_at"], row["ended_at"]) for row in rows]


async def test_rounds_have_the_times_at_which_they_were_applied() -> None:
    watched = Watched(Jobs(settings(2, 2)))
    watched.jobs.join("a")
    watched.now = 103.0
    watched.jobs.join("b")
    watched.now = 200.0
    watched.jobs.report("a", "FAILURE", reason="CUDA error")
    assert (await watched.times()) == [(1, 100.0, 103.0, 200.0), (2, 200.0, None, None)]
    watched.now = 205.0
    watched.jobs.change(close=pb.CloseRequest(job=JOB, reason="enough"))
    assert (await watched.times())[-1] == (2, 200.0, None, 205.0)
    assert watched.notes.texts == [
        "info job: began: round 1 is open",
        "good job: round 1 formed: 2 nodes",
        "warn job: round 1 ended: a failed: CUDA error; round 2 is open",
        "info job: canceled: enough",
    ]
    assert set(watched.told.jobs) == {JOB}


async def test_what_was_before_the_start_is_known_without_times() -> None:
    jobs = Jobs(settings(2, 2))
    jobs.join_all("a", "b")
    jobs.report("a", "FAILURE")
    jobs.join_all("a", "b", after=1)
    watched = Watched(jobs)
    watched.now = 300.0
    jobs.report("b", "FAILURE")
    assert [row[0] for row in (await watched.times())] == [1, 2, 3]
    assert (await watched.times())[0] == (1, None, None, None)
    assert (await watched.times())[2][1] == 300.0
    assert [row["world_size"] for row in await watched.rounds.of(JOB)] == [2, 2, 0]


def test_a_job_that_is_removed_is_forgotten_and_a_snapshot_is_looked_through() -> None:
    watched = Watched(Jobs(settings(2, 2)))
    watched.jobs.join("a")
    watched.jobs.leave("a")
    watched.jobs.change(remove=pb.RemoveRequest(job=JOB))
    assert watched.notes.texts[-1] == "info job: was removed"
    watched.rounds.reloaded()
    assert watched.told.reloads == 1


def test_a_job_is_told_in_rows() -> None:
    jobs = Jobs(settings(2, 4, max_restarts=3))
    for node in "abc":
        jobs.join(node, segments=["rack"])
    jobs.ring("LAST_CALL")
    jobs.join("d")
    token = jobs.look().token
    for node in ("a", "b"):
        jobs.change(barrier=pb.BarrierRequest(job=JOB, node=node, token=token, name="there"))
        jobs.change(announce=pb.AnnounceRequest(job=JOB, node=node, token=token, step=5, location="x"))
    for node in ("a", "b", "c"):
        jobs.change(announce=pb.AnnounceRequest(job=JOB, node=node, token=token, step=4, location="x"))
    jobs.report("c", "SUCCESS")
    job = jobs.rendezvous.jobs[JOB]
    assert states(job) == "wwd"
    assert [(row["rank"], row["node"], row["segments"]) for row in ranks(job, 1, 10)] == [
        (1, "b", ["rack"]),
        (2, "c", ["rack"]),
    ]
    (barrier,) = barriers(job)
    assert (barrier["outcome"], barrier["arrived"], barrier["missing"]) == ("open", 2, [{"node": "c", "rank": 2}])
    assert [one["step"] for one in checkpoints(job)] == [4]
    assert being_written(job) == [{"step": 5, "parts": 2, "world_size": 3, "missing": [2]}]
    row = summary(job)
    assert (row["phase"], row["world_size"], row["ready"], row["done"], row["open_barriers"]) == ("formed", 3, 1, 1, 1)
    assert settings_of(job.settings) == {"min_nodes": 2, "max_nodes": 4, "last_call_ms": 1000, "max_restarts": 3}
