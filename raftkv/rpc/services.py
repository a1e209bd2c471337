"""All that a node serves."""

from collections.abc import Callable
from random import Random

from raftkv.rpc.auth import AuthService
from raftkv.rpc.authentication import Authentication
from raftkv.rpc.cluster import Cluster
from raftkv.rpc.conversation import Conversations
from raftkv.rpc.election import Election
from raftkv.rpc.guard import guarded
from raftkv.rpc.health import Health
from raftkv.rpc.job_steps import JobStepsService
from raftkv.rpc.kv import KV, Limits
from raftkv.rpc.lease import Leases
from raftkv.rpc.lighthouse import LighthouseService
from raftkv.rpc.lock import Lock
from raftkv.rpc.maintenance import Maintenance
from raftkv.rpc.method import Method
from raftkv.rpc.quotas import QuotasService
from raftkv.rpc.reflection import reflection_services
from raftkv.rpc.rendezvous import RendezvousService
from raftkv.rpc.tenants import Tenants, limited
from raftkv.rpc.updates import PATH as UPDATE_PATH
from raftkv.rpc.updates import UpdatesService, check_update
from raftkv.rpc.watch import Watch, WatchSettings
from raftkv.server.lighthouse_callers import LighthouseCallers
from raftkv.server.quota import Quota
from raftkv.server.replica import Replica


def services(
    replica: Replica,
    health: Health,
    quota: Quota,
    limits: Limits,
    size_on_disk: Callable[[], int],
    *,
    authentication: Authentication,
    watch: WatchSettings,
    tenants: Tenants,
    lighthouse: LighthouseCallers,
    rng: Random,
) -> list[Method]:
    """Every method, with the checks that all have in common."""
    access = authentication.access
    keys = KV(replica, quota, limits, access)
    watches = Watch(replica, watch, lambda request, call: access.check_stream(call, request), tenants)
    by_path: dict[str, Method] = {}
    conversations = Conversations(replica, access, by_path)

    def recheck() -> None:
        watches.recheck()
        conversations.recheck()
        tenants.recount()

    replica.machine.auth.changed = recheck
    methods = [
        *keys.methods(),
        *Lock(conversations).methods(),
        *Election(conversations).methods(),
        *AuthService(replica, access, authentication.passwords, authentication.issuer).methods(),
        *watches.methods(),
        *UpdatesService(replica, quota, limits).methods(),
        *Leases(replica, quota, access, election_timeout_s=watch.election_timeout_s, rng=rng).methods(),
        *RendezvousService(replica, quota, access, election_timeout_s=watch.election_timeout_s).methods(),
        *JobStepsService(replica, access).methods(),
        *LighthouseService(lighthouse, access).methods(),
        *QuotasService(replica, tenants, access).methods(),
        *Cluster(replica).methods(),
        *Maintenance(replica, quota, size_on_disk).methods(),
        *health.methods(),
    ]
    methods += reflection_services(methods)
    checks = {**keys.checks(), UPDATE_PATH: check_update}
    served = [guarded(limited(method, tenants), replica, access, checks.get(method.path)) for method in methods]
    by_path.update((method.path, method) for method in served)
    return served
