"""What can be wrong with single members: versions, clocks, disks, networks, certificates, room.

Thresholds of disks and networks are those of etcd's guidance and alerts, for the same algorithm waits for the same things here.
"""

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from raftkv_cli.inspection.facts import ClusterFacts, MemberFacts
from raftkv_cli.inspection.finding import Finding, Severity
from raftkv_cli.inspection.scrape import Scrape

MAX_CLOCK_SKEW_S = 1.0
MIN_SAMPLES = 20
"""Of fewer, a quantile says nothing."""
DAY_S = 86_400.0
CERTIFICATE_WARNING_DAYS, CERTIFICATE_CRITICAL_DAYS = 30, 7
QUOTA_SHARE = 0.8
MAX_FRAGMENTATION = 3.0
MIN_FRAGMENTED_BYTES = 256 * 1024 * 1024
DESCRIPTOR_SHARE = 0.8


class _Slowness(NamedTuple):
    """A histogram of which one hundredth may not lie above a bound."""

    metric: str
    bound_s: float
    check: str
    what: str
    advice: str


SLOWNESS = (
    _Slowness(
        "etcd_disk_wal_fsync_duration_seconds",
        0.016,
        "slow-disk",
        "synced writes",
        "Give it a disk of its own with power-loss protection (an SSD); see what else writes there.",
    ),
    _Slowness(
        "etcd_disk_backend_commit_duration_seconds",
        0.032,
        "slow-commit",
        "writes of the state",
        "As for slow syncs: see to the disk, and to what else writes there.",
    ),
    _Slowness(
        "etcd_network_peer_round_trip_time_seconds",
        0.1024,
        "slow-network",
        "round trips to the other members",
        "Bring the members closer to each other, or raise --heartbeat-interval and --election-timeout.",
    ),
    _Slowness(
        "raftkv_loop_lag_seconds",
        0.128,
        "busy-loop",
        "turns of the event loop",
        "See whether the process gets its CPU (throttling, swapping), and whether requests are very large.",
    ),
)
"""Bounds are ends of buckets: a value within the bucket counts as its upper end."""


def check_versions(cluster: ClusterFacts) -> Iterator[Finding]:
    """Members that run different programs."""
    versions: dict[str, list[str]] = {}
    for member in cluster.answering:
        assert member.status is not None
        own = member.metrics.label("raftkv_version", "version") if member.metrics is not None else ""
        versions.setdefault(own or member.status.version, []).append(member.name)
    if len(versions) > 1:
        yield Finding(
            severity=Severity.WARNING,
            check="versions",
            subject="cluster",
            problem="; ".join(f"{version} on {', '.join(names)}" for version, names in sorted(versions.items())),
            advice="Finish the upgrade: restart the members with the newest version, one after the other, the leader last.",
        )


def check_clocks(cluster: ClusterFacts) -> Iterator[Finding]:
    """Clocks that differ. Raft does not mind; certificates, tokens and whoever reads logs do."""
    known = {member.name: ahead for member in cluster.answering if (ahead := member.clock_ahead_s) is not None}
    skews = dict(known)
    for member in cluster.answering:
        for labels, ahead in member.metrics.each("raftkv_peer_clock_ahead_seconds") if member.metrics is not None else ():
            name = cluster.name_of(int(labels["To"], 16))
            # The same clock as seen from another member, which may itself be wrong.
            skews[name] = max(skews.get(name, 0.0), ahead + known.get(member.name, 0.0), key=abs)
    for name, ahead in sorted(skews.items()):
        if abs(ahead) > MAX_CLOCK_SKEW_S:
            yield Finding(
                severity=Severity.WARNING,
                check="clock-skew",
                subject=name,
                problem=f"its clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's",
                advice="See whether NTP runs there (chronyc tracking, timedatectl) and here.",
            )


def check_slowness(cluster: ClusterFacts) -> Iterator[Finding]:
    """Disks, networks and processes that are slow, since the member was started."""
    for member in cluster.answering:
        if member.metrics is not None:
            for slowness in SLOWNESS:
                yield from _too_slow(member, member.metrics, slowness)


def _too_slow(member: MemberFacts, metrics: Scrape, slowness: _Slowness) -> Iterator[Finding]:
    if metrics.count(slowness.metric) < MIN_SAMPLES:
        return
    found = metrics.quantile(slowness.metric, 0.99)
    if found > slowness.bound_s:
        shown = "more than can be told" if found == inf else f"{found * 1000:.0f} ms"
        yield Finding(
            severity=Severity.WARNING,
            check=slowness.check,
            subject=member.name,
            problem=f"1 in 100 {slowness.what} takes up to {shown} (good: below {slowness.bound_s * 1000:.0f} ms)",
            advice=slowness.advice,
        )


def check_certificates(cluster: ClusterFacts) -> Iterator[Finding]:
    """Certificates that end soon."""
    for member in cluster.members:
        ends = {"client": member.certificate_ends} if member.certificate_ends is not None else {}
        for labels, end in member.metrics.each("raftkv_certificate_expiry_timestamp_seconds") if member.metrics else ():
            ends.setdefault(labels["use"], end)
        for use, end in sorted(ends.items()):
            assert end is not None
            days = (end - cluster.now_s) / DAY_S
            if days < CERTIFICATE_WARNING_DAYS:
                when = f"ends in {days:.1f} days" if days > 0 else f"ended {-days:.1f} days ago"
                yield Finding(
                    severity=Severity.CRITICAL if days < CERTIFICATE_CRITICAL_DAYS else Severity.WARNING,
                    check="certificate",
                    subject=member.name,
                    problem=f"the certificate that it shows to {use}s {when}",
                    advice="Renew it and put the files in place; they are read again without a restart.",
                )


def check_room(cluster: ClusterFacts) -> Iterator[Finding]:
    """Quotas that are nearly used up, files that hold mostly air, descriptors that run out."""
    for member in cluster.answering:
        status, metrics = member.status, member.metrics
        assert status is not None
        quota = status.dbSizeQuota or (metrics.value("etcd_server_quota_backend_bytes") if metrics is not None else 0)
        # etcd's quota is about the file, raftkv's about what is in it.
        counted = status.dbSizeInUse if status.dbSizeQuota else status.dbSize
        if quota and counted > QUOTA_SHARE * quota:
            yield Finding(
                severity=Severity.WARNING,
                check="near-quota",
                subject=member.name,
                problem=f"{counted / quota:.0%} of its quota of {quota / 2**20:.0f} MiB is used; at 100 % writes stop",
                advice="Compact (see --auto-compaction-retention), delete keys, or raise --quota-backend-bytes on all members.",
            )
        if status.dbSize > max(MIN_FRAGMENTED_BYTES, MAX_FRAGMENTATION * status.dbSizeInUse):
            yield Finding(
                severity=Severity.NOTE,
                check="fragmented",
                subject=member.name,
                problem=f"{status.dbSize / 2**20:.0f} MiB on disk hold {status.dbSizeInUse / 2**20:.0f} MiB",
                advice="raftkv defrag gives the rest back.",
            )
        if metrics is not None and metrics.value("process_open_fds") > DESCRIPTOR_SHARE * metrics.value(
            "process_max_fds", default=inf
        ):
            yield Finding(
                severity=Severity.WARNING,
                check="descriptors",
                subject=member.name,
                problem="more than four fifths of its file descriptors are open",
                advice="Raise LimitNOFILE (systemd) or ulimit -n; see which clients open so many connections.",
            )


CHECKS = (check_versions, check_clocks, check_slowness, check_certificates, check_room)
