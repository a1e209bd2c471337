"""train.py with its checkpoints in the cluster's registry: started as it is, with a folder in place of a file.

    torchrun --nnodes 1:4 --nproc-per-node 2 --rdzv-backend raftkv --rdzv-endpoint 127.0.0.1:2379 --rdzv-id demo2 \
        --rdzv-conf last_call_timeout=1 examples/train_registered.py checkpoints
    raftkv checkpoint list demo2

Each node writes a part of its own, and says where it is. A checkpoint counts when all nodes of the world have said so, and none of a
world that is over can be added to: so all workers of the next one find the same, without asking each other.
"""
# ruff: noqa: INP001, T201 (a program, not a package, and it prints)

import math
import os
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from raftkv.client import BlockingClient, BlockingWorker

STEPS = int(os.environ.get("TRAIN_STEPS", "3000"))
STEP_S = float(os.environ.get("TRAIN_STEP_S", "0.02"))
"""What a step takes at least: time to look on."""
BATCH = 24
LEARNING_RATE = 0.05
CHECKPOINT_EVERY = 10
FILES_KEPT = 3


class Training:
    """What is learned, and how far it is."""

    def __init__(self, registry: BlockingWorker, folder: Path) -> None:
        self._registry = registry
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1)).double()
        self.step = 0

    def restore(self) -> None:
        """From any node's part: in data-parallel training all of them are the same."""
        checkpoint = self._registry.latest()
        if checkpoint is not None:
            self.model.load_state_dict(torch.load(checkpoint.shards[0].location))
            self.step = checkpoint.step

    def save(self) -> None:
        """This node's part: its first worker writes it, then says so."""
        if os.environ["LOCAL_RANK"] != "0":
            return
        mine = f"node{os.environ['GROUP_RANK']}"
        path = self._folder / f"step{self.step:08}-{mine}.pt"
        torch.save(self.model.state_dict(), path)
        self._registry.announce(self.step, str(path.resolve()))
        for old in sorted(self._folder.glob(f"*-{mine}.pt"))[:-FILES_KEPT]:
            old.unlink()


def main(folder: Path) -> None:
    dist.init_process_group("gloo")
    rank, world_size = dist.get_rank(), dist.get_world_size()
    with BlockingClient(os.environ["RAFTKV_ENDPOINTS"], timeout=math.inf) as client:  # what the agent says to its workers
        training = Training(client.job(), folder)
        training.restore()
        print(f"rank {rank} of {world_size} begins at step {training.step}", flush=True)
        train(training, slice(rank * BATCH // world_size, (rank + 1) * BATCH // world_size))
    if rank == 0:
        inputs, wanted = batch(STEPS)
        print(f"loss {nn.functional.mse_loss(training.model(inputs), wanted).item():.12f}", flush=True)
    dist.barrier()
    dist.destroy_process_group()


def train(training: Training, mine: slice) -> None:
    """`mine`: the part of each batch that this worker learns from."""
    while training.step < STEPS:
        inputs, wanted = batch(training.step)
        training.model.zero_grad()
        nn.functional.mse_loss(training.model(inputs[mine]), wanted[mine]).backward()
        descend(training.model)
        time.sleep(STEP_S)
        training.step += 1
        if training.step % CHECKPOINT_EVERY == 0:
            training.save()
            if dist.get_rank() == 0:
                print(f"step {training.step} of {STEPS}", flush=True)


def descend(model: nn.Module) -> None:
    """One step down the mean of all workers' gradients."""
    for parameter in model.parameters():
        assert parameter.grad is not None
        dist.all_reduce(parameter.grad)
        parameter.data -= LEARNING_RATE / dist.get_world_size() * parameter.grad


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The same for a step whoever asks, so that a job that was interrupted learns what an undisturbed one learns."""
    generator = torch.Generator().manual_seed(step)
    inputs = torch.randn(BATCH, 8, generator=generator, dtype=torch.float64)
    return inputs, inputs.sum(1, keepdim=True).sin()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "checkpoints"))
