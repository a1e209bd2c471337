"""What a node finds out about itself before it joins a job: is it fit to train?

preflight   runs checks, all at once, and says what did not pass        spec      checks as people write them: `disk:/ckpt?free_gib=10`
gpu disk network command   the checks themselves                        check     what they have in common
"""

from raftkv.preflight.check import Check, Finding
from raftkv.preflight.command import CommandCheck
from raftkv.preflight.disk import DiskCheck
from raftkv.preflight.gpu import GpuCheck
from raftkv.preflight.network import NetworkCheck
from raftkv.preflight.preflight import failures, run_checks
from raftkv.preflight.spec import parse_checks

__all__ = [
    "Check",
    "CommandCheck",
    "DiskCheck",
    "Finding",
    "GpuCheck",
    "NetworkCheck",
    "failures",
    "parse_checks",
    "run_checks",
]
