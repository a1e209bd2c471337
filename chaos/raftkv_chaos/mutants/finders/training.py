"""A seed of the simulator with training jobs, replica groups and tenants as its clients (raftkv_chaos.sim.training)."""

from raftkv_chaos.sim.knobs import TRAINING
from raftkv_chaos.sim.run import VIOLATION, run_seed


def find(seed: int) -> None:
    """Raises what the seed finds."""
    result = run_seed(seed, workload=TRAINING)
    assert result.verdict != VIOLATION, f"{result.found_by}: {result.text}"
