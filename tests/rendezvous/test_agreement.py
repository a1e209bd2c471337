"""All workers stop after the same step, whatever moment a notice comes, and in whatever order they hear of it: random schedules."""

from random import Random

import pytest

from raftkv.client.preemption import Agreement
from raftkv.errors import RoundOverError
from raftkv.pb import rendezvous as pb
from tests.rendezvous.jobs import JOB, Jobs, settings

NODES = [f"n{number}" for number in range(4)]
NOTICE_FROM = 40
"""Moments after which a notice may come."""


class Training:
    """Ranks in lockstep: a step is finished only when all have begun it, so nobody is ever more than one step ahead."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.jobs = Jobs(settings(4, 4))
        self.token = self.jobs.join_all(*NODES).token
        self.agreements = {node: Agreement() for node in NODES}
        self.steps = dict.fromkeys(NODES, 0)
        """The step that each has begun; it stays where the node has stopped."""
        self.waits: set[str] = set()
        """Who has finished its step, and waits for an agreement."""
        self.stopped: dict[str, int] = {}
        self.answered: set[str] = set()
        self.heard: set[str] = set()
        self.told: set[str] = set()

    def step(self, node: str) -> None:
        """What the training thread does next, if anything can be done."""
        if node in self.stopped:
            return
        if node not in self.waits and min(self.steps.values()) < self.steps[node]:
            return  # in a collective, with somebody who is behind
        answer = self.agreements[node].finished(self.steps[node])
        if answer is None:
            self.waits.add(node)
        elif answer:
            self.stopped[node] = self.steps[node]
        else:
            self.waits.discard(node)
            self.steps[node] += 1

    def hear(self, node: str) -> None:
        """What the client's loop does: it hears of the notice, answers, hears of the agreement; each a moment of its own."""
        notice = self.jobs.look(node).preemption
        if not notice.ListFields() and not self.jobs.look().HasField("preemption"):
            return
        if notice.agreed:
            self.agreements[node].agree(notice.stop_step)
            return
        begun = self.agreements[node].freeze()
        if begun is not None and node not in self.answered and self.rng.random() < 0.5:
            self.answered.add(node)
            request = pb.AcknowledgePreemptionRequest(job=JOB, node=node, token=self.token, step=begun)
            self.jobs.change(acknowledge_preemption=request)

    def run(self) -> set[int]:
        """The steps after which they stopped."""
        begins = self.rng.randrange(NOTICE_FROM)
        for moment in range(10_000):
            if moment == begins:
                self.jobs.change(preempt=pb.PreemptRequest(job=JOB))
            node = self.rng.choice(NODES)
            if self.rng.random() < 0.5:
                self.step(node)
            else:
                self.hear(node)
            if len(self.stopped) == len(NODES):
                return set(self.stopped.values())
        raise AssertionError(f"some wait for ever: {self.steps}, stopped {self.stopped}")


def test_all_stop_after_the_same_step_and_nobody_waits_for_ever() -> None:
    for seed in range(100):
        assert len(Training(Random(seed)).run()) == 1, seed


def test_who_asks_before_the_notice_goes_on_at_once() -> None:
    agreement = Agreement()
    assert [agreement.finished(step) for step in (1, 2, 3)] == [False, False, False]
    assert agreement.freeze() == 4


def test_who_has_not_said_where_it_is_answers_with_what_it_finishes() -> None:
    agreement = Agreement()
    assert agreement.freeze() is None
    assert agreement.finished(9) is None
    assert agreement.freeze() == 9


def test_begun_step_is_finished_by_all_and_no_later_one_is_begun() -> None:
    agreement = Agreement()
    agreement.finished(3)
    agreement.freeze()
    assert agreement.finished(3) is False
    assert agreement.finished(4) is None
    agreement.agree(5)
    assert (agreement.finished(4), agreement.finished(5)) == (False, True)


def test_end_of_the_world_matters_only_to_who_has_no_agreement() -> None:
    torn, agreed = Agreement(), Agreement()
    agreed.freeze()
    agreed.agree(5)
    for agreement in (torn, agreed):
        agreement.end()
    assert agreed.finished(5) is True
    with pytest.raises(RoundOverError):
        torn.finished(5)
