"""Workers that share a queue of jobs: python job_worker.py ENDPOINTS put JOB... | python job_worker.py ENDPOINTS work

A job whose worker dies is given to another. Its result is written once, together with the proof that it was still its worker's.
"""

# ruff: noqa: INP001, T201 (a program, not a package, and it prints)

import asyncio
import sys

from raftkv.client import Client, Put


async def put(client: Client, jobs: list[str]) -> None:
    for job in jobs:
        await client.queue("example/jobs").put(job)


async def work(client: Client) -> None:
    queue = client.queue("example/jobs", ttl=3)
    while True:
        try:
            async with queue.take(timeout=1) as job:
                name = job.value.decode()
                result = name.upper()  # the work
                await job.txn(success=[Put(f"example/results/{name}", result)])
                print(f"{name} -> {result}", flush=True)
        except TimeoutError:
            return


async def main(endpoints: str, what: str, jobs: list[str]) -> None:
    async with Client(endpoints) as client:
        await (put(client, jobs) if what == "put" else work(client))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
