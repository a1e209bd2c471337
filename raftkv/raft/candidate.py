"""A node that asks for votes: first whether it could win (pre-vote, thesis 9.6), then for the real ones (paper 5.2)."""

from raftkv.errors import ProposalDroppedError, ReadDroppedError
from raftkv.raft.messages import NO_NODE, Vote, VoteReply
from raftkv.raft.node import Handlers, Node, Proposals, Transitions
from raftkv.raft.quorum import Outcome, outcome
from raftkv.raft.ready import Role


class Candidate:
    """One candidacy; each starts with no votes (R28)."""

    def __init__(self, node: Node, transitions: Transitions, *, pre_vote: bool, transfer: bool) -> None:
        self._node = node
        self._transitions = transitions
        self._pre_vote = pre_vote
        self._transfer = transfer
        self._votes = {node.node_id: True}
        self.dirty = False
        self.role = Role.PRE_CANDIDATE if pre_vote else Role.CANDIDATE
        self.handlers: Handlers = {VoteReply: self._on_vote_reply}

    def start(self) -> None:
        """Asks every other voter, unless nobody has to be asked."""
        if not self._decide():
            self._ask()

    def _ask(self) -> None:
        node = self._node
        term = node.term + 1 if self._pre_vote else node.term
        # A pre-vote promises nothing; a candidate's vote for itself must be on disk before it counts with others (R2).
        send = node.send if self._pre_vote else node.defer
        for voter in node.configurations.current.voters:
            if voter != node.node_id:
                send(Vote(node.node_id, voter, term, node.log.last_index, node.log.last_term, self._pre_vote, self._transfer))

    def _on_vote_reply(self, reply: VoteReply) -> None:
        expected_term = self._node.term + (self._pre_vote and reply.granted)
        if reply.pre_vote != self._pre_vote or reply.term != expected_term:
            self._node.ignore("answer to an earlier candidacy")
            return
        self._votes.setdefault(reply.source, reply.granted)
        self._decide()

    def _decide(self) -> bool:
        """Ends the candidacy if the votes decide it."""
        result = outcome(self._votes, self._node.configurations.current.voters)
        if result == Outcome.PENDING:
            return False
        if result == Outcome.LOST:
            self._transitions.follow(self._node.term, NO_NODE)
        elif self._pre_vote:
            self._transitions.stand(pre_vote=False)
        else:
            self._transitions.lead()
        return True

    def tick(self) -> None:
        if self._node.timer.tick():
            self._transitions.stand(pre_vote=self._node.config.pre_vote)

    def sticky(self) -> bool:
        return False

    def propose(self, proposals: Proposals) -> None:
        raise ProposalDroppedError(f"{len(proposals)} proposals: an election is under way")

    def read_index(self, context: bytes) -> None:
        raise ReadDroppedError(f"read {context!r}: an election is under way")

    def peer_lost(self, node_id: int) -> None:
        """A candidate waits for nobody in particular."""

    def flush(self) -> None:
        """Nothing is gathered."""

    def leave(self) -> None:
        """Nothing is pending."""
