"""The metrics that need no running node."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from raftkv.clock import unix_time
from raftkv.metrics.certificates import Certificates
from raftkv.metrics.health import HealthCounts
from raftkv.mvcc.operations import Operations
from raftkv.pb import rpc
from tests.harness.certificates import Authority


def values(metrics: Any) -> dict[str, float]:
    return {"|".join([sample.name, *sample.labels.values()]): sample.value for metric in metrics for sample in metric.samples}


def test_a_certificate_says_when_it_ends_also_after_it_was_renewed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server", valid=timedelta(hours=1))
    certificates = Certificates({"client": pair.cert, "peer": tmp_path / "missing.pem"})
    name = "raftkv_certificate_expiry_timestamp_seconds|client"
    first = values(certificates.samples())
    assert abs(first[name] - unix_time() - 3600) < 60
    assert len(first) == 1
    pair.replace_by(authority.issue("renewed", valid=timedelta(days=2)))
    assert values(certificates.samples())[name] > first[name] + 3600


def test_health_checks_are_counted_by_name_and_result() -> None:
    counts = HealthCounts()
    counts.page(healthy=True)
    counts.check("readyz", "linearizable_read", passed=True)
    counts.check("readyz", "linearizable_read", passed=False)
    seen = values(counts.samples())
    assert seen["etcd_server_health_success"] == 1
    assert seen["etcd_server_health_failures"] == 0
    assert seen["etcd_server_healthcheck|readyz|linearizable_read"] == 0
    assert seen["etcd_server_healthchecks_total|readyz|linearizable_read|success"] == 1
    assert seen["etcd_server_healthchecks_total|readyz|linearizable_read|error"] == 1


def test_operations_in_transactions_count_and_so_does_a_transaction_of_several() -> None:
    operations = Operations()
    put = rpc.ResponseOp(response_put=rpc.PutResponse())
    read = rpc.ResponseOp(response_range=rpc.RangeResponse())
    operations.count_txn(rpc.TxnResponse(responses=[put]))
    assert (operations.puts, operations.txns) == (1, 0)
    nested = rpc.ResponseOp(response_txn=rpc.TxnResponse(responses=[put, read]))
    operations.count_txn(rpc.TxnResponse(responses=[nested]))
    assert (operations.puts, operations.ranges, operations.txns) == (2, 1, 1)
