"""check perf and check datascale: what they say, and that they clean up."""

from collections import Counter

import pytest

from raftkv_cli import check
from raftkv_cli.load import Figures
from raftkv_cli.main import run
from tests.conftest import StartCluster
from tests.harness.etcd import EtcdCluster


def figures(*latencies: float, seconds: float, errors: dict[str, int] | None = None) -> Figures:
    result = Figures(seconds=seconds, errors=Counter(errors or {}))
    for latency in latencies:
        result.note(latency)
    return result


@pytest.mark.parametrize(
    ("measured", "rate", "said"),
    [
        (
            figures(0.01, 0.03, seconds=0.5),
            4,
            "PASS: Throughput is 5 writes/s\nPASS: Slowest request took 0.030000s\nPASS: Stddev is 0.010000s\nPASS\n",
        ),
        (
            figures(0.1, 0.7, seconds=1.0),
            4,
            (
                "FAIL: Throughput too low: 3 writes/s\n"
                "Slowest request took too long: 0.700000s\nStddev too high: 0.300000s\nFAIL\n"
            ),
        ),
        (
            figures(0.1, seconds=1.0, errors={"etcdserver: no leader": 3}),
            1,
            (
                "FAIL: too many errors\nFAIL: ERROR(etcdserver: no leader) -> 3\nPASS: Throughput is 2 writes/s\n"
                "PASS: Slowest request took 0.100000s\nPASS: Stddev is 0.000000s\nFAIL\n"
            ),
        ),
    ],
    ids=["good", "slow", "errors"],
)
def test_verdict_is_etcdctls(measured: Figures, rate: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check._verdict(measured, rate) is said.endswith("PASS\n")
    assert capsys.readouterr().out == said


def test_checks_write_and_clean_up(start_cluster: StartCluster, capfd: pytest.CaptureFixture[str]) -> None:
    """Whether the cluster passes depends on the machine; that it is said, and nothing is left, does not."""
    endpoints = f"--endpoints={start_cluster(EtcdCluster, options={'unsafe-no-fsync': 'true'}).endpoints[0]}"
    run(["check", "perf", "--duration", "1", "--auto-compact", "--auto-defrag", endpoints])
    said = capfd.readouterr().out
    assert "Throughput" in said
    assert said.index("Compacted with revision") < said.index("Defragmented") < said.index("Stddev")
    check.DATASCALE["s"] = check.Workload(500, 20)
    assert run(["check", "datascale", endpoints]) == 0
    assert "PASS: Approximate system memory used : " in capfd.readouterr().out
    assert run(["get", "", "--prefix", "--count-only", endpoints]) == 0
    assert capfd.readouterr().out == "0\n"
    run(["put", "/etcdctl-check-perf/x", "", endpoints])
    assert run(["check", "perf", endpoints]) == 2
