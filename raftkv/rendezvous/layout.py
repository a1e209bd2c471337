"""Where jobs lie among the keys. Any client of etcd can read and watch them; the values are JSON.

    /raftkv/rendezvous/JOB/job                   settings, phase, round, why the last one ended; changes with the phase
    /raftkv/rendezvous/JOB/members/NODE          who takes part; hangs on the node's lease
    /raftkv/rendezvous/JOB/rounds/00000001       the world of a round: written once, never changed; the last 16
    /raftkv/rendezvous/JOB/succeeded/NODE        is done in the present world
    /raftkv/rendezvous/JOB/excluded/NODE         is kept out
    /raftkv/rendezvous/JOB/acknowledged/NODE     the step that a node has answered a notice of preemption with
    /raftkv/rendezvous/JOB/barriers/NAME         a barrier of the present world, and what became of it
    /raftkv/rendezvous/JOB/arrived/NAME/NODE     who is at a barrier that is not decided
    /raftkv/rendezvous/JOB/checkpoints/STEP      a checkpoint that is there as a whole
    /raftkv/rendezvous/JOB/shards/STEP/RANK      its parts, or those of one that is not there as a whole yet

Names of jobs, nodes and barriers have no slash, so no key means two things.
"""

import re

from raftkv.errors import InvalidArgumentError

PREFIX = "/raftkv/rendezvous/"
MAX_NAME_BYTES = 255
_NOT_IN_NAMES = re.compile(r"[/\x00-\x1f\x7f]")


def check_name(name: str, what: str) -> None:
    """Refuses what cannot be part of a key.

    Raises:
        InvalidArgumentError: it cannot.
    """
    if not name or len(name.encode()) > MAX_NAME_BYTES or _NOT_IN_NAMES.search(name):
        raise InvalidArgumentError(
            f"raftkv: {what} needs a name of 1 to {MAX_NAME_BYTES} bytes without slashes or control characters"
        )


def job_prefix(job: str) -> str:
    """What all keys of a job begin with."""
    return f"{PREFIX}{job}/"


def prefix_end(prefix: bytes) -> bytes:
    """The end of the range of all keys with this prefix, which ends in a slash."""
    return prefix[:-1] + b"0"


def head_key(job: str) -> str:
    """The key of a job's head."""
    return f"{PREFIX}{job}/job"


def member_key(job: str, node: str) -> str:
    """The key of a node that takes part."""
    return f"{PREFIX}{job}/members/{node}"


def world_key(job: str, round_number: int) -> str:
    """The key of the world of a round."""
    return f"{PREFIX}{job}/rounds/{round_number:08d}"


def succeeded_key(job: str, node: str) -> str:
    """The key that says that a node is done."""
    return f"{PREFIX}{job}/succeeded/{node}"


def excluded_key(job: str, node: str) -> str:
    """The key that says why a node is kept out."""
    return f"{PREFIX}{job}/excluded/{node}"


def acknowledged_key(job: str, node: str) -> str:
    """The key of a node's answer to a notice of preemption."""
    return f"{PREFIX}{job}/acknowledged/{node}"


def barrier_key(job: str, name: str) -> str:
    """The key of a barrier."""
    return f"{PREFIX}{job}/barriers/{name}"


def arrived_key(job: str, name: str, node: str) -> str:
    """The key of a node that is at a barrier."""
    return f"{PREFIX}{job}/arrived/{name}/{node}"


def checkpoint_key(job: str, step: int) -> str:
    """The key of a checkpoint."""
    return f"{PREFIX}{job}/checkpoints/{step:020d}"


def shard_key(job: str, step: int, rank: int) -> str:
    """The key of a part of a checkpoint."""
    return f"{shards_prefix(job, step)}{rank:06d}"


def shards_prefix(job: str, step: int) -> str:
    """What the keys of all parts of a checkpoint begin with."""
    return f"{PREFIX}{job}/shards/{step:020d}/"


def parts_of(key: str) -> tuple[str, str, str]:
    """Job, kind and name of a key: `("mnist", "members", "node-7")`; the name is empty for the head."""
    job, _, rest = key[len(PREFIX) :].partition("/")
    kind, _, name = rest.partition("/")
    return job, kind, name
