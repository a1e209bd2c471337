"""What JAX asks when it is to find out which process this is: `jax.distributed.initialize(cluster_detection_method="raftkv")`.

JAX has no entry points for this; a subclass of its ClusterEnv is known from the moment at which it is imported. JAX asks for the
address first, and that is when the process joins; the other answers are of the same round.
"""

from jax._src.clusters import ClusterEnv  # private, and yet where JAX's own documentation has it

from raftkv.jax import process
from raftkv.jax.settings import from_environment, is_set


class RaftkvCluster(ClusterEnv):
    """One round of a job."""

    name = "raftkv"

    @classmethod
    def is_env_present(cls) -> bool:
        """Whether the environment names a job: then JAX may find this out by itself, too."""
        return is_set()

    @classmethod
    def get_coordinator_address(cls, timeout_secs: int | None, override_coordinator_port: str | None) -> str:
        """Joins, waits for the round, and says where its process 0 is: `host:port`, the same for all.

        Raises:
            ConfigError: the environment lacks something.
            RendezvousTimeoutError, JobClosedError, NodeExcludedError: there is no round for this process.
        """
        address = process.next_round(timeout_secs).master_address
        if override_coordinator_port is None:
            return address
        return f"{address.rpartition(':')[0]}:{override_coordinator_port}"

    @classmethod
    def get_process_count(cls) -> int:
        return process.present_round().world_size

    @classmethod
    def get_process_id(cls) -> int:
        return process.present_round().rank

    @classmethod
    def get_local_process_id(cls) -> int | None:
        return from_environment().local_process_id
