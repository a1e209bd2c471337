"""How a job stands, as clients are told."""

from raftkv.pb.rendezvous import Phase, Preemption, Role, Standing
from raftkv.rendezvous.job import Job


def no_job(name: str) -> Standing:
    """Of a job that is not there."""
    return Standing(job=name)


def standing_of(job: Job) -> Standing:
    """For nobody in particular."""
    standing = Standing(
        job=job.name,
        phase=job.phase,
        round=job.round,
        token=job.token,
        world_size=job.world_size,
        reason=job.reason,
        outcome=job.outcome,
        restarts=job.restarts,
        step=job.step,
        settings=job.settings,
        awaited=len(job.awaited),
    )
    if job.phase == Phase.GATHERING:
        standing.ready = len(job.ready)
    elif job.world_size >= job.settings.max_nodes:
        standing.spares = len(job.ready)
    else:
        standing.waiting = len(job.ready)
    if job.token and job.world is not None:
        standing.master_node, standing.master_address = job.world.nodes[0], job.world.addresses[0]
        standing.master_data = job.master_data
    if job.preemption is not None:
        node, reason = job.preemption
        answers = len(job.acknowledged)
        standing.preemption.CopyFrom(
            Preemption(node=node, reason=reason, agreed=job.agreed, stop_step=job.stop_step, answers=answers)
        )
    if job.hang is not None:
        standing.hang.CopyFrom(job.hang)
    return standing


def place_of(job: Job, node: str) -> Standing:
    """What is a node's own in its standing: role and rank. The rest is the same for all; one after the other, encoded, they are
    the node's standing.
    """
    role, rank = role_of(job, node), 0
    if role in {Role.MEMBER, Role.DONE} and job.world is not None:
        rank = job.world.ranks[node]
    return Standing(role=role, rank=rank)


def role_of(job: Job, node: str) -> Role:
    """What a node is to a job."""
    if node in job.excluded:
        return Role.EXCLUDED
    if node in job.ready:
        if job.phase == Phase.GATHERING:
            return Role.READY
        return Role.SPARE if job.world_size >= job.settings.max_nodes else Role.WAITING
    if node in job.awaited:
        return Role.SURVIVOR
    if job.token and job.world is not None and node in job.world.ranks:
        return Role.DONE if node in job.succeeded else Role.MEMBER
    return Role.NO_ROLE
