"""Workers of torchrun stop together, tell of their steps, and do not begin on a node that is not fit."""

import os
import signal
from pathlib import Path

import pytest
from torch.distributed.elastic.rendezvous import RendezvousParameters, RendezvousStateError

from raftkv.client import BlockingClient
from raftkv.pb import rendezvous as pb
from raftkv.torch.handler import create_handler, job_settings
from tests.torch.agents import Agent, agents, wait_until

PROGRAM = Path(__file__).parent / "stopping.py"


def agent(name: str, endpoints: str, job: str, folder: Path) -> Agent:
    chosen = f"node={name},last_call_timeout=30,ttl=5,join_timeout=60,health_check=command:true"
    arguments = ["--nnodes", "2", "--nproc-per-node", "2", "--rdzv-backend", "raftkv", "--rdzv-endpoint", endpoints]
    arguments += ["--rdzv-id", job, "--rdzv-conf", chosen, str(PROGRAM)]
    return Agent(f"{job}-{name}", arguments, folder=folder, environment={})


def test_sigterm_of_one_worker_stops_all_workers_of_all_nodes_after_the_same_step(endpoints: str, tmp_path: Path) -> None:
    made = [agent(node, endpoints, "stopping", tmp_path) for node in ("a", "b")]
    with agents(*made), BlockingClient(endpoints.split(","), timeout=20) as client:
        job = client.rendezvous("stopping")
        for each in made:
            wait_until(lambda each=each: len(each.said(r"pid \d+ is")) == 2, each)  # type: ignore[misc] # a default binds
        wait_until(lambda: job.steps().workers == 4, made[0])
        assert [worker.rank for worker in job.steps().each] == [0, 1, 2, 3]
        os.kill(int(made[1].said(r"pid (\d+) is")[0]), signal.SIGTERM)
        assert [each.wait() for each in made] == [0, 0]
        stopped = [step for each in made for step in each.said(r"stopped after step (\d+)")]
        assert (len(stopped), len(set(stopped))) == (4, 1)
        standing = job.look()
        assert (standing.phase, standing.outcome) == (pb.CLOSED, pb.SUCCEEDED)


def test_agent_on_a_node_that_is_not_fit_does_not_join(endpoints: str) -> None:
    parameters = RendezvousParameters(
        "raftkv", endpoints, "unfit", 1, 1, node="a", health_check="command:false", hang_timeout="60"
    )
    handler = create_handler(parameters)
    try:
        with pytest.raises(RendezvousStateError, match="a is not fit for job unfit: command:false: exit status 1"):
            handler.next_rendezvous()
    finally:
        handler.shutdown()
    with BlockingClient(endpoints.split(","), timeout=20) as client:
        assert client.rendezvous("unfit").look().phase == pb.NO_JOB


def test_limits_of_hangs_are_options() -> None:
    given = {"hang_timeout": "60", "hang_factor": "20", "restart_hung": "true"}
    settings = job_settings(RendezvousParameters("raftkv", "", "job", 1, 1, **given))
    assert (settings.hang_timeout_ms, settings.hang_factor, settings.restart_hung) == (60_000, 20, True)
