"""Walks in which nothing that was ever said is forgotten, and what leaders send is cut otherwise than ours would cut it.

echo     a message that was under way once comes again, however much later; of every kind equally often, for the rare ones do the
         greatest harm
reslice  an Append that begins earlier, and has fewer entries, than the leader's own would: any correct leader may send it, and
         one of another version may well. What a follower promises must not rest on how our leader looks for the place to begin.

Elections by bare majorities come between (duels), for what is old is dangerous only after a change of leaders.
"""

import random
from collections import defaultdict

from raftkv.raft.messages import NO_NODE, Append, Message, Propose
from raftkv_chaos.mutants.finders.duels import duel
from raftkv_chaos.mutants.finders.raft import VARIANTS, never_falls
from tests.raft.chaos import NODES, Chaos, walk

ROUNDS = 24
STEPS = 20
KEPT = 40
"""Messages of each kind that are remembered; which ones, is left to chance."""
MOST_ENTRIES = 3


def find(seed: int) -> None:
    """One cluster, walks and duels in turn."""
    rng = random.Random(seed)  # noqa: S311 (to be repeated)
    count = rng.choice((3, 3, 5, 5))
    learners = NODES[count:] if rng.random() < 0.3 else ()
    chaos = Chaos(NODES[:count], learners=learners, seed=seed, **rng.choice(VARIANTS))
    never_falls(chaos)
    echoes = Echoes(chaos, rng)
    walks, changes = rng.choice((0.2, 0.5, 0.8)), rng.random() < 0.3
    for _ in range(ROUNDS):
        if rng.random() < walks:
            walk(chaos, rng, STEPS)
        else:
            duel(chaos, rng, rng.sample(NODES, len(NODES)), changes=changes)
        echoes.disturb()
    chaos.recover()


class Echoes:
    """What was said in a cluster, and what else its leaders might have said."""

    def __init__(self, chaos: Chaos, rng: random.Random) -> None:
        self._chaos = chaos
        self._rng = rng
        self._said: dict[str, list[Message]] = defaultdict(list)
        self._most = rng.choice((0, 4, 12)), rng.choice((0, 2, 6))
        """Echoes, and resliced appends, at a time."""
        self._deliver = chaos.cluster.deliver
        chaos.cluster.deliver = self._remember  # type: ignore[method-assign] # one that listens

    def _remember(self, message: Message) -> None:
        if not isinstance(message, Propose):  # which no connection repeats, and Raft does not allow for
            said = self._said[type(message).__name__]
            if len(said) < KEPT:
                said.append(message)
            else:
                said[self._rng.randrange(KEPT)] = message
        self._deliver(message)

    def disturb(self) -> None:
        """Some of both, and what is answered to it."""
        rng, chaos = self._rng, self._chaos
        echoes, slices = (rng.randint(0, most) for most in self._most)
        for _ in range(echoes):
            self._echo()
        for _ in range(slices):
            self._reslice()
        for node in NODES:
            if rng.random() < 0.5:
                chaos.turn(node)
                chaos.sync(node)

    def _echo(self) -> None:
        said = self._rng.choice([*self._said.values(), []])
        leaders = self._chaos.leaders()
        if self._rng.random() < 0.5:
            said = [message for message in said if message.target in leaders]
        if said:
            self._arrives(self._rng.choice(said))

    def _arrives(self, message: Message) -> None:
        """It was under way before any way was cut."""
        cluster = self._chaos.cluster
        cuts, cluster.cuts = cluster.cuts, set()
        self._deliver(message)
        cluster.cuts = cuts

    def _reslice(self) -> None:
        rng, leaders = self._rng, self._chaos.leaders()
        leader = rng.choice(leaders) if leaders else NO_NODE
        others = [node for node in NODES if node != leader]
        if leader == NO_NODE:
            return
        raft = self._chaos.cluster[leader]
        log = raft._log  # noqa: SLF001 (a leader of another make would send of it)
        if raft.term != self._chaos.cluster.servers[leader].disk.hard_state.term:
            return
        before = rng.randint(log.start_index, log.last_index)
        end = min(before + rng.randint(0, MOST_ENTRIES), log.last_index) + 1
        entries = tuple(log.slice(before + 1, end, 1 << 30)) if end > before + 1 else ()
        append = Append(leader, rng.choice(others), raft.term, before, log.term(before), log.commit, entries, False)
        self._deliver(append)
