"""The lighthouse of torchft: which replica groups train together in the next step, decided by the cluster instead of one process."""

from raftkv.lighthouse.layout import DEFAULT_JOB, PREFIX, check_job, options_key, quorum_key
from raftkv.lighthouse.lighthouses import Audience, Formed, Lighthouses
from raftkv.lighthouse.options import QuorumOptions, parse_options
from raftkv.lighthouse.quorum import Caller, Decision, decide

__all__ = [
    "DEFAULT_JOB",
    "PREFIX",
    "Audience",
    "Caller",
    "Decision",
    "Formed",
    "Lighthouses",
    "QuorumOptions",
    "check_job",
    "decide",
    "options_key",
    "parse_options",
    "quorum_key",
]
