"""As leader_worker.py, without asyncio: python leader_worker_blocking.py ENDPOINTS NAME STEPS"""

# ruff: noqa: INP001, T201 (a program, not a package, and it prints)

import sys
import time

from raftkv.client import BlockingClient, Put
from raftkv.client.blocking_recipes import BlockingLeadership


def main(endpoints: str, name: str, steps: int) -> None:
    with BlockingClient(endpoints) as client:

        @client.leader_only("example-leader", value=name, ttl=3, on_lost=lambda error: print(f"{name}: {error}", flush=True))
        def work(leadership: BlockingLeadership) -> None:
            print(f"{name}: leads with token {int(leadership.token)}", flush=True)
            found = client.get("example-step")
            for step in range(int(found.value) if found else 0, steps):
                leadership.txn(success=[Put("example-step", str(step + 1))])  # raises LostError if it leads no more
                print(f"{name}: step {step + 1}", flush=True)
                time.sleep(0.05)  # the work

        work()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
