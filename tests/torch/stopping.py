"""A worker under torchrun that waits for the others in every step, says how far it is, and stops when all agree to."""
# ruff: noqa: T201 (a program, and it prints)

import os

import torch
import torch.distributed as dist

from raftkv.client import BlockingClient

STEPS = 1_000_000


def main() -> None:
    dist.init_process_group("gloo")
    client = BlockingClient(os.environ["RAFTKV_ENDPOINTS"].split(","))
    job = client.job()
    with job.steps() as steps, job.preemption() as notice:
        print(f"pid {os.getpid()} is rank {dist.get_rank()}", flush=True)
        for step in range(STEPS):
            dist.all_reduce(torch.ones(1))
            steps.done(step)
            if notice.stop_at(step):
                print(f"rank {dist.get_rank()} stopped after step {step}", flush=True)
                break
    client.close()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
