"""A worker of which one runs at a time, wherever it is started: python leader_worker.py ENDPOINTS NAME STEPS

Start it several times. One leads and counts; stop it, and another goes on where it was.
"""

# ruff: noqa: INP001, T201 (a program, not a package, and it prints)

import asyncio
import sys

from raftkv.client import Client, Put
from raftkv.recipes.election import Leadership


async def main(endpoints: str, name: str, steps: int) -> None:
    async with Client(endpoints) as client:

        @client.leader_only("example-leader", value=name, ttl=3, on_lost=lambda error: print(f"{name}: {error}", flush=True))
        async def work(leadership: Leadership) -> None:
            print(f"{name}: leads with token {int(leadership.token)}", flush=True)
            found = await client.get("example-step")
            for step in range(int(found.value) if found else 0, steps):
                await leadership.txn(success=[Put("example-step", str(step + 1))])  # only while it leads
                print(f"{name}: step {step + 1}", flush=True)
                await asyncio.sleep(0.05)  # the work

        await work()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
