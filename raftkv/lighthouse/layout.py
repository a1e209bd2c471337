"""Where lighthouses lie among the keys. Any client of etcd can read and watch them; the values are JSON.

/raftkv/lighthouse/JOB/quorum     the last quorum with other groups than the one before: a view, written with its decision
/raftkv/lighthouse/JOB/options    how quorums are to be formed: written by people, read by the leader
"""

from raftkv.rendezvous.layout import check_name, prefix_end

PREFIX = "/raftkv/lighthouse/"
DEFAULT_JOB = "default"
"""Of a client that names none."""


def check_job(name: str) -> None:
    """Refuses what cannot be part of a key.

    Raises:
        InvalidArgumentError: it cannot.
    """
    check_name(name, "a job")


def job_range(job: str) -> tuple[bytes, bytes]:
    """All keys of a job."""
    prefix = f"{PREFIX}{job}/".encode()
    return prefix, prefix_end(prefix)


def quorum_key(job: str) -> str:
    """The key of a job's last quorum."""
    return f"{PREFIX}{job}/quorum"


def options_key(job: str) -> str:
    """The key of a job's options."""
    return f"{PREFIX}{job}/options"
