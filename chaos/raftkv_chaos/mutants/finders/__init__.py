"""What looks for planted bugs. A finder is a function of a seed that returns if all was well, and raises what it has found.

They stand on the rigs of the tests (tests/), so they run in a checkout, and are imported only once the mutant is planted.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module

Finder = Callable[[int], None]

FINDERS = {
    "raft": "random walks of the core through faults, Raft's invariants after every step, and recovery at the end",
    "duels": "elections by bare majorities with almost nothing replicated in between (Raft paper, Figure 8)",
    "echoes": "walks in which old messages come again, and leaders cut their appends otherwise than ours would",
    "stores": "the walks of the core on the disks of replicas: what was written is there, after crashes, too",
    "steady": "how the core behaves where little goes wrong: who leads, for how long, and who may read",
    "cluster": "replicas under virtual time on rough disks and networks; every answer is compared with the log",
    "failing": "the same where disks fail, and power is lost soon after",
    "keys": "two replicas of the state and a model of etcd's store, fed with the same random log",
    "watch": "a watch hub, slow clients, compactions and snapshots; every watch is compared with all that happened",
    "lease": "leases of a cluster whose leaders stall, jump and change; nobody loses time that was promised",
    "service": "the services of a cluster, called as clients do",
    "sim": "whole clusters with clients under drawn faults; invariants after every step, and all histories judged",
    "training": "the same with nodes of jobs, replica groups of torchft and tenants with quotas as clients; what is used is counted again",
    "disk": "a log with damaged, misplaced and missing rows",
    "directory": "the syncs that make a new directory last",
}
"""What each finder does, for the report. `tests:PATH` is one more: the tests there, of which each is its own seed of one."""


def finder(name: str) -> Finder:
    """Loads a finder: its imports come now. Raises KeyError, or ImportError where this is no checkout."""
    if name.startswith("tests:"):
        module = import_module("raftkv_chaos.mutants.finders.suite")
        return partial(module.find, name.removeprefix("tests:"))
    if name not in FINDERS:
        raise KeyError(name)
    find: Finder = import_module(f"raftkv_chaos.mutants.finders.{name}").find
    return find


def seeds_of(name: str, budget: int) -> int:
    """How many seeds of a finder differ."""
    return 1 if name.startswith("tests:") or name == "directory" else budget
