"""How a member is, as it says itself: what the members tell each other while somebody looks at a dashboard.

It travels as JSON, for its fields come and go with versions, and nobody decides anything by it. Numbers are counts since the
member was started; what they were in the last seconds follows from two of them (raftkv.ui.rates).
"""

import json
import os
from pathlib import Path
from typing import Final

from raftkv.errors import MalformedRequestError
from raftkv.metrics.sources import Sources
from raftkv.reply import Reply
from raftkv.rpc.maintenance import API_VERSION
from raftkv.server.measured import Histogram
from raftkv.ui.question import Json

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
MAX_BYTES: Final = 64 * 1024
"""An overview of another member that is longer is none."""


def overview(sources: Sources, uptime_s: float) -> Json:
    """This member, now."""
    return {**_raft(sources), **_state(sources), **_process(sources, uptime_s)}


def _raft(sources: Sources) -> Json:
    replica = sources.replica
    measured = replica.measured
    return {
        "version": sources.version,
        "api": API_VERSION,
        "leader": f"{replica.leader:x}" if replica.leader else "",
        "term": replica.term,
        "committed": replica.commit_index,
        "applied": replica.machine.applied_index,
        "log_entries": replica.log_entries,
        "writes_pending": replica.pending_proposals,
        "reads_pending": replica.pending_reads,
        "leader_changes": measured.leader_changes,
        "slow_applies": measured.slow_applies,
        "failed_writes": measured.proposals_failed,
        "match": {f"{member:x}": index for member, index in sources.probes.match_indexes.items()} if replica.is_leader else {},
        "clocks": {f"{member:x}": round(probe.clock_ahead_s, 4) for member, probe in sources.probes.last.items()},
        "connected": [f"{member:x}" for member in sources.peers.connected],
    }


def _state(sources: Sources) -> Json:
    store, machine, hub = sources.replica.store, sources.replica.machine, sources.replica.watches
    return {
        "revision": store.revision,
        "compacted": max(store.compact_revision, 0),
        "keys": store.key_count,
        "leases": len(machine.lessor.leases),
        "jobs": len(machine.rendezvous.jobs),
        "watches": hub.watchers,
        "slow_watches": hub.slow_watchers,
        "size": sources.size_on_disk(),
        "in_use": store.size_in_use,
        "quota": sources.quota_bytes or 0,
        "ranges": store.operations.ranges,
    }


def _process(sources: Sources, uptime_s: float) -> Json:
    return {
        "uptime_s": round(uptime_s, 1),
        "memory": _resident_bytes(),
        "files": _open_files(),
        "sync": _histogram(sources.replica.measured.sync_s),
        "lag": _histogram(sources.lag.seconds),
    }


def _histogram(histogram: Histogram) -> Json:
    return {"bounds": list(histogram.bounds), "counts": list(histogram.counts)}


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0  # not a Linux


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (names are counted, nothing is made of them)
    except OSError:
        return 0


def pack(answer: Json) -> bytes:
    """An overview for another member."""
    return json.dumps(answer, separators=(",", ":")).encode()


def unpack(data: bytes) -> Json:
    """What another member says.

    Raises:
        MalformedRequestError: that cannot be one.
    """
    try:
        answer = json.loads(data[:MAX_BYTES])
    except ValueError:
        raise MalformedRequestError from None
    if not isinstance(answer, dict):
        raise MalformedRequestError
    return answer


def answered(answer: Json) -> Reply[bytes]:
    """An overview, as an ask is answered."""
    reply: Reply[bytes] = Reply()
    reply.set_result(pack(answer))
    return reply
