"""A small language for scenarios. A script is a text file: commands at the left margin, what they caused indented under them.

# a remark
nodes 1 2 3 learners 4 election_ticks=5     a new cluster
boot 4                      a server that waits to be added
quiet / loud                stop and resume writing down what happens
tick 1 3                    three ticks at server 1
pass 3                      three ticks everywhere, settling after each
turn 1                      server 1 takes its Ready: it sends, applies, and starts to write to its disk
sync 1                      its disk is done
run 1                       turns and syncs until server 1 has nothing left to do alone
deliver 1->2                everything on that link arrives; without a link, everything that is under way now
drop 1->2                   everything on that link is lost
settle                      all of that everywhere, until nothing is left to do
cut 1 2 | 3                 messages between the groups are lost; `heal` ends it
hold 2 / release 2          in `settle`, the disk of server 2 never finishes; or does again
crash 1 [synced] / restart 1
propose 1 x y
change 1 add_voter 4
read 1 context
transfer 1 2
campaign 1
lost 2 1                    server 2 has lost its connection to 1
compact 1 [5]
show [1]                    the state of a server, or of all
"""

from collections.abc import Callable

from raftkv.errors import RaftError
from raftkv.raft import Role
from raftkv.raft.messages import ChangeKind, Vote
from tests.raft.cluster import Cluster, describe_entries, log_of

MARGIN = "    "


def run_script(text: str) -> str:
    """The script with what its commands cause now."""
    script = Script()
    lines = [line for line in text.splitlines() if not line.startswith(MARGIN)]
    written: list[str] = []
    for line in lines:
        written.append(line)
        if line and not line.startswith("#"):
            written += [MARGIN + event for event in script.execute(line)]
    return "\n".join(written) + "\n"


class Script:
    """One run of a script."""

    def __init__(self) -> None:
        self.cluster: Cluster
        self._events: list[str] = []
        self._loud = True
        self._states: dict[int, str] = {}
        self._commands: dict[str, Callable[[list[str]], None]] = {
            "nodes": self._nodes,
            "boot": lambda words: self.cluster.boot(int(words[0])),
            "quiet": lambda _: self._set_loud(loud=False),
            "loud": lambda _: self._set_loud(loud=True),
            "tick": lambda words: self.cluster.tick(*map(int, words)),
            "pass": lambda words: self.cluster.pass_time(int(words[0])),
            "turn": lambda words: self.cluster.turn(int(words[0])),
            "sync": lambda words: self.cluster.sync(int(words[0])),
            "run": self._run,
            "deliver": self._deliver,
            "drop": self._drop,
            "settle": lambda _: self.cluster.settle(),
            "cut": self._cut,
            "heal": lambda _: self.cluster.heal(),
            "hold": lambda words: self._hold(int(words[0]), held=True),
            "release": lambda words: self._hold(int(words[0]), held=False),
            "crash": lambda words: self.cluster.crash(int(words[0]), synced="synced" in words),
            "restart": lambda words: self.cluster.restart(int(words[0])),
            "propose": self._propose,
            "change": self._change,
            "read": lambda words: self.cluster.read(int(words[0]), words[1].encode()),
            "transfer": lambda words: self.cluster[int(words[0])].transfer_leadership(int(words[1])),
            "campaign": lambda words: self.cluster[int(words[0])].campaign(),
            "raise": self._raise,
            "lost": lambda words: self.cluster[int(words[0])].peer_lost(int(words[1])),
            "compact": lambda words: self.cluster.compact(*map(int, words)),
            "show": self._show,
        }

    def execute(self, line: str) -> list[str]:
        """Executes one command; what it caused."""
        name, *words = line.split()
        self._events = []
        try:
            self._commands[name](words)
        except RaftError as error:
            self._events.append(f"{type(error).__name__}: {error}")
        self._notice_states()
        return self._events if self._loud or name == "show" else []

    def _notice_states(self) -> None:
        for node_id, server in self.cluster.servers.items():
            status = server.raft.status()
            role = {Role.FOLLOWER: "follows", Role.LEADER: "leads"}.get(status.role, f"is a {status.role.name.lower()}")
            whom = f" {status.leader_id or 'nobody'}" if status.role == Role.FOLLOWER else ""
            state = f"{role}{whom} in term {status.term}" if server.up else "is down"
            if self._states.get(node_id, state) != state:
                self._events.append(f"{node_id} {state}")
            self._states[node_id] = state

    def _nodes(self, words: list[str]) -> None:
        options = dict(word.split("=") for word in words if "=" in word)
        names = [word for word in words if "=" not in word]
        split = names.index("learners") if "learners" in names else len(names)
        self.cluster = Cluster(
            map(int, names[:split]),
            learners=map(int, names[split + 1 :]),
            **{k: int(v) if k != "pre_vote" else v != "0" for k, v in options.items()},
        )
        self.cluster.observers.append(self._note)

    def _note(self, event: str) -> None:
        self._events.append(event)

    def _set_loud(self, *, loud: bool) -> None:
        self._loud = loud

    def _hold(self, node_id: int, *, held: bool) -> None:
        self.cluster.servers[node_id].disk_held = held

    def _run(self, words: list[str]) -> None:
        node_id = int(words[0])
        server = self.cluster.servers[node_id]
        while server.raft.has_ready() or server.in_flight is not None:
            self.cluster.turn(node_id)
            self.cluster.sync(node_id)

    def _deliver(self, words: list[str]) -> None:
        if words:
            for message in self.cluster.take(*map(int, words[0].split("->"))):
                self.cluster.deliver(message)
        else:
            for _ in range(len(self.cluster.network)):
                self.cluster.deliver(self.cluster.network.popleft())

    def _drop(self, words: list[str]) -> None:
        for message in self.cluster.take(*map(int, words[0].split("->"))):
            self.cluster.lose(message)

    def _cut(self, words: list[str]) -> None:
        self.cluster.cut(*[map(int, group.split()) for group in " ".join(words).split("|")])

    def _propose(self, words: list[str]) -> None:
        if not self.cluster.propose(int(words[0]), *[word.encode() for word in words[1:]]):
            self._events.append("dropped")

    def _change(self, words: list[str]) -> None:
        if not self.cluster.change(int(words[0]), ChangeKind[words[1].upper()], int(words[2])):
            self._events.append("dropped")

    def _raise(self, words: list[str]) -> None:
        node_id, term = map(int, words)
        self.cluster[node_id].step(Vote(99, node_id, term, 0, 0, transfer=True))

    def _show(self, words: list[str]) -> None:
        for node_id in map(int, words) if words else self.cluster.servers:
            status = self.cluster[node_id].status()
            membership = f"voters {list(status.membership.voters)}"
            if status.membership.learners:
                membership += f" learners {list(status.membership.learners)}"
            log = describe_entries(log_of(self.cluster[node_id]))
            self._events.append(f"{node_id}: {membership} commit={status.commit_index} start={status.start_index} log: {log}")
            for peer, progress in status.peers.items():
                state = f"{progress.state.name} match={progress.match_index} next={progress.next_index}"
                self._events.append(f"   sees {peer} in {state} inflight={progress.inflight_messages}")
