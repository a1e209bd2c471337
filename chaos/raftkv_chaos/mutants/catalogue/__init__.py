"""All mutants, and all that cannot be: see each module for its part."""

from raftkv_chaos.mutants.catalogue import (
    disk,
    jobs,
    keys,
    leases,
    lighthouses,
    locks,
    overload,
    quotas,
    raft,
    replica,
    rights,
    watches,
)
from raftkv_chaos.mutants.mutant import Impossible, Mutant

__all__ = ["GROUPS", "IMPOSSIBLE", "MUTANTS", "mutant"]

GROUPS = {
    "R": "Raft",
    "D": "disk",
    "K": "keys",
    "W": "watch",
    "L": "lease",
    "E": "lock and election",
    "O": "overload",
    "S": "rights",
    "Q": "quota",
    "J": "job",
    "H": "lighthouse",
}
"""What the first letter of an id means."""

_PARTS = (raft, replica, disk, keys, watches, leases, locks, overload, rights, quotas, jobs, lighthouses)


def _order(each: Mutant | Impossible) -> tuple[int, int, str]:
    digits = "".join(filter(str.isdigit, each.id))
    return list(GROUPS).index(each.id[0]), int(digits), each.id


MUTANTS: tuple[Mutant, ...] = tuple(sorted((each for part in _PARTS for each in part.MUTANTS), key=_order))
IMPOSSIBLE: tuple[Impossible, ...] = tuple(sorted((each for part in _PARTS for each in part.IMPOSSIBLE), key=_order))


def mutant(identifier: str) -> Mutant:
    """The mutant of an id. Raises KeyError."""
    return {each.id: each for each in MUTANTS}[identifier]
