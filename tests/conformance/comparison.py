"""Sends the same requests to two servers and compares the whole answers.

    seed -> Generator -> request --+--> reference --+
               ^                   |                +--> equal, up to cluster id, member id, raft term, ties?
               |                   +--> target -----+
               +--- revision, compacted revision

The servers start empty, so a seed names the whole run. `Comparison.run` raises `AnswersDifferError` at the first difference,
and `shrink.py` finds the few requests before it that matter.
"""

from collections.abc import Sequence
from random import Random

from google.protobuf import text_format
from google.protobuf.message import Message

from raftkv.pb import rpc
from tests.conformance.generator import ALL, KEYS, MAX_TXN_OPS, Generator, large_value
from tests.conformance.ties import settle_ties
from tests.harness.calls import Caller, Failure
from tests.harness.cluster import Cluster

LONGEST_SHOWN = 4000


class AnswersDifferError(AssertionError):
    """The two servers answered the same request differently."""

    def __init__(self, request: Message, expected: Message | Failure, actual: Message | Failure, *, where: str) -> None:
        super().__init__(
            f"{where}\nrequest  {type(request).__name__} {shown(request)}\nexpected {shown(expected)}\nactual   {shown(actual)}"
        )
        self.request = request
        self.expected = expected
        self.actual = actual


class Comparison:
    """A reference and a target that are to answer alike, from an empty store on."""

    def __init__(
        self,
        reference: Cluster,
        target: Cluster,
        *,
        seed: int,
        keys: Sequence[bytes] = KEYS,
        serializable: bool = True,
    ) -> None:
        self._seed = seed
        self._reference = reference
        self._target = target
        self._generator = Generator(Random(seed), keys=keys, serializable=serializable)
        self.sent: list[Message] = []
        """What both were sent and answered alike."""
        self.answered_ok = 0

    def fill(self, keys: Sequence[bytes]) -> None:
        """Writes every key, in transactions."""
        for start in range(0, len(keys), MAX_TXN_OPS):
            puts = [rpc.PutRequest(key=key, value=large_value(key)) for key in keys[start : start + MAX_TXN_OPS]]
            request = rpc.TxnRequest(success=[rpc.RequestOp(request_put=put) for put in puts])
            self._follow(request, self.check(request))

    def run(self, count: int) -> None:
        """Sends `count` random requests, then reads every revision that is left."""
        self.send(count)
        self.read_history()

    def send(self, count: int) -> None:
        """Sends `count` random requests."""
        for _ in range(count):
            request = self._generator.request()
            self._follow(request, self.check(request))

    def read_history(self) -> None:
        """Reads everything at every revision that is left."""
        position = self._generator.position
        for revision in range(max(1, position.compacted), position.revision + 1):
            self.check(rpc.RangeRequest(key=ALL, range_end=ALL, revision=revision))

    def check(self, request: Message) -> Message | Failure:
        """Sends one request to both, in turn to each node that runs, and returns the answer they agree on."""
        expected = comparable(request, self._caller(self._reference).call(request))
        actual = comparable(request, self._caller(self._target).call(request))
        if expected != actual:
            raise AnswersDifferError(request, expected, actual, where=f"seed {self._seed}, request {len(self.sent)}")
        self.sent.append(request)
        return expected

    def _caller(self, cluster: Cluster) -> Caller:
        callers = [node.caller for node in cluster.nodes if node.process.running]
        return callers[len(self.sent) % len(callers)]

    def _follow(self, request: Message, answer: Message | Failure) -> None:
        """Learns from an answer where the store stands."""
        if isinstance(answer, Failure):
            return
        self.answered_ok += 1
        position = self._generator.position
        position.revision = answer.header.revision  # type: ignore[attr-defined]  # every response of the service has a header
        if isinstance(request, rpc.CompactionRequest):
            position.compacted = request.revision


def comparable(request: Message, answer: Message | Failure) -> Message | Failure:
    """The answer without what may differ between two clusters."""
    if not isinstance(answer, Failure):
        header: rpc.ResponseHeader = answer.header  # type: ignore[attr-defined]  # every response of the service has a header
        header.ClearField("cluster_id")
        header.ClearField("member_id")
        header.ClearField("raft_term")
        settle_ties(request, answer)
    return answer


def shown(message: Message | Failure) -> str:
    """One line to print, cut where it grows beyond reading."""
    if isinstance(message, Failure):
        return f"{message.code.name} {message.details!r}"
    text = text_format.MessageToString(message, as_one_line=True)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text)} characters)"
