"""Alarms: which member raised which, and what they forbid.

    NOSPACE   nothing that puts; deletions and compactions make room
    CORRUPT   nothing at all but alarms

Alarms are raised and put down through the log, so all replicas refuse the same requests; whether a quota is used up is
never decided here. As in etcd an alarm belongs to the member id that the request names, zero included, whoever sent it.
"""

from raftkv.pb.rpc import CORRUPT, NONE, NOSPACE, AlarmMember, AlarmRequest, AlarmResponse, AlarmType
from raftkv.storage.engine import Table
from raftkv.storage.overlay import Overlay

_PREFIX = b"alarm/"
_END = b"alarm0"
_ALARMS = (NOSPACE, CORRUPT)


class Alarms:
    """The alarms that are up. Each is a row of STATE: `alarm/`, member id u64, type u8."""

    def __init__(self, state: Overlay) -> None:
        self._state = state
        self.raised: set[tuple[int, int]] = set()
        """(member id, alarm type)."""
        self.no_space = False
        self.corrupt = False

    def load(self) -> None:
        """Takes up what the table holds."""
        rows = [row.removeprefix(_PREFIX) for row, _ in self._state.scan(Table.STATE, _PREFIX, _END)]
        self.raised = {(int.from_bytes(row[:8], "big"), row[8]) for row in rows}
        self._settle()

    def apply(self, request: AlarmRequest, revision: int) -> AlarmResponse:
        """Answers with the alarms asked for, or with the one that was raised or put down, if any. Unknown actions and types
        do nothing.
        """
        response = AlarmResponse()
        response.header.revision = revision
        named = (request.memberID, int(request.alarm))
        chosen: list[tuple[int, int]] = []
        match request.action:
            case AlarmRequest.GET:
                chosen = sorted(alarm for alarm in self.raised if request.alarm in {NONE, alarm[1]})
            case AlarmRequest.ACTIVATE if request.alarm in _ALARMS:
                self._raise(named)
                chosen = [named]
            case AlarmRequest.DEACTIVATE if named in self.raised:
                self._put_down(named)
                chosen = [named]
        response.alarms.extend([AlarmMember(memberID=member, alarm=AlarmType.Name(kind)) for member, kind in chosen])
        return response

    def put_all_down(self) -> None:
        """Forgets all alarms: those whom they were about are no members any more."""
        for alarm in sorted(self.raised):
            self._put_down(alarm)

    def _raise(self, alarm: tuple[int, int]) -> None:
        self._state.put(Table.STATE, _row(alarm), b"")
        self.raised.add(alarm)
        self._settle()

    def _put_down(self, alarm: tuple[int, int]) -> None:
        self._state.delete(Table.STATE, _row(alarm))
        self.raised.discard(alarm)
        self._settle()

    def _settle(self) -> None:
        kinds = {kind for _, kind in self.raised}
        self.no_space, self.corrupt = NOSPACE in kinds, CORRUPT in kinds


def _row(alarm: tuple[int, int]) -> bytes:
    member, kind = alarm
    return _PREFIX + member.to_bytes(8, "big") + kind.to_bytes(1, "big")
