"""Who may see a job: whoever may read its keys."""

from raftkv.rendezvous.layout import job_prefix, prefix_end
from raftkv.rpc.method import Call
from raftkv.ui.question import Gate


def may_see_job(gate: Gate, call: Call, job: str) -> bool:
    """Whether who asks may."""
    prefix = job_prefix(job).encode()
    return gate.may_read(call, prefix, prefix_end(prefix))


def check_job(gate: Gate, call: Call, job: str) -> None:
    """Refuses who may not. Raises NotAllowedError."""
    prefix = job_prefix(job).encode()
    gate.check_range(call, prefix, prefix_end(prefix))
