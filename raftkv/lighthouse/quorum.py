"""Who trains together in the next step: a pure question, asked whenever the answer may have changed.

    every group of the last quorum asks again       -> at once: they, and whoever else asks
    otherwise  fewer than min_replicas ask          -> wait
               no more than half of the living ask  -> wait: the others may form a quorum of their own
               some of the living do not ask yet    -> wait for them, join_timeout_ms from the first that asked
               all of the living ask                -> they

A group lives if it was heard of within heartbeat_timeout_ms; one that asks and is silent counts for nothing. Where anybody asks
to shrink only, newcomers wait for the next quorum.

The rules are those of torchft's lighthouse (its quorum_compute). Two things differ where they could only do harm: newcomers that are
left out do not count for min_replicas, and a quorum is never empty.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from raftkv.lighthouse.options import QuorumOptions


class Caller(NamedTuple):
    """A group that asks for a quorum."""

    since: float
    """When it began to ask, in seconds on the same clock as heartbeats."""
    shrink_only: bool = False


class Decision(NamedTuple):
    """What is to be done now, and why."""

    groups: tuple[str, ...]
    """Those of the quorum, in order; none: it is not time yet."""
    reason: str


def decide(
    now: float,
    callers: Mapping[str, Caller],
    heartbeats: Mapping[str, float],
    previous: Sequence[str],
    options: QuorumOptions,
) -> Decision:
    """Whether there is a quorum.

    Args:
        now: Seconds.
        callers: Who asks, by replica id.
        heartbeats: When each group was heard of last, by replica id. To ask is to be heard of.
        previous: The groups of the last quorum; none: there was none.
        options: The job's.
    """
    oldest = now - options.heartbeat_timeout_ms / 1000
    living = {group for group, heard_at in heartbeats.items() if heard_at > oldest}
    asking = {group: caller for group, caller in callers.items() if group in living}
    candidates = sorted(asking)
    if previous and any(caller.shrink_only for caller in asking.values()):
        candidates = [group for group in candidates if group in set(previous)]
    state = f"{len(asking)} of {len(living)} living groups ask"
    if not candidates:
        return Decision((), f"{state}, none of which may be in the quorum" if asking else "no living group asks")
    if previous and all(group in asking for group in previous):
        return Decision(tuple(candidates), f"{state}, all of the last quorum among them")
    if len(candidates) < options.min_replicas:
        return Decision((), f"{state}, and {options.min_replicas} are needed")
    if 2 * len(asking) <= len(living):
        return Decision((), f"{state}, which is not more than half")
    first = min(caller.since for caller in asking.values())
    if len(asking) < len(living) and now - first < options.join_timeout_ms / 1000:
        return Decision((), f"{state}; the others are waited for")
    return Decision(tuple(candidates), state)
