"""The rendezvous of training jobs, as replicas share it: who takes part in which round, and as which rank.

layout    keys and names                job       a job and its rows
ranks     who, and as which rank        course    what opens, forms and ends rounds
timers    how long, not since when      ledger    writes it, as rows and as keys
standing  what clients are told         rendezvous  all jobs, and the commands of the log
"""

from raftkv.rendezvous.barriers import barrier_states, ranks_of, whisper_of
from raftkv.rendezvous.checks import check_change
from raftkv.rendezvous.job import Job
from raftkv.rendezvous.rendezvous import Audience, Rendezvous
from raftkv.rendezvous.timers import Timer, TimerObserver

__all__ = [
    "Audience",
    "Job",
    "Rendezvous",
    "Timer",
    "TimerObserver",
    "barrier_states",
    "check_change",
    "ranks_of",
    "whisper_of",
]
