"""A seed of the simulator: everything at once, nodes, clients and faults (raftkv_chaos.sim)."""

from raftkv_chaos.sim.run import VIOLATION, run_seed


def find(seed: int) -> None:
    """Raises what the seed finds."""
    result = run_seed(seed)
    assert result.verdict != VIOLATION, f"{result.found_by}: {result.text}"
