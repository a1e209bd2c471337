"""Runs: the same for a seed whatever the process, and telling of what is wrong."""

import os
import subprocess
import sys

import pytest

from raftkv.server.writer import Writer
from raftkv.storage.engine import Batch
from raftkv.watch.hub import Hub
from raftkv_chaos.sim.run import OK, VIOLATION, VOID, run_seed

TRACES = """
from raftkv_chaos.sim.run import run_seed
for seed in (3, 12, 28):
    print(seed, run_seed(seed, duration_s=4.0).trace)
"""


def traces(hash_seed: int) -> str:
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed)}
    return subprocess.run([sys.executable, "-c", TRACES], env=environment, check=True, capture_output=True, text=True).stdout


def test_a_seed_replays_bit_for_bit_under_another_hash_seed() -> None:
    assert traces(1) == traces(2)


def test_a_seed_replays_in_a_process_that_has_lived_through_others() -> None:
    first = run_seed(3, duration_s=3.0)
    run_seed(4, duration_s=1.0)
    assert run_seed(3, duration_s=3.0).trace == first.trace


def test_another_seed_is_another_run() -> None:
    assert run_seed(1, duration_s=1.0).trace != run_seed(2, duration_s=1.0).trace


def test_a_run_without_clients_is_void() -> None:
    assert run_seed(1, duration_s=1.0, clients=frozenset()).verdict == VOID


def test_a_run_without_faults_keeps_every_promise_and_says_how_much_there_was() -> None:
    result = run_seed(5, kinds=(), duration_s=3.0, keep=True)
    assert result.verdict == OK
    assert result.counts["acknowledged"] > 100
    assert result.counts["faults"] == 0
    assert len(result.history) == result.counts["events"]
    assert result.log


def test_a_disk_that_is_not_synced_is_found_by_the_promises_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(self: Writer, batch: Batch, *, sync: bool) -> None:
        self._engine.write(batch, sync=False)

    monkeypatch.setattr(Writer, "_write", write)
    result = run_seed(1, duration_s=2.0)
    assert (result.verdict, result.found_by) == (VIOLATION, "kept promises")


def test_events_that_get_lost_are_found_by_the_watch_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    add, dropped = Hub.add, []

    def lose_some(self: Hub, events: list[object]) -> None:
        dropped.append(events)
        if len(dropped) % 7:
            add(self, events)  # type: ignore[arg-type] # what it was given

    monkeypatch.setattr(Hub, "add", lose_some)
    result = run_seed(5, kinds=(), duration_s=3.0)
    assert result.verdict == VIOLATION
    assert result.found_by.startswith("watch: ")
