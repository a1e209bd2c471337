"""Watches: who wants to know of changes, and what each has been told."""

from raftkv.watch.consumer import Sink
from raftkv.watch.hub import Hub, Surroundings
from raftkv.watch.stream import WatchStream

__all__ = ["Hub", "Sink", "Surroundings", "WatchStream"]
