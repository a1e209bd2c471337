"""What can be wrong with a cluster as a whole: who answers, who leads, who may vote, whether all have the same data."""

from collections import Counter
from collections.abc import Iterator

from raftkv.pb import rpc
from raftkv_cli.inspection.facts import ClusterFacts, MemberFacts
from raftkv_cli.inspection.finding import Finding, Severity

MAX_LAG_ENTRIES = 1000
MAX_CHANGES_PER_HOUR = 4.0
MIN_CHANGES = 4
"""Leaders that come and go while a cluster is started are nothing to talk about."""


def check_answers(cluster: ClusterFacts) -> Iterator[Finding]:
    """Members that do not answer, and those that never started."""
    for member in cluster.members:
        if member.status is not None:
            continue
        if member.member is not None and not member.member.clientURLs:
            yield Finding(
                severity=Severity.WARNING,
                check="not-started",
                subject=member.name,
                problem="it was added to the cluster and has never started",
                advice=f"Start it with --initial-cluster-state existing, or take it out: raftkv member remove {member.id:x}",
            )
        else:
            yield Finding(
                severity=Severity.CRITICAL,
                check="unreachable",
                subject=member.name,
                problem=f"it does not answer at {member.endpoint}: {member.error}",
                advice="See whether its process runs and what its log says; if the machine is gone, replace the member.",
            )


def check_quorum(cluster: ClusterFacts) -> Iterator[Finding]:
    """How many more members may fail."""
    voters = [member for member in cluster.members if member.member is not None and not member.is_learner]
    if not voters:
        return
    healthy = sum(member.status is not None for member in voters)
    needed = len(voters) // 2 + 1
    if healthy < needed:
        yield Finding(
            severity=Severity.CRITICAL,
            check="quorum-lost",
            subject="cluster",
            problem=f"{healthy} of {len(voters)} voters answer, and {needed} are needed: nothing can be written",
            advice="Bring members back. Only if they are gone for good: start one with --force-new-cluster, then add others.",
        )
    elif healthy == needed < len(voters):
        yield Finding(
            severity=Severity.WARNING,
            check="quorum-margin",
            subject="cluster",
            problem=f"{healthy} of {len(voters)} voters answer: the next failure stops all writes",
            advice="Bring back the member that is away, or replace it, before anything else is restarted.",
        )
    if len(voters) % 2 == 0:
        yield Finding(
            severity=Severity.NOTE,
            check="even-voters",
            subject="cluster",
            problem=f"{len(voters)} voters survive no more failures than {len(voters) - 1} would",
            advice="Add a member or remove one.",
        )
    elif len(voters) == 1:
        yield Finding(
            severity=Severity.NOTE,
            check="single-voter",
            subject="cluster",
            problem="with one voter, any failure stops the cluster, and that of its disk loses the data",
            advice="Add two members, and save snapshots meanwhile.",
        )


def check_leader(cluster: ClusterFacts) -> Iterator[Finding]:
    """Whether there is a leader, and all mean the same one."""
    if not cluster.answering:
        return
    without = [member.name for member in cluster.answering if member.status and not member.status.leader]
    meant = {member.status.leader for member in cluster.answering if member.status and member.status.leader}
    if without or len(meant) > 1:
        seen = "no leader is known to " + ", ".join(without) if without else "the members name different leaders"
        yield Finding(
            severity=Severity.CRITICAL,
            check="no-leader",
            subject="cluster",
            problem=seen,
            advice="Look again in a few seconds; if it stays so, members cannot reach each other at their peer URLs.",
        )


def check_leader_changes(cluster: ClusterFacts) -> Iterator[Finding]:
    """Leaders that come and go: the network or the disks stutter."""
    for member in cluster.answering:
        if member.metrics is None:
            continue
        changes = member.metrics.value("etcd_server_leader_changes_seen_total")
        started = member.metrics.value("process_start_time_seconds", default=cluster.now_s)
        hours = max((cluster.now_s - started) / 3600, 1.0)
        if changes > MIN_CHANGES and changes / hours > MAX_CHANGES_PER_HOUR:
            yield Finding(
                severity=Severity.WARNING,
                check="leader-changes",
                subject=member.name,
                problem=f"it has seen {changes:.0f} leaders in {hours:.1f} hours",
                advice="Look for slow disks, CPU starvation and packet loss; raise --election-timeout on slow networks.",
            )


def check_lag(cluster: ClusterFacts) -> Iterator[Finding]:
    """Members whose state is far behind the leader's."""
    leader = cluster.leader
    if leader is None or leader.status is None:
        return
    for member in cluster.answering:
        assert member.status is not None
        behind = leader.status.raftIndex - member.status.raftAppliedIndex
        if member is not leader and behind > MAX_LAG_ENTRIES:
            yield Finding(
                severity=Severity.WARNING,
                check="lagging",
                subject=member.name,
                problem=f"its state is {behind} entries behind the leader's",
                advice="See whether its disk, its CPU or the way to it is slower than the others'.",
            )


def check_learners(cluster: ClusterFacts) -> Iterator[Finding]:
    """Learners that nobody has promoted."""
    for member in cluster.answering:
        if member.is_learner:
            yield Finding(
                severity=Severity.WARNING,
                check="learner",
                subject=member.name,
                problem="it is a learner: it copies everything, and does not count towards the quorum",
                advice=f"When it has caught up: raftkv member promote {member.id:x}",
            )


def check_alarms(cluster: ClusterFacts) -> Iterator[Finding]:
    """Alarms that are up."""
    for alarm in cluster.alarms:
        if alarm.alarm == rpc.NOSPACE:
            problem = "NOSPACE: its quota was used up, and the cluster takes no more writes"
            advice = (
                "Delete keys, raftkv compact REVISION, raftkv defrag, or raise --quota-backend-bytes; then raftkv alarm disarm"
            )
        else:
            problem = "CORRUPT: its data differs from the others', and the cluster takes no more writes"
            advice = "Remove the member, add it anew with an empty data directory; then raftkv alarm disarm"
        subject = cluster.name_of(alarm.memberID) if alarm.memberID else "cluster"
        yield Finding(severity=Severity.CRITICAL, check="alarm", subject=subject, problem=problem, advice=advice)


def check_hashes(cluster: ClusterFacts) -> Iterator[Finding]:
    """Members whose data differs from what most have."""
    by_point: dict[int, list[MemberFacts]] = {}
    for member in cluster.members:
        if member.hashed is not None:
            by_point.setdefault(member.hashed.compact_revision, []).append(member)
    for members in by_point.values():
        counted = Counter(member.hashed.hash for member in members if member.hashed is not None)
        common, count = counted.most_common(1)[0]
        if len(counted) == 1:
            continue
        known = 2 * count > len(members)
        others = [member.name for member in members if member.hashed is not None and member.hashed.hash != common]
        yield Finding(
            severity=Severity.CRITICAL,
            check="divergent",
            subject=", ".join(others) if known else "cluster",
            problem="its data differs from the others'" if known else "the members' data differs, and none is in the majority",
            advice="Stop writers and save a snapshot of each; remove whose data is wrong, add it anew with an empty directory.",
        )


CHECKS = (
    check_answers,
    check_quorum,
    check_leader,
    check_leader_changes,
    check_lag,
    check_learners,
    check_alarms,
    check_hashes,
)
