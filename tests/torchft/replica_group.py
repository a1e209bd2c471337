"""A replica group of one process, with torchft's Manager: it trains until it is killed, and prints a line for each step.

python replica_group.py NAME SECONDS_PER_STEP, with the lighthouse in TORCHFT_LIGHTHOUSE
"""

import json
import sys
import time
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torchft import Manager, ProcessGroupGloo

PATIENCE = timedelta(seconds=20)


def train(name: str, pause_s: float) -> None:
    weights = torch.zeros(4)

    def load(state: dict[str, Any]) -> None:
        weights.copy_(state["weights"])
        say(healed=True)

    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    manager = Manager(
        pg=ProcessGroupGloo(timeout=PATIENCE),
        load_state_dict=load,
        state_dict=lambda: {"weights": weights},
        min_replica_size=2,
        replica_id=name,
        store_addr="127.0.0.1",
        store_port=store.port,
        rank=0,
        world_size=1,
        hostname="127.0.0.1",
        use_async_quorum=False,
        timeout=PATIENCE,
        quorum_timeout=timedelta(seconds=60),
        connect_timeout=PATIENCE,
    )
    while True:
        manager.start_quorum()
        gradient = torch.full((4,), float(manager.current_step() + 1))
        manager.allreduce(gradient).wait()
        if manager.should_commit():
            weights += gradient  # the mean of what all groups had, which is the same for each
            say(step=manager.current_step(), groups=manager.num_participants(), weight=float(weights[0]))
        time.sleep(pause_s)


def say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    train(sys.argv[1], float(sys.argv[2]))
