"""Process groups of gloo over endpoints and over our Store."""

import subprocess
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from raftkv.tcpstore import Namespace
from raftkv.torch import Store, StoreServer
from raftkv.torch.background import Access

WORKER = Path(__file__).with_name("worker_of_group.py")


def test_three_processes_at_two_endpoints_form_a_group(endpoints: str) -> None:
    namespace = Namespace("group", "1")
    with StoreServer(Access(endpoints), namespace) as one, StoreServer(Access(endpoints), namespace) as other:
        workers = [
            subprocess.Popen(
                [sys.executable, str(WORKER), server.host, str(server.port), str(rank), "3"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank, server in enumerate((one, other, one))
        ]
        outputs = [worker.communicate(timeout=100)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 3, outputs


def test_group_of_one_over_the_store(endpoints: str) -> None:
    store = Store(Access(endpoints), Namespace("group", "2"))
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    value = torch.ones(1)
    dist.all_reduce(value)
    dist.barrier()
    dist.destroy_process_group()
    store.close()
    assert value.item() == 1.0


def test_group_of_one_by_its_address(endpoints: str) -> None:
    dist.init_process_group("gloo", init_method=f"raftkv://{endpoints}/by%20address?rank=0&world_size=1")
    assert dist.get_world_size() == 1
    dist.barrier()
    dist.destroy_process_group()
