"""Jobs of torchrun while agents come and are killed -9 with their workers."""

import shlex
from collections.abc import Callable
from pathlib import Path

from raftkv.client import BlockingClient
from raftkv.pb import rendezvous as pb
from tests.torch.agents import CLOCK, EXAMPLES, LONG, Agent, agents, registered, wait_until


def test_spare_takes_over_a_dead_nodes_rank_and_without_one_the_rest_goes_on(
    endpoints: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    first, second = (registered(node, endpoints, "widowed", tmp_path, nodes="1:2", environment=LONG) for node in ("a", "b"))
    with agents(first, second), BlockingClient(endpoints.split(",")) as client:
        wait_until(lambda: len(first.begun(4) + second.begun(4)) == 4, first)
        spare = registered("c", endpoints, "widowed", tmp_path, nodes="1:2", environment=LONG)
        with agents(spare):
            wait_until(lambda: client.rendezvous("widowed").look("c").role == pb.SPARE, spare)
            record_property("seconds until a spare has taken over", resumed(client, second, spare, world_size=4))
            assert _ranks(spare.begun(4)) == _ranks(second.begun(4))
            record_property("seconds until the rest goes on", resumed(client, spare, first, world_size=2))


def resumed(client: BlockingClient, doomed: Agent, heir: Agent, *, world_size: int) -> float:
    """Kills -9; the seconds until the heir's workers go on from the checkpoint that the registry has."""
    job = client.rendezvous("widowed")
    ends = job.look().round
    wait_until(lambda: any(each.round == ends for each in job.checkpoints()), heir)
    doomed.kill()
    died = CLOCK.now()
    wait_until(lambda: len(heir.begun(world_size)) == 2, heir)
    took = CLOCK.now() - died
    latest = max(each.step for each in job.checkpoints() if each.round <= ends)
    assert {step for _, step in heir.begun(world_size)} == {latest}
    print(f"{heir.log.stem} goes on {took:.1f} s after {doomed.log.stem} was killed")  # noqa: T201  # pytest -rP shows it
    return took


def _ranks(begun: list[tuple[int, int]]) -> set[int]:
    return {rank for rank, _ in begun}


def test_late_node_joins_the_example_as_its_head_says(endpoints: str, tmp_path: Path) -> None:
    first = _example(endpoints, "first", tmp_path)
    with agents(first):
        wait_until(lambda: first.said("step 10 "), first)
        late = _example(endpoints, "late", tmp_path)
        with agents(late):
            for agent in (first, late):
                wait_until(lambda agent=agent: len(agent.begun(4)) == 2, agent)  # type: ignore[misc] # a default binds
            assert {step for _, step in late.begun(4)} == {step for _, step in first.begun(4)}
            assert late.begun(4)[0][1] >= 10, "it goes on from the checkpoint"


def _example(endpoints: str, name: str, folder: Path) -> Agent:
    """The second command at the head of examples/train.py, for the cluster at hand."""
    head = (EXAMPLES / "train.py").read_text().partition("torchrun ")[2].partition("\n\n")[0].replace("\\\n", " ")
    arguments = shlex.split(head.replace("127.0.0.1:2379", endpoints).replace("examples/train.py", str(EXAMPLES / "train.py")))
    return Agent(name, arguments, folder=folder, environment=LONG)
