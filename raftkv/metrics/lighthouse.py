"""Lighthouses: how many jobs have quorums, which ones, who waits for the next, and what there was no room for.

Quorums are the same on every member: take the maximum. Calls wait at one member each, and living groups are known to the leader alone:
take the sum. Jobs of their own have samples up to MAX_JOBS_SHOWN, those whose groups changed last.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from raftkv.lighthouse import Formed
from raftkv.server.lighthouse_callers import LighthouseCallers
from raftkv.server.lighthouse_keeper import LighthouseKeeper

MAX_JOBS_SHOWN: Final = 100


def lighthouse_samples(jobs: Mapping[str, Formed], keeper: LighthouseKeeper, callers: LighthouseCallers) -> Iterator[Metric]:
    """All of it."""
    known = list(jobs.items())
    yield GaugeMetricFamily("raftkv_lighthouse_jobs", "Jobs that had a quorum.", len(known))
    yield CounterMetricFamily("raftkv_lighthouse_quorums_total", "Quorums that this member was told of.", callers.quorums)
    yield GaugeMetricFamily("raftkv_lighthouse_waiting_calls", "Calls that wait here for a quorum.", callers.waiting)
    yield GaugeMetricFamily("raftkv_lighthouse_groups", "Groups that this leader hears of.", keeper.groups)
    yield CounterMetricFamily("raftkv_lighthouse_refused_calls_total", "Calls without room at this leader.", keeper.refused)
    yield from _each(known[-MAX_JOBS_SHOWN:])


def _each(jobs: list[tuple[str, Formed]]) -> Iterator[Metric]:
    number = GaugeMetricFamily("raftkv_lighthouse_quorum_id", "The last quorum's.", labels=["training_job"])
    groups = GaugeMetricFamily("raftkv_lighthouse_quorum_groups", "Groups of the last quorum.", labels=["training_job"])
    for job, formed in jobs:
        number.add_metric([job], formed.quorum_id)
        groups.add_metric([job], len(formed.groups))
    yield from (number, groups)
