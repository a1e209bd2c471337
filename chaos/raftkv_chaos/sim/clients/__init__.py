"""Clients: each asks for one kind of thing, as fast as it likes, and writes down what it heard."""

from raftkv_chaos.sim.clients.appends import Appender
from raftkv_chaos.sim.clients.client import Client, Town
from raftkv_chaos.sim.clients.groups import Group
from raftkv_chaos.sim.clients.keys import KeyClient
from raftkv_chaos.sim.clients.leases import Leaseholder
from raftkv_chaos.sim.clients.locks import Campaigner, Locker
from raftkv_chaos.sim.clients.tenants import Tenant
from raftkv_chaos.sim.clients.trainers import Collectives, Trainer
from raftkv_chaos.sim.clients.watches import Watcher

__all__ = [
    "Appender",
    "Campaigner",
    "Client",
    "Collectives",
    "Group",
    "KeyClient",
    "Leaseholder",
    "Locker",
    "Tenant",
    "Town",
    "Trainer",
    "Watcher",
]
