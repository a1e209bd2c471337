"""Bugs of training jobs: rounds, worlds and ranks, stops, barriers, checkpoints, steps and hangs."""

from raftkv_chaos.mutants.mutant import Edit, Impossible, Mutant

COURSE, JOB, JOBS = "raftkv.rendezvous.course", "raftkv.rendezvous.job", "raftkv.rendezvous.rendezvous"
BARRIERS, CHECKPOINTS, RANKS = (f"raftkv.rendezvous.{name}" for name in ("barriers", "checkpoints", "ranks"))
SIM = ("training",)
PACE = ("tests:tests/pace", "tests:tests/rendezvous/test_heartbeats.py")
"""What leaders make of steps is in nobody's log: these tests are about it."""


def _one(identifier: str, title: str, module: str, old: str, new: str, finders: tuple[str, ...] = SIM) -> Mutant:  # noqa: PLR0917 (a row of the table)
    return Mutant(identifier, title, (Edit(module, old, new),), finders)


MUTANTS = (
    _one(
        "J1",
        "a node has a rank twice",
        JOB,
        '"nodes": [candidate.node for candidate in chosen],',
        '"nodes": [candidate.node for candidate in [*chosen[:-1], chosen[0]]],',
    ),
    _one(
        "J2",
        "a round forms with a node too few",
        COURSE,
        "        if count < settings.min_nodes:\n",
        "        if count < settings.min_nodes - (settings.min_nodes > 1):\n",
    ),
    _one(
        "J3",
        "a world takes a node more than it may",
        COURSE,
        "choose(ready, job.last, job.settings.max_nodes)",
        "choose(ready, job.last, job.settings.max_nodes + 1)",
    ),
    _one(
        "J4",
        "a round begins though a last call waits for survivors, and its time comes later",
        COURSE,
        "        self._clear(job)\n        self._disarm_last_call(job)\n",
        "        self._clear(job)\n",
    ),
    _one(
        "J5",
        "who comes late is in the world that is at work",
        COURSE,
        "        self._touch(job, node)\n        if job.phase == Phase.GATHERING:\n            self.consider(job)\n\n    def drop",
        "        self._touch(job, node)\n        if job.phase == Phase.FORMED and job.world is not None and len(job.world.nodes) < job.settings.max_nodes:\n"
        "            job.world.nodes.append(node)\n        if job.phase == Phase.GATHERING:\n            self.consider(job)\n\n    def drop",
    ),
    _one(
        "J6",
        "who is dead stays in its world",
        JOBS,
        '                self._course.drop(self._jobs[name], node, "died", failed=True)\n',
        '                if not self._jobs[name].works(node):\n                    self._course.drop(self._jobs[name], node, "died", failed=True)\n',
    ),
    _one(
        "J7",
        "a world that is over is reported for",
        JOBS,
        "        if job.token != request.token or not job.works(node):\n            raise RoundOverError\n        self._course.progress",
        "        if not job.works(node):\n            raise RoundOverError\n        self._course.progress",
    ),
    _one(
        "J8",
        "all stop at the lowest step that anybody had begun",
        JOB,
        "return max(self.acknowledged.values(), default=0) if self.agreed else 0",
        "return min(self.acknowledged.values(), default=0) if self.agreed else 0",
    ),
    _one(
        "J9",
        "a stop is agreed on before the last node has answered",
        JOB,
        ">= self.world_size - len(self.succeeded)",
        ">= max(1, self.world_size - len(self.succeeded) - 1)",
        ("tests:tests/rendezvous/test_course.py", *SIM),
    ),
    _one(
        "J10",
        "a node has answered when one of its workers has",
        COURSE,
        "        if len(answers) < workers:\n",
        "        if not answers:\n",
    ),
    _one(
        "J11",
        "the stop is told to those alone who look later",
        COURSE,
        '        self.affected[job.name, ""] = None\n        if job.agreed:\n            self.write(job)\n\n    def hang',
        '        self.affected[job.name, ""] = None\n\n    def hang',
        ("tests:tests/rendezvous/test_course.py",),
    ),
    _one(
        "J12",
        "a barrier passes before its last node is there",
        BARRIERS,
        "if len(barrier.arrived) == len(_expected(job, barrier)):",
        "if len(barrier.arrived) >= max(1, len(_expected(job, barrier)) - 1):",
    ),
    _one(
        "J13",
        "arrivals at a barrier are forgotten by a restart",
        "raftkv.rendezvous.loading",
        "        job.barriers[name].arrived[node] = None\n",
        "        job.barriers[name].arrived.pop(node, None)\n",
    ),
    _one(
        "J14",
        "a checkpoint is there when all but one have saved their part",
        CHECKPOINTS,
        "        if len(parts) < job.world_size:\n",
        "        if len(parts) < max(1, job.world_size - 1):\n",
    ),
    _one(
        "J15",
        "what a dead world was writing is completed by the next one",
        COURSE,
        "        self.barriers.clear(job)\n        self.checkpoints.clear(job)\n",
        "        self.barriers.clear(job)\n",
        ("tests:tests/rendezvous/test_agreement.py", "tests:tests/rendezvous/test_course.py"),
    ),
    _one(
        "J16",
        "after a restart who was ready is in another order",
        JOB,
        "for member in sorted(self.members.values(), key=lambda member: member.sequence):",
        "for member in self.members.values():",
    ),
    _one(
        "J17",
        "the leader's clock of last calls ends with its term, and nobody takes it up",
        "raftkv.server.rendezvous_keeper",
        "        if term:\n            for timer, duration_ms in self._timers.running.items():\n                self._run(timer, duration_ms)\n",
        "        if term < 0:\n            for timer, duration_ms in self._timers.running.items():\n                self._run(timer, duration_ms)\n",
    ),
    _one(
        "J18",
        "what a deposed leader says of times counts",
        JOBS,
        "        if request.term != term:\n            raise NotLeaderError\n        for message",
        "        for message",
        ("tests:tests/rendezvous/test_course.py",),
    ),
    _one(
        "J19",
        "a worker begins the step after the one at which all stop",
        "raftkv.client.preemption",
        "                return step >= self.stop_step\n",
        "                return step > self.stop_step\n",
    ),
    _one(
        "J20",
        "a worker goes on to the next step after it has answered a notice",
        "raftkv.client.preemption",
        "            return False if step < self._begun else None\n",
        "            return False if step <= self._begun else None\n",
    ),
    _one(
        "J21",
        "all stop at an earlier step when who had named the last one is done",
        COURSE,
        "        if not agreed and (job.acknowledged.pop(node, None) is not None or job.answering.pop(node, None) is not None):\n",
        "        if job.acknowledged.pop(node, None) is not None or job.answering.pop(node, None) is not None or not agreed:\n",
        ("tests:tests/rendezvous/test_course.py",),
    ),
    _one(
        "J22",
        "who pauses hangs as soon as who works",
        "raftkv.pace.job",
        "if settings.hang_factor and worker.step_s and not worker.paused:",
        "if settings.hang_factor and worker.step_s:",
        PACE,
    ),
    _one(
        "J23",
        "a new leader takes its first look at a worker for the last time that it moved",
        "raftkv.pace.worker",
        "        if request.step != self.step or request.paused != self.paused:\n            self.moved_at = now\n",
        "",
        PACE,
    ),
    _one(
        "J24",
        "the fastest of all is the straggler",
        "raftkv.pace.worker",
        "return min(1.0, median_s / self.work_s) if self.work_s else 1.0",
        "return min(1.0, self.work_s / median_s) if self.work_s and median_s else 1.0",
        PACE,
    ),
    _one(
        "J25",
        "heartbeats of workers of the last world count for this one",
        "raftkv.server.pace_keeper",
        "if job is None or job.token != request.token or not job.works(request.node):",
        "if job is None or not job.works(request.node):",
        PACE,
    ),
)
IMPOSSIBLE: tuple[Impossible, ...] = ()
