"""Machines that are fed the same entries are equal, down to the bytes of every row."""

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from raftkv.mvcc import finish
from raftkv.pb import rpc
from raftkv.pb.command import SetClusterVersion
from tests.apply.commands import Machine, Rows, command, entries, put

KEYS = [b"a", b"a\0", b"b", b"ba", b"c"]


def commands(seed: int, count: int = 300) -> list[bytes]:
    """Commands of every kind, some of them retries."""
    dice = random.Random(seed)
    made = []
    for number in range(count):
        sequence = dice.choice([number, max(0, number - dice.randrange(5))])
        client = dice.choice([b"one", b"two", b"three"])
        made.append(command(request_id=(client, sequence + 1) if dice.random() < 0.6 else None, **_body(dice, number)))
    return made


def _body(dice: random.Random, number: int) -> dict[str, Any]:
    key, other = sorted(dice.sample(KEYS, 2))
    deletion = rpc.DeleteRangeRequest(key=key, range_end=other, prev_kv=True)
    bodies: list[dict[str, Any]] = [
        *[put(key, b"%d" % number, lease=lease) for lease in (0, 0, 5)],
        {"delete_range": deletion},
        {"txn": _txn(key, other, deletion)},
        {"compact": rpc.CompactionRequest(revision=number // 3)},
        {"alarm": rpc.AlarmRequest(action="ACTIVATE", alarm="NOSPACE", memberID=number % 2)},
        {"alarm": rpc.AlarmRequest(action="DEACTIVATE", alarm="NOSPACE", memberID=0)},
        {"alarm": rpc.AlarmRequest(action="DEACTIVATE", alarm="NOSPACE", memberID=1)},
        {"set_member": {"member": rpc.Member(ID=number % 4, name=str(number))}},
        {"set_cluster_version": SetClusterVersion(version=f"3.{number}")},
    ]
    return dice.choice(bodies)


def _txn(key: bytes, other: bytes, deletion: rpc.DeleteRangeRequest) -> rpc.TxnRequest:
    compare = rpc.Compare(key=key, target=rpc.Compare.VERSION, result=rpc.Compare.GREATER, version=1)
    puts = [rpc.RequestOp(request_put=rpc.PutRequest(key=name, prev_kv=True)) for name in (other, key)]
    return rpc.TxnRequest(compare=[compare], success=puts, failure=[rpc.RequestOp(request_delete_range=deletion)])


def digest(rows: Rows) -> str:
    text = "".join(f"{table}:{key.hex()}={value.hex()}\n" for table, of in sorted(rows.items()) for key, value in of.items())
    return hashlib.sha256(text.encode()).hexdigest()


def feed(machine: Machine, made: list[bytes]) -> None:
    for entry in entries(made):
        if entry.index > machine.machine.applied_index:
            machine.apply_entry(entry)
    finish(machine.machine.store.scrub())


def fed(seed: int) -> Machine:
    machine = Machine()
    feed(machine, commands(seed))
    return machine


@pytest.mark.parametrize("seed", range(3))
def test_restarts_make_no_difference(seed: int) -> None:
    made, dice = commands(seed), random.Random(seed)
    machine = Machine()
    for entry in entries(made):
        machine.apply_entry(entry)
        if dice.random() < 0.05:
            machine = machine.restarted()
    finish(machine.machine.store.scrub())
    assert machine.rows() == fed(seed).rows()


@pytest.mark.parametrize("seed", range(3))
def test_pace_of_the_scrub_makes_no_difference_in_the_end(seed: int) -> None:
    made, dice = commands(seed), random.Random(seed)
    machine = Machine()
    scrub = machine.machine.store.scrub()
    for entry in entries(made):
        machine.apply_entry(entry)
        if dice.random() < 0.1 and next(scrub, "done") == "done":
            scrub = machine.machine.store.scrub()
    finish(scrub)
    finish(machine.machine.store.scrub())
    assert machine.rows() == fed(seed).rows()


@pytest.mark.parametrize("seed", range(3))
def test_lost_rows_come_back_by_applying_again(seed: int) -> None:
    made, dice = commands(seed), random.Random(seed)
    machine = Machine()
    for entry in entries(made):
        machine.apply_entry(entry)
        if dice.random() < 0.05:
            machine.write()
    feed(Machine(machine.engine), made)  # nothing is applied twice, nothing is missing
    crashed = Machine(machine.engine)
    assert crashed.machine.applied_index < len(made)
    feed(crashed, made)
    assert crashed.rows() == fed(seed).rows()


def test_hash_seed_makes_no_difference() -> None:
    program = "from tests.apply.test_determinism import digest, fed\nprint(digest(fed(7).rows()))"
    root = Path(__file__).parents[2]
    digests = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True, check=True
        )
        digests.add(done.stdout)
    assert digests == {digest(fed(7).rows()) + "\n"}
