"""Raft as a library without I/O: messages and ticks in, `Ready` out. No asyncio, no clock, no dice, no disk.

    raft.py          the node: dispatch, terms, votes, transitions between the roles
    follower.py candidate.py leader.py      the roles, each an object that lives as long as the node plays it
    replication.py progress.py reading.py   what a leader knows of its followers, and of the reads that wait
    election_timer.py                       when to stand for election
    log.py terms.py membership.py           the log, and who takes part as it tells
    persistence.py ready.py                 what the driver is to do, and in which order
    messages.py                             what nodes say to each other

Sources: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (extended version, 2014), called the
paper; Ongaro, "Consensus: Bridging Theory and Practice" (2014), called the thesis.
"""

from raftkv.raft.config import Config
from raftkv.raft.log import LogReader
from raftkv.raft.membership import InvalidChangeError, changed, decode_change, encode_change
from raftkv.raft.memory_log import MemoryLog
from raftkv.raft.progress import ProgressState
from raftkv.raft.raft import Raft
from raftkv.raft.ready import Persist, ReadAnswer, Ready, Role, SoftState
from raftkv.raft.status import PeerStatus, Status

__all__ = [
    "Config",
    "InvalidChangeError",
    "LogReader",
    "MemoryLog",
    "PeerStatus",
    "Persist",
    "ProgressState",
    "Raft",
    "ReadAnswer",
    "Ready",
    "Role",
    "SoftState",
    "Status",
    "changed",
    "decode_change",
    "encode_change",
]
