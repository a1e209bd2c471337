"""Checkpoints of a job: announced part by part, there as a whole or not at all.

    first part   the checkpoint is being written
    last part    it is there: all ranks of one world have announced theirs. Its step counts as progress
    round ends   what is being written is forgotten, with its parts

So a checkpoint never has parts of two worlds, and what `latest` says can be loaded. The files are the nodes' own business: here
is only where they are.
"""

from collections.abc import Iterable

from raftkv.errors import TooManyCheckpointsError
from raftkv.pb.rendezvous import AnnounceRequest
from raftkv.rendezvous.job import Checkpoint, Job, encode
from raftkv.rendezvous.layout import checkpoint_key, shard_key
from raftkv.rendezvous.ledger import Ledger

KEPT = 100
"""Where the job does not say."""
MAX_BEING_WRITTEN = 16


class Checkpoints:
    """Moves checkpoints on."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def announce(self, job: Job, request: AnnounceRequest) -> bool:
        """A node of the world has saved its part; true if that was the last one.

        Raises:
            TooManyCheckpointsError: too many are being written at the same time.
        """
        assert job.world is not None, "only a world writes checkpoints"
        step, rank = request.step, job.world.ranks[request.node]
        if step in job.checkpoints:
            return False
        parts = job.being_written.get(step)
        if parts is None:
            if len(job.being_written) >= MAX_BEING_WRITTEN:
                raise TooManyCheckpointsError
            parts = job.being_written[step] = {}
        parts[rank] = None
        shard = {"node": request.node, "token": request.token, "location": request.location, "data": request.data}
        self._ledger.put(shard_key(job.name, step, rank), encode(shard))
        if len(parts) < job.world_size:
            return False
        self._complete(job, step)
        return True

    def _complete(self, job: Job, step: int) -> None:
        del job.being_written[step]
        checkpoint = Checkpoint(step, job.round, job.token, job.world_size)
        job.checkpoints[step] = checkpoint
        self._ledger.put(checkpoint_key(job.name, step), encode(checkpoint._asdict()))
        surplus = len(job.checkpoints) - (job.settings.keep_checkpoints or KEPT)
        for oldest in sorted(job.checkpoints)[: max(0, surplus)]:
            self._delete_shards(job, oldest, range(job.checkpoints.pop(oldest).world_size))
            self._ledger.delete(checkpoint_key(job.name, oldest))

    def clear(self, job: Job) -> None:
        """The world is no more."""
        for step, parts in sorted(job.being_written.items()):
            self._delete_shards(job, step, sorted(parts))
        job.being_written = {}

    def _delete_shards(self, job: Job, step: int, ranks: Iterable[int]) -> None:
        for rank in ranks:
            self._ledger.delete(shard_key(job.name, step, rank))
