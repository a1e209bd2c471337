"""A training job that outlives its coordinators: two commands, each in a terminal of its own.

    raftkv dev
    torchrun --nnodes 1:4 --nproc-per-node 2 --rdzv-backend raftkv --rdzv-endpoint 127.0.0.1:2379 --rdzv-id demo \
        --rdzv-conf last_call_timeout=1 examples/train.py

`pip install 'raftkv[torch]'` brings both. Start the second command again in another terminal, and the job grows; kill one of them,
and it shrinks and goes on from the last checkpoint; kill the cluster's leader, and nothing happens at all. A job that has ended stays
ended: another run is another --rdzv-id. Nothing in here knows of raftkv; train_registered.py keeps its checkpoints in the cluster's registry.
"""
# ruff: noqa: INP001, T201 (a program, not a package, and it prints)

import os
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

STEPS = int(os.environ.get("TRAIN_STEPS", "3000"))
STEP_S = float(os.environ.get("TRAIN_STEP_S", "0.02"))
"""What a step takes at least: time to look on."""
BATCH = 24
CHECKPOINT_EVERY = 10


def main(checkpoint: Path) -> None:
    dist.init_process_group("gloo")
    rank, world_size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(1)
    model = DistributedDataParallel(nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1)).double())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    first = restore(checkpoint, model, optimizer)
    print(f"rank {rank} of {world_size} begins at step {first}", flush=True)
    for step in range(first, STEPS):
        inputs, wanted = batch(step)
        mine = slice(rank * BATCH // world_size, (rank + 1) * BATCH // world_size)
        loss = nn.functional.mse_loss(model(inputs[mine]), wanted[mine])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        time.sleep(STEP_S)
        if rank == 0 and (step + 1) % CHECKPOINT_EVERY == 0:
            save(checkpoint, step + 1, model, optimizer)
            print(f"step {step + 1} of {STEPS}", flush=True)
    if rank == 0:
        inputs, wanted = batch(STEPS)
        print(f"loss {nn.functional.mse_loss(model.module(inputs), wanted).item():.12f}", flush=True)
    dist.barrier()
    dist.destroy_process_group()


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The same for a step whoever asks, so that a job that was interrupted learns what an undisturbed one learns."""
    generator = torch.Generator().manual_seed(step)
    inputs = torch.randn(BATCH, 8, generator=generator, dtype=torch.float64)
    return inputs, inputs.sum(1, keepdim=True).sin()


def save(path: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """In one piece: a job that dies meanwhile finds the one before."""
    fresh = path.with_suffix(".new")
    torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, fresh)
    fresh.replace(path)


def restore(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """The step to go on with."""
    if not path.exists():
        return 0
    state = torch.load(path)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "checkpoint.pt"))
