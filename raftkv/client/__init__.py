"""The Python client: `Client` for asyncio, `BlockingClient` for everything else; docs/client.md is the guide.

client ----> session (retries, request ids) ----> channel (one endpoint) ----> connection (HTTP/2)
blocking -'  request, transaction: arguments -> messages

watch --> subscription (buffer, position) --> watch_stream ------.
lease, renewals (of recipes' sessions) -----> keepalive_stream --`--> reopening (a stream that survives) --> session
"""

from raftkv.client.blocking import BlockingClient
from raftkv.client.blocking_lease import BlockingLease
from raftkv.client.blocking_rendezvous import BlockingParticipant, BlockingRendezvous
from raftkv.client.blocking_watch import BlockingWatch
from raftkv.client.blocking_worker import BlockingJobConfig, BlockingPreemption, BlockingSteps, BlockingWorker
from raftkv.client.client import Client
from raftkv.client.job_config import JobConfig, Setting
from raftkv.client.lease import HeldLease
from raftkv.client.method import Method, Repeat
from raftkv.client.preemption import Preemption
from raftkv.client.rendezvous import Participant, Rendezvous, Round
from raftkv.client.request import Data
from raftkv.client.steps import Steps
from raftkv.client.subscription import WatchBatch
from raftkv.client.tls import TLSConfig
from raftkv.client.transaction import (
    CreateRevision,
    Delete,
    Get,
    Lease,
    ModRevision,
    Put,
    Txn,
    Value,
    Version,
)
from raftkv.client.watch import Watch
from raftkv.client.worker import Place, Worker
from raftkv.recipes.lease_term import LeaseState

__all__ = [
    "BlockingClient",
    "BlockingJobConfig",
    "BlockingLease",
    "BlockingParticipant",
    "BlockingPreemption",
    "BlockingRendezvous",
    "BlockingSteps",
    "BlockingWatch",
    "BlockingWorker",
    "Client",
    "CreateRevision",
    "Data",
    "Delete",
    "Get",
    "HeldLease",
    "JobConfig",
    "Lease",
    "LeaseState",
    "Method",
    "ModRevision",
    "Participant",
    "Place",
    "Preemption",
    "Put",
    "Rendezvous",
    "Repeat",
    "Round",
    "Setting",
    "Steps",
    "TLSConfig",
    "Txn",
    "Value",
    "Version",
    "Watch",
    "WatchBatch",
    "Worker",
]
