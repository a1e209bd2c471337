"""`raftkv-chaos run --target etcd`: the same faults and checks, turned on a real etcd."""

from pathlib import Path

from tests.chaos.runs import chaos


def test_etcd_is_run_the_same_way_but_for_its_clocks_and_disks(tmp_path: Path) -> None:
    options = ["--target", "etcd", "--time", "4", "--seed", "2", "--nemesis", "kill,clock", "--rate", "60"]
    done = chaos(tmp_path / "run", *options, "--workload", "register,append,watch,lock,lease")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not done: clock: etcd is a Go program" in done.stdout
