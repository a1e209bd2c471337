"""One process of a gloo group: `worker_of_group.py HOST PORT RANK WORLD_SIZE`."""

import sys
from datetime import timedelta

import torch
import torch.distributed as dist


def main(host: str, port: int, rank: int, world_size: int) -> None:
    store = dist.TCPStore(host, port, is_master=False, timeout=timedelta(seconds=60))
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size)
    ones = torch.ones(4) * (rank + 1)
    dist.all_reduce(ones)
    assert ones.tolist() == [world_size * (world_size + 1) / 2] * 4
    half = dist.new_group([0, world_size - 1])
    if rank in {0, world_size - 1}:
        dist.barrier(group=half)
    gathered: list[object] = [None] * world_size
    dist.all_gather_object(gathered, {"rank": rank})
    assert gathered == [{"rank": other} for other in range(world_size)]
    dist.monitored_barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
