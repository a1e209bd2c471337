"""What training loops ask of their job, against a real node: heartbeats, an agreed stop, run-wide values."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count

import pytest

from raftkv.client import BlockingClient, BlockingParticipant, Client, Participant, Place, Preemption
from raftkv.client.job_calls import HEARTBEAT
from raftkv.client.worker import place_from
from raftkv.errors import (
    BarrierFailedError,
    ConfigError,
    InvalidArgumentError,
    NodeExcludedError,
    NodeUnfitError,
    RevisionMismatchError,
    RoundOverError,
)
from raftkv.pb import rendezvous as pb
from tests.harness.raftkv import RaftkvCluster

SETTINGS = pb.JobSettings(min_nodes=2, max_nodes=2, last_call_ms=100, hang_timeout_ms=60_000)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with RaftkvCluster(tmp_path_factory.mktemp("workers")) as cluster:
        yield cluster.endpoints[0]


@asynccontextmanager
async def pair(endpoint: str, job: str) -> AsyncIterator[tuple[Client, Participant, Participant]]:
    """The nodes a (rank 0) and b of a job in its first world."""
    async with Client(endpoint, timeout=20) as client:
        a, b = (client.rendezvous(job).participant(name, SETTINGS) for name in ("a", "b"))
        async with a, b:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(a.next_round(timeout=20))
                await a.until(lambda standing: standing.ready > 0)
                tasks.create_task(b.next_round(timeout=20))
            yield client, a, b


async def eventually(look: Callable[[], Awaitable[object]]) -> None:
    """Asks until the answer is yes."""
    async with asyncio.timeout(20):
        while not await look():  # noqa: ASYNC110 (a real node is asked)
            await asyncio.sleep(0.02)


async def heard(*notices: Preemption) -> bool:
    """Whether all have heard that somebody is about to go."""
    return all(notice.notice is not None for notice in notices)


async def train(notice: Preemption, collective: asyncio.Barrier, *, at: int = -1) -> int:
    """Steps in which ranks wait for each other; the last one that it did."""
    for step in count():
        await collective.wait()
        if step == at:
            signal.raise_signal(signal.SIGTERM)
        if await notice.stop_at(step):
            return step
    raise AssertionError("numbers do not end")


async def test_sigterm_of_one_worker_stops_all_after_the_same_step(endpoint: str) -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with pair(endpoint, "preempted") as (client, a, b):
        collective = asyncio.Barrier(2)
        async with a.worker().preemption(()) as one, b.worker().preemption() as other, asyncio.timeout(30):
            async with asyncio.TaskGroup() as tasks:
                loops = [tasks.create_task(train(one, collective)), tasks.create_task(train(other, collective, at=3))]
            assert one.notice is not None
            assert (one.notice.node, one.notice.reason) == ("b", "SIGTERM")
        stopped = {loop.result() for loop in loops}
        assert len(stopped) == 1
        assert stopped.pop() >= 3
        assert signal.getsignal(signal.SIGTERM) == before
        assert (await client.rendezvous("preempted").look()).preemption.agreed


async def test_operator_stops_workers_that_do_not_wait_for_each_other_after_the_same_step(endpoint: str) -> None:
    async with pair(endpoint, "asked") as (client, a, b):
        fast, slow = asyncio.Barrier(1), asyncio.Barrier(1)
        async with a.worker().preemption(()) as one, b.worker().preemption(()) as other, asyncio.timeout(30):
            assert [await other.stop_at(step) for step in range(100)] == [False] * 100
            await client.rendezvous("asked").preempt("maintenance")
            await eventually(lambda: heard(one, other))
            async with asyncio.TaskGroup() as tasks:
                loops = [tasks.create_task(train(one, slow)), tasks.create_task(_resume(other, fast, 100))]
        assert [loop.result() for loop in loops] == [100, 100]


async def _resume(notice: Preemption, collective: asyncio.Barrier, step: int) -> int:
    while True:
        await collective.wait()
        if await notice.stop_at(step):
            return step
        step += 1


async def test_node_has_answered_a_notice_when_all_of_its_workers_have(endpoint: str) -> None:
    async with pair(endpoint, "four") as (client, a, b):
        assert a.round is not None
        workers = [client.job(Place("four", node.node, a.round.token, number, 2)) for node in (a, b) for number in (0, 1)]
        notices = [worker.preemption(()) for worker in workers]
        for notice in notices:
            await notice.open()
        collective = asyncio.Barrier(4)
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(train(notice, collective)) for notice in notices]
            notices[2].give("spot instance")
        assert len({loop.result() for loop in loops}) == 1
        for notice in notices:
            await notice.close()


async def test_nobody_waits_for_a_worker_whose_loop_has_ended(endpoint: str) -> None:
    async with pair(endpoint, "ended") as (client, a, b), b.worker().preemption(()) as other, asyncio.timeout(30):
        async with a.worker().preemption(()) as one:
            assert not await one.stop_at(99)
        await client.rendezvous("ended").preempt("maintenance")
        await eventually(lambda: heard(other))
        assert not await other.stop_at(98)
        assert await other.stop_at(99)


async def test_who_waits_for_an_agreement_hears_that_the_round_is_over(endpoint: str) -> None:
    async with pair(endpoint, "torn") as (client, a, b), a.worker().preemption(()) as notice:
        job = client.rendezvous("torn")

        async def wait() -> None:
            with pytest.raises(RoundOverError):
                await notice.stop_at(7)

        async def answered() -> bool:
            return (await job.look()).preemption.answers == 1

        await job.preempt("maintenance")
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            await eventually(lambda: heard(notice))
            tasks.create_task(wait())
            await eventually(answered)
            await b.fail("broken")


async def test_steps_of_all_workers_are_seen_by_anybody(endpoint: str) -> None:
    async with pair(endpoint, "paced") as (client, a, b), a.worker().steps() as one, b.worker().steps() as other:
        job = client.rendezvous("paced")
        stream = job.watch_steps(interval=0.1)
        step, seen = 0, pb.JobSteps()
        while seen.workers < 2 or not all(each.step_seconds for each in seen.each):
            step += 1
            one.done(step, work_seconds=0.001)
            other.done(step)
            with other.paused():
                seen = await anext(stream)
        await stream.aclose()
        assert [(each.node, each.rank) for each in seen.each] == [("a", 0), ("b", 1)]
        assert seen.each[0].work_seconds == pytest.approx(0.001)
        assert "paced" in [found.job for found in await client.steps()]
        await b.fail("broken")
        assert (await job.steps()).workers == 0

        async def told() -> bool:
            return one.over and other.over

        await eventually(told)


async def test_run_wide_values_are_compared_fenced_and_watched(endpoint: str) -> None:
    async with pair(endpoint, "tuned") as (client, a, b):
        config, worker = client.rendezvous("tuned").config, a.worker()
        watching = config.watch()
        assert await anext(watching) == {}
        first = await config.set("lr", "0.1", revision=0)
        assert {name: setting.value for name, setting in (await anext(watching)).items()} == {"lr": "0.1"}
        with pytest.raises(RevisionMismatchError, match=f"lr is at revision {first}, not 0"):
            await config.set("lr", "0.2", revision=0)
        token = worker.place.token
        second = await worker.config.set("lr", "0.2", revision=first, token=token)
        assert (await config.all())["lr"].revision == second
        await b.fail("broken")
        with pytest.raises(RoundOverError):
            await worker.config.set("lr", "0.3", token=token)
        await config.delete("lr", revision=second)
        while (await anext(watching)) != {}:
            pass
        await watching.aclose()
        assert await config.get("lr") is None
        with pytest.raises(InvalidArgumentError):
            await config.get("")


async def test_barrier_of_some_names_the_missing_by_rank_and_can_be_canceled(endpoint: str) -> None:
    async with pair(endpoint, "barred") as (client, a, b):
        job = client.rendezvous("barred")

        async def wait() -> None:
            with pytest.raises(BarrierFailedError, match=r"no space; missing: b \(rank 1\)") as failed:
                await a.worker().barrier("save")
            assert (failed.value.missing, failed.value.missing_ranks) == (["b"], [1])

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(wait())
            await eventually(job.barriers)
            (state,) = await job.barriers()
            assert (state.name, state.expected, state.arrived, list(state.missing)) == ("save", 2, 1, ["b"])
            assert list(state.missing_ranks) == [1]
            await job.cancel_barrier("save", "no space")
        await b.barrier("alone", nodes=["b"])
        assert [(state.name, state.decided) for state in await job.barriers()] == [("alone", True), ("save", True)]


async def test_node_that_does_not_pass_its_checks_does_not_join_and_is_kept_out(endpoint: str) -> None:
    async with pair(endpoint, "checked") as (client, _a, _b):
        job = client.rendezvous("checked")
        unfit = job.participant("c", SETTINGS, checks="network;command:sh -c 'exit 3'", check_cool_down=60)
        async with unfit:
            with pytest.raises(NodeUnfitError, match="c is not fit for job checked: command:sh -c 'exit 3': exit status 3"):
                await unfit.next_round(timeout=20)
        standing = await job.look("c")
        assert (standing.role, standing.spares, standing.phase) == (pb.EXCLUDED, 0, pb.FORMED)
        later = job.participant("c", SETTINGS, checks="command:true")
        async with later:
            with pytest.raises(NodeExcludedError):
                await later.next_round(timeout=20)
            await job.readmit("c")
        assert [finding.passed for finding in await job.check("command:true;gpu")] == [True, True]
    async with Client(endpoint, timeout=20) as client:
        nobody = client.rendezvous("nobody").participant("a", SETTINGS, checks="command:false")
        async with nobody:
            with pytest.raises(NodeUnfitError):
                await nobody.next_round(timeout=20)
        assert (await client.rendezvous("nobody").look()).phase == pb.NO_JOB


async def test_heartbeats_that_cannot_be_are_refused(endpoint: str) -> None:
    async with pair(endpoint, "refused") as (client, a, _b):
        assert a.round is not None
        good = pb.HeartbeatRequest(job="refused", node="a", token=a.round.token, step=1)
        assert (await client.call(HEARTBEAT, good)).again_ms == 1000
        for wrong in ({"job": "a/b"}, {"node": ""}, {"worker": 1}, {"step_seconds": -1.0}):
            request = pb.HeartbeatRequest()
            request.CopyFrom(good)
            request.MergeFrom(pb.HeartbeatRequest(**wrong))
            if wrong == {"node": ""}:
                request.node = ""
            with pytest.raises(InvalidArgumentError):
                await client.call(HEARTBEAT, request)
        with pytest.raises(RoundOverError):
            await client.call(HEARTBEAT, pb.HeartbeatRequest(job="refused", node="c", token=a.round.token))
        early = pb.HeartbeatRequest(job="refused", node="a", token=a.round.token + 1)
        assert (await client.call(HEARTBEAT, early)).again_ms == 500
        with pytest.raises(InvalidArgumentError):
            await anext(client.rendezvous("refused").watch_steps(interval=0.001))


def test_blocking_workers_do_the_same(endpoint: str) -> None:
    with BlockingClient(endpoint, timeout=20) as client:
        job = client.rendezvous("blocking")
        with job.participant("only", pb.JobSettings(min_nodes=1, max_nodes=1)) as node:
            node.next_round(timeout=20)
            worker = node.worker()
            with worker.steps() as steps, worker.preemption() as notice:
                stopped = _train(node, steps.done, notice.stop_at)
                assert notice.notice is not None
            worker.progress(stopped)
            worker.barrier("save", timeout=20)
            worker.announce(stopped, "/ckpt")
            latest = worker.latest()
            assert latest is not None
            assert latest.step == stopped
            revision = worker.config.set("lr", "1", token=worker.place.token)
            assert next(worker.config.watch())["lr"].revision == revision
            assert [state.name for state in job.barriers()] == ["save"]
            assert job.steps().workers <= 1
            node.succeed()


def _train(node: BlockingParticipant, done: Callable[[int], None], stop_at: Callable[[int], bool]) -> int:
    for step in count():
        done(step)
        if step == 5:
            threading.Thread(target=node.preempt, args=("soon",)).start()
        if stop_at(step):
            return step
    raise AssertionError("numbers do not end")


def test_worker_learns_from_its_environment_who_it_is() -> None:
    place = Place("mnist", "node-7", 42)
    torchrun = {"LOCAL_RANK": "3", "LOCAL_WORLD_SIZE": "8"}
    assert place_from({**place.environment(), **torchrun}) == Place("mnist", "node-7", 42, 3, 8)
    with pytest.raises(ConfigError, match="RAFTKV_JOB is not set"):
        place_from({})
    with pytest.raises(ConfigError, match="are numbers"):
        place_from({**place.environment(), "RAFTKV_TOKEN": "x"})
