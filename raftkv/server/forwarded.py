"""What other nodes forward to the leader, looked at before it may stand in the log.

Whoever forwards has made sure that a command can be read (server/proposals.py). But a node may be broken, of a later version, or in
the wrong hands; and what no replica can carry out would stop them all, at every start. So the leader looks once more, and takes
nothing that it cannot read, that it does not know, or that only the leader itself may write: changes of the members, and refusals.
Such a proposal is left out alone; its proposer hears nothing, as of any that was lost.
"""

import structlog
from google.protobuf.message import DecodeError

from raftkv.apply.command import plain_put
from raftkv.pb.command import ChangeMember, Command
from raftkv.raft.messages import EntryKind, Propose

log = structlog.get_logger(__name__)

_ACTIONS = frozenset(ChangeMember.Action.values())


def without_nonsense(message: Propose) -> Propose:
    """The message with those proposals only that may stand in the log as they are: itself, nearly always."""
    good = [proposal for proposal in message.proposals if _is_command(*proposal)]
    if len(good) == len(message.proposals):
        return message
    dropped = len(message.proposals) - len(good)
    log.warning("a peer forwards proposals that cannot be carried out", peer=f"{message.source:x}", count=dropped)
    return Propose(message.source, message.target, message.term, tuple(good))


def is_change(data: bytes) -> bool:
    """Whether a forwarded change of the members can be read, and asks for one that there is."""
    command = _read(data)
    return command is not None and command.WhichOneof("body") == "change_member" and command.change_member.action in _ACTIONS


def _is_command(kind: EntryKind, data: bytes) -> bool:
    if kind != EntryKind.NORMAL or not data:
        return False
    if plain_put(data) is not None:
        return True
    command = _read(data)
    return command is not None and command.WhichOneof("body") not in {None, "change_member"}


def _read(data: bytes) -> Command | None:
    """The command, unless it cannot be read or is refused already."""
    try:
        command = Command.FromString(data)
    except DecodeError:
        return None
    return None if command.refusal else command
