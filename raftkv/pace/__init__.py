"""How fast the workers of training jobs are, as the leader hears it: who is slow, who hangs. Nothing of it is replicated.

worker    one worker: its step, what its steps take, its scores
job       the workers of a world, their median, who of them hangs, and what became of the job's time
"""

from raftkv.pace.job import JobPace, hang_of
from raftkv.pace.worker import STRAGGLER_SCORE, WorkerPace, check_heartbeat

__all__ = ["STRAGGLER_SCORE", "JobPace", "WorkerPace", "check_heartbeat", "hang_of"]
