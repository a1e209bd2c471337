"""All that a node serves."""

from collections.abc import Callable

from raftkv.rpc.cluster import Cluster
from raftkv.rpc.guard import guarded
from raftkv.rpc.health import Health
from raftkv.rpc.kv import KV, Limits
from raftkv.rpc.maintenance import Maintenance
from raftkv.rpc.method import Method
from raftkv.rpc.reflection import reflection_services
from raftkv.server.quota import Quota
from raftkv.server.replica import Replica


def services(replica: Replica, health: Health, quota: Quota, limits: Limits, size_on_disk: Callable[[], int]) -> list[Method]:
    """Every method, with the checks that all have in common."""
    methods = [
        *KV(replica, quota, limits).methods(),
        *Cluster(replica).methods(),
        *Maintenance(replica, quota, size_on_disk).methods(),
        *health.methods(),
    ]
    methods += reflection_services(methods)
    return [guarded(method, replica) for method in methods]
