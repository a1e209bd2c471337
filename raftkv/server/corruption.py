"""Looks whether the members' data is the same, and raises CORRUPT for whose is not (etcd server/etcdserver/corrupt.go).

    start         this node asks the others, once they answer, and does not go on with data unlike theirs
    leader        asks everybody every so often, and after each compaction
                  a revision that all have -> checksums -> the most common one is right -> CORRUPT names the others
                                                        -> no majority -> CORRUPT names member 0: nobody knows

Only checksums of one revision over the same compaction are compared; whoever is behind or ahead is asked another time. A member
that differs is asked once more, so that nobody is accused for a moment's sake.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from struct import Struct

import structlog

from raftkv.apply.command import ALARM, body
from raftkv.errors import MalformedRequestError, RequestError, StorageError, UnavailableError
from raftkv.mvcc.hashing import HistoryHash
from raftkv.pb.rpc import CORRUPT, AlarmRequest
from raftkv.peer.asks import Kind
from raftkv.reply import Reply
from raftkv.server.replica import Replica

log = structlog.get_logger(__name__)

ASK_TIMEOUT_S = 30.0
"""A checksum over everything may take so long."""
START_ATTEMPTS = 10
START_PAUSE_S = 1.0
"""At the start others may not be there yet; who cannot be asked then is compared by the leader later."""
NOBODY = 0
"""The member that an alarm names where it is not known whose data is wrong."""

_question = Struct(">q")
_answer = Struct(">Iqq")


class CorruptionCheck:
    """One node's part in it."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._compared = -1
        """The compaction after which the members were compared last."""
        replica.asks.serve(Kind.HASH, self._answer)

    async def check_start(self) -> None:
        """Compares this node with the others as far as they can be asked.

        Raises:
            StorageError: the others agree, and not with this node.
        """
        hashes: dict[int, HistoryHash] = {}
        revision = 0
        for _ in range(START_ATTEMPTS):
            revision = self._replica.store.revision
            hashes = await self._hashes(revision)
            if 2 * len(hashes) > len(self._replica.members):
                break
            await asyncio.sleep(START_PAUSE_S)
        culprits = find_culprits(hashes)
        if self._replica.settings.node_id in culprits:
            raise StorageError(
                f"this member's data differs from the others' at revision {revision}: it is corrupt. "
                "Remove the member, and add it anew with an empty data directory"
            )

    async def keep_checking(self, interval_s: float, compaction_interval_s: float) -> None:
        """Compares all members again and again, while this node leads. An interval of zero is never."""
        step = min(interval for interval in (interval_s, compaction_interval_s) if interval)
        since = 0.0
        while True:
            await asyncio.sleep(step)
            since += step
            compacted = self._replica.store.compact_revision
            due = bool(interval_s) and since >= interval_s
            fresh = bool(compaction_interval_s) and compacted != self._compared
            if self._replica.is_leader and (due or fresh):
                since = 0.0 if due else since
                self._compared = compacted
                await self.compare()

    async def compare(self) -> set[int]:
        """Compares all members at a revision that they should have, and raises the alarm; answers whom it named."""
        revision = self._replica.store.revision
        accused = find_culprits(await self._hashes(revision))
        if accused:
            accused &= find_culprits(await self._hashes(revision))
        for member in sorted(accused):
            log.error("the members' data differs", culprit=f"{member:x}" if member else "unknown", revision=revision)
            if (member, CORRUPT) not in self._replica.machine.alarms:
                request = AlarmRequest(action=AlarmRequest.ACTIVATE, memberID=member, alarm=CORRUPT)
                await self._replica.propose_duty(body(ALARM, request.SerializeToString()))
        return accused

    async def _hashes(self, revision: int) -> dict[int, HistoryHash]:
        """The checksums of all members that have one."""
        members = sorted(self._replica.members)
        asked = {
            member: self._replica.asks.ask(member, Kind.HASH, _question.pack(revision), ASK_TIMEOUT_S) for member in members
        }
        found: dict[int, HistoryHash] = {}
        for member, reply in asked.items():
            try:
                found[member] = HistoryHash(*_answer.unpack(await reply))
            except RequestError as error:  # away, behind, or further compacted: another time
                log.debug("no checksum to compare", member=f"{member:x}", reason=str(error))
        return found

    def _answer(self, question: bytes, source: int) -> Reply[bytes]:  # noqa: ARG002 (all may ask)
        if len(question) != _question.size:
            raise MalformedRequestError
        (revision,) = _question.unpack(question)
        answered: Reply[bytes] = Reply()

        def hashed(reply: Reply[HistoryHash]) -> None:
            error = reply.exception()
            if error is None:
                answered.set_result(_answer.pack(*reply.result()))
            elif isinstance(error, RequestError):
                answered.set_exception(error)
            else:
                log.error("no checksum of this member's data", reason=repr(error))
                answered.set_exception(UnavailableError("raftkv: this member's data cannot be read"))

        self._replica.read(lambda: self._replica.store.hash(revision)).add_done_callback(hashed)
        return answered


def find_culprits(hashes: Mapping[int, HistoryHash]) -> set[int]:
    """Whose data is wrong: those that differ from more than half, or NOBODY, where there is no such half."""
    same_point: dict[tuple[int, int], dict[int, int]] = {}
    for member, found in hashes.items():
        same_point.setdefault((found.revision, found.compact_revision), {})[member] = found.checksum
    culprits: set[int] = set()
    for checksums in same_point.values():
        (common, count), *others = Counter(checksums.values()).most_common()
        if not others:
            continue
        if 2 * count > len(checksums):
            culprits |= {member for member, checksum in checksums.items() if checksum != common}
        else:
            culprits.add(NOBODY)
    return culprits
