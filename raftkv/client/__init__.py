"""The Python client: `Client` for asyncio, `BlockingClient` for everything else; docs/client.md is the guide.

client ----> session (retries, request ids) ----> channel (one endpoint) ----> connection (HTTP/2)
blocking -'  request, transaction: arguments -> messages
"""

from raftkv.client.blocking import BlockingClient
from raftkv.client.client import Client
from raftkv.client.method import Method, Repeat
from raftkv.client.request import Data
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

__all__ = [
    "BlockingClient",
    "Client",
    "CreateRevision",
    "Data",
    "Delete",
    "Get",
    "Lease",
    "Method",
    "ModRevision",
    "Put",
    "Repeat",
    "TLSConfig",
    "Txn",
    "Value",
    "Version",
]
