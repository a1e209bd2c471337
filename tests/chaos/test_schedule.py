"""Schedules are data: drawn from a seed, written down, cut short, and the same whoever draws them."""

import random

import pytest

from raftkv_chaos.faults import CLIENTS, LEADER, Crash, Partition, from_json
from raftkv_chaos.schedule import KINDS, Schedule, draw_schedule, partition_links


def test_a_seed_always_draws_the_same() -> None:
    drawn = [draw_schedule(random.Random(7), nodes=5, duration_s=60) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0].faults


def test_a_schedule_survives_being_written_down() -> None:
    for seed in range(50):
        schedule = draw_schedule(random.Random(seed), nodes=3, duration_s=60)
        assert Schedule.from_json(schedule.to_json()) == schedule


def test_only_what_was_asked_for_is_drawn() -> None:
    for seed in range(20):
        schedule = draw_schedule(random.Random(seed), nodes=3, duration_s=60, kinds=("crash", "clog"))
        assert {fault.kind for fault in schedule.faults} <= {"crash", "clog"}


def test_every_kind_is_drawn_sooner_or_later() -> None:
    drawn = {fault.kind for seed in range(40) for fault in draw_schedule(random.Random(seed), nodes=3, duration_s=60).faults}
    assert drawn == set(KINDS) - {"point", "damage"}  # those are crashes, pauses and disks


def test_a_fault_can_be_left_out() -> None:
    schedule = Schedule((Crash(at_s=1, node=1), Crash(at_s=2, node=2)), 5)
    assert schedule.without(frozenset({0})).faults == (Crash(at_s=2, node=2),)


def test_what_is_no_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="no such fault"):
        from_json({"kind": "earthquake", "at_s": 1})
    with pytest.raises(ValueError, match="colour"):
        from_json({"kind": "pause", "at_s": 1, "node": 2, "colour": "red"})


def test_a_ring_leaves_every_node_a_majority_of_its_own() -> None:
    cut = set(partition_links("ring", [1, 2, 3, 4, 5], random.Random(1)))
    for node in range(1, 6):
        seen = [other for other in range(1, 6) if other != node and (node, other) not in cut]
        assert len(seen) == 2


def test_a_leader_can_be_isolated_whoever_that_is() -> None:
    links = {link for seed in range(20) for link in partition_links("isolate", [1, 2, 3], random.Random(seed))}
    assert (LEADER, 1) in links


def test_a_fault_says_what_it_is() -> None:
    fault = Partition(at_s=1, for_s=2, links=((1, 2),), shape="halves")
    assert fault.describe() == "   1.00 s  partition for 2.00 s  links=((1, 2),) shape=halves"


def test_partitions_go_between_clients_and_some_of_the_nodes_too() -> None:
    draws = [draw_schedule(random.Random(seed), nodes=5, duration_s=60, kinds=("partition",)) for seed in range(20)]
    partitions = [fault for drawn in draws for fault in drawn.faults if isinstance(fault, Partition)]
    cut = [[link for link in fault.links if CLIENTS in link] for fault in partitions]
    assert any(cut)
    assert not all(cut)
    for links in cut:
        assert len({max(link) for link in links}) < 5, "clients reach somebody"
    directions = {frozenset(link.index(CLIENTS) for link in links) for links in cut if links}
    assert directions == {frozenset({0}), frozenset({1}), frozenset({0, 1})}
