"""Something of everything, for pages to show."""

from typing import Any

from raftkv.pb.torchft import QuorumMember
from tests.harness.lighthouse import ask
from tests.ui_browser.gateway import Gateway, b64

SETTINGS = {"min_nodes": 8, "max_nodes": 8, "last_call_ms": 1, "max_restarts": 10}


def furnish(gateway: Gateway) -> None:
    """Keys, leases, locks, an election, jobs, a quorum of torchft's."""
    _keys(gateway)
    _lines(gateway)
    _jobs(gateway)
    member = QuorumMember(replica_id="left", address="http://left:1", store_address="left:2", step=40, world_size=8)
    ask(gateway.endpoint, member, raftkv_job="mnist")


def _keys(gateway: Gateway) -> None:
    for number in range(6):
        gateway.put("greeting", f"hello {number}")
    gateway.put("app/config/model", '{"layers": 48, "width": 6144}')
    gateway.put("app/config/rate", "0.0003")
    gateway.put("app/secret", bytes(range(48)))
    gateway.put("<img src=x onerror=alert(1)>", "<script>alert(2)</script>")
    gateway.put(b"odd\x00/\xe2\x80\xaename", "turned")
    puts = [{"request_put": {"key": b64(f"runs/2026/run-{number:03d}"), "value": b64("x" * number)}} for number in range(120)]
    for first in range(0, len(puts), 60):
        gateway.post("/v3/kv/txn", {"success": puts[first : first + 60]})


def _lines(gateway: Gateway) -> None:
    for name, values in (("checkpoint-writer", ["", "", ""]), ("scheduler", ["host-a:9000", "host-b:9000"])):
        for value in values:
            lease = gateway.lease()
            gateway.put(f"{name}/{lease:x}", value, lease=lease)
    reader, writer, holder, waiter = (gateway.lease() for _ in range(4))
    gateway.put(f"dataset/read/{reader:x}", "", lease=reader)
    gateway.put(f"dataset/write/{writer:x}", "", lease=writer)
    gateway.put(f"downloads/held/{holder:x}-2", "", lease=holder)
    gateway.put(f"downloads/line/{waiter:x}", "", lease=waiter)


def join(gateway: Gateway, job: str, node: str, settings: dict[str, Any] | None = None, **more: Any) -> Any:
    """A node takes part."""
    lease = gateway.lease()
    request = {"job": job, "node": node, "incarnation": "1", "lease": lease, "settings": settings or SETTINGS, **more}
    return gateway.post("/v3/rendezvous/join", request)["standing"]


def _jobs(gateway: Gateway) -> None:
    nodes = [f"gpu-{number}" for number in range(8)]
    places: dict[str, dict[str, Any]] = {
        node: {"address": f"10.0.0.{number}:29500", "segments": [f"rack-{number // 4}", f"switch-{number // 2}"]}
        for number, node in enumerate(nodes)
    }
    for node in nodes:
        join(gateway, "mnist", node, **places[node])
    token = _token(gateway, "mnist")
    told = {"job": "mnist", "token": token}
    gateway.post("/v3/rendezvous/report", {**told, "node": "gpu-0", "step": 400})
    gateway.post("/v3/rendezvous/report", {**told, "node": "gpu-3", "kind": "FAILURE", "reason": "CUDA error"})
    for node in nodes:
        join(gateway, "mnist", node, after_token=token, **places[node])
    told = {"job": "mnist", "token": _token(gateway, "mnist")}
    gateway.post("/v3/rendezvous/report", {**told, "node": "gpu-1", "step": 1200})
    for node in nodes:
        gateway.post("/v3/rendezvous/announce", {**told, "node": node, "step": 1000, "location": "s3://runs/1000"})
    for node in nodes[:5]:
        gateway.post("/v3/rendezvous/announce", {**told, "node": node, "step": 2000, "location": "s3://runs/2000"})
        gateway.post("/v3/rendezvous/barrier", {**told, "node": node, "name": "weights-are-there"}, Grpc_Timeout="20m")
    _heartbeats(gateway, told, nodes)
    join(gateway, "llama-70b", "n-0")
    for node in ("a", "b"):
        join(gateway, "finished", node, {**SETTINGS, "min_nodes": 2, "max_nodes": 2})
    gateway.post("/v3/rendezvous/close", {"job": "finished", "outcome": "SUCCEEDED", "reason": "all done"})


def _heartbeats(gateway: Gateway, told: dict[str, Any], nodes: list[str]) -> None:
    """As from workers of which one is slow."""
    for step in range(1196, 1201):
        for node in nodes:
            took = {"step": step, "step_seconds": 1, "work_seconds": 0.9 if node == "gpu-6" else 0.4}
            gateway.post("/v3/rendezvous/heartbeat", {**told, **took, "node": node})


def _token(gateway: Gateway, job: str) -> str:
    standing: Any = gateway.post("/v3/rendezvous/look", {"job": job})["standing"]
    return str(standing["token"])
