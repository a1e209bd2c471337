"""Faults strike: each one that can be drawn is seen to happen, at every place where a node can be made to end."""

import pytest

from raftkv_chaos.faults import (
    ACTIONS,
    CLIENTS,
    DAMAGES,
    LEADER,
    POINTS,
    Admin,
    ClockFault,
    Clog,
    Crash,
    Disk,
    Fault,
    MemberChange,
    Partition,
    Pause,
    RollingRestart,
    Weather,
    both_ways,
)
from raftkv_chaos.schedule import Schedule
from raftkv_chaos.sim.run import OK, Result, run_seed

EVERYTHING = (
    Weather(at_s=0.5, for_s=1.0, delay_s=0.01, jitter_s=0.1, loss=0.1, duplication=0.3),
    Clog(at_s=1.0, for_s=1.0, links=both_ways([(1, 2)])),
    *(Disk(at_s=1.0 + place, for_s=0.5, node=2, damage=damage, delay_s=0.1) for place, damage in enumerate(DAMAGES[:5])),
    Pause(at_s=6.5, for_s=0.5, node=3),
    ClockFault(at_s=6.5, for_s=3.0, node=1, jump_s=-3600.0, drift=-0.1),
    *(MemberChange(at_s=7.0 + 2 * place, action=action, node=3) for place, action in enumerate(ACTIONS)),
    RollingRestart(at_s=17.0, for_s=1.0, nodes=(1, 2, 3)),
    RollingRestart(at_s=18.5, for_s=0.5, nodes=(1,), upgrade=True),
    *(Admin(at_s=19.0 + place / 5, action=action) for place, action in enumerate(("compact", "defragment", "transfer"))),
)
"""One after the other."""


def live(seed: int, *faults: Fault, duration_s: float, keep: bool = False) -> Result:
    result = run_seed(seed, nodes=3, schedule=Schedule(faults, duration_s), keep=keep)
    assert result.verdict == OK, str(result)
    return result


def test_a_node_can_be_made_to_end_at_every_place_and_nothing_is_lost() -> None:
    struck: set[str] = set()
    for seed in (12, 21, 35):  # of those that send snapshots and compact
        crashes = (Crash(at_s=0.7 * n, for_s=0.1, node=LEADER, power=True, point=point) for n, point in enumerate(POINTS, 1))
        struck |= live(seed, *crashes, duration_s=0.7 * len(POINTS) + 2).struck.keys()
    assert set(POINTS) - struck == set()


def test_every_kind_of_fault_strikes() -> None:
    struck = live(12, *EVERYTHING, duration_s=21.0).struck
    for what in ("weather", "clog", "pause", "clock", "restart", "restart upgrade", "admin compact", "admin transfer"):
        assert struck[what]
    for what in ("torn", "disk failed", "member add", "member promote", "member remove"):
        assert struck[what], f"{what} was drawn and came to nothing"


@pytest.mark.parametrize("damage", DAMAGES[5:])
def test_what_rots_on_a_disk_is_found_at_the_next_start_and_the_node_replaced(damage: str) -> None:
    rot = [Disk(at_s=3.0, node=2, damage=damage), Crash(at_s=3.5, for_s=0.2, node=2)]
    replacing = MemberChange(at_s=5.0, action="replace", node=2)
    struck = live(0, *rot, replacing, duration_s=9.0).struck
    assert struck["disk lost"]
    assert struck["member remove"]


def test_clients_on_one_side_of_a_partition_hear_nothing_of_the_other_until_it_is_mended() -> None:
    away = [(node, CLIENTS) for node in (1, 2, 3)]
    cut = Partition(at_s=2.0, for_s=3.0, links=(*away, *both_ways([(1, 2), (1, 3)])), shape="isolate")
    result = live(12, cut, duration_s=8.0, keep=True)
    assert result.struck == {"partition isolate with clients": 1}
    answered = [event.time or 0.0 for event in result.history if event.type in {"ok", "receive"}]
    assert [time for time in answered if 2.0 < time < 5.0] == []
    assert any(2.0 < (event.time or 0.0) < 5.0 for event in result.history if event.type == "info")
    assert any(time > 5.0 for time in answered)
