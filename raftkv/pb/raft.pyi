from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Hello(_message.Message):
    __slots__ = ("protocol", "cluster_id", "source", "target", "purpose", "version", "refusal", "removed")
    class Purpose(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MESSAGES: _ClassVar[Hello.Purpose]
        SNAPSHOT: _ClassVar[Hello.Purpose]
        JOIN: _ClassVar[Hello.Purpose]
    MESSAGES: Hello.Purpose
    SNAPSHOT: Hello.Purpose
    JOIN: Hello.Purpose
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    cluster_id: int
    source: int
    target: int
    purpose: Hello.Purpose
    version: str
    refusal: str
    removed: bool
    def __init__(self, protocol: _Optional[int] = ..., cluster_id: _Optional[int] = ..., source: _Optional[int] = ..., target: _Optional[int] = ..., purpose: _Optional[_Union[Hello.Purpose, str]] = ..., version: _Optional[str] = ..., refusal: _Optional[str] = ..., removed: _Optional[bool] = ...) -> None: ...

class Roster(_message.Message):
    __slots__ = ("members", "removed")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedScalarFieldContainer[bytes]
    removed: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, members: _Optional[_Iterable[bytes]] = ..., removed: _Optional[_Iterable[int]] = ...) -> None: ...

class Entries(_message.Message):
    __slots__ = ("first_index", "terms", "kinds", "data")
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    first_index: int
    terms: _containers.RepeatedScalarFieldContainer[int]
    kinds: _containers.RepeatedScalarFieldContainer[int]
    data: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, first_index: _Optional[int] = ..., terms: _Optional[_Iterable[int]] = ..., kinds: _Optional[_Iterable[int]] = ..., data: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Vote(_message.Message):
    __slots__ = ("pre_vote", "last_log_index", "last_log_term", "transfer")
    PRE_VOTE_FIELD_NUMBER: _ClassVar[int]
    LAST_LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_LOG_TERM_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    pre_vote: bool
    last_log_index: int
    last_log_term: int
    transfer: bool
    def __init__(self, pre_vote: _Optional[bool] = ..., last_log_index: _Optional[int] = ..., last_log_term: _Optional[int] = ..., transfer: _Optional[bool] = ...) -> None: ...

class VoteReply(_message.Message):
    __slots__ = ("pre_vote", "granted")
    PRE_VOTE_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    pre_vote: bool
    granted: bool
    def __init__(self, pre_vote: _Optional[bool] = ..., granted: _Optional[bool] = ...) -> None: ...

class Append(_message.Message):
    __slots__ = ("prev_index", "prev_term", "commit", "entries", "quiet")
    PREV_INDEX_FIELD_NUMBER: _ClassVar[int]
    PREV_TERM_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    QUIET_FIELD_NUMBER: _ClassVar[int]
    prev_index: int
    prev_term: int
    commit: int
    entries: Entries
    quiet: bool
    def __init__(self, prev_index: _Optional[int] = ..., prev_term: _Optional[int] = ..., commit: _Optional[int] = ..., entries: _Optional[_Union[Entries, _Mapping]] = ..., quiet: _Optional[bool] = ...) -> None: ...

class AppendReply(_message.Message):
    __slots__ = ("index", "reject", "hint_index", "hint_term")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REJECT_FIELD_NUMBER: _ClassVar[int]
    HINT_INDEX_FIELD_NUMBER: _ClassVar[int]
    HINT_TERM_FIELD_NUMBER: _ClassVar[int]
    index: int
    reject: bool
    hint_index: int
    hint_term: int
    def __init__(self, index: _Optional[int] = ..., reject: _Optional[bool] = ..., hint_index: _Optional[int] = ..., hint_term: _Optional[int] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("commit", "context")
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    commit: int
    context: bytes
    def __init__(self, commit: _Optional[int] = ..., context: _Optional[bytes] = ...) -> None: ...

class HeartbeatReply(_message.Message):
    __slots__ = ("context",)
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    context: bytes
    def __init__(self, context: _Optional[bytes] = ...) -> None: ...

class InstallSnapshot(_message.Message):
    __slots__ = ("index", "term", "membership")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIP_FIELD_NUMBER: _ClassVar[int]
    index: int
    term: int
    membership: Membership
    def __init__(self, index: _Optional[int] = ..., term: _Optional[int] = ..., membership: _Optional[_Union[Membership, _Mapping]] = ...) -> None: ...

class TimeoutNow(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReadIndex(_message.Message):
    __slots__ = ("context",)
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    context: bytes
    def __init__(self, context: _Optional[bytes] = ...) -> None: ...

class ReadIndexReply(_message.Message):
    __slots__ = ("context", "index", "reject")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REJECT_FIELD_NUMBER: _ClassVar[int]
    context: bytes
    index: int
    reject: bool
    def __init__(self, context: _Optional[bytes] = ..., index: _Optional[int] = ..., reject: _Optional[bool] = ...) -> None: ...

class Propose(_message.Message):
    __slots__ = ("kinds", "data")
    KINDS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[int]
    data: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, kinds: _Optional[_Iterable[int]] = ..., data: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("number", "kind", "body")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    number: int
    kind: int
    body: bytes
    def __init__(self, number: _Optional[int] = ..., kind: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...

class AskReply(_message.Message):
    __slots__ = ("number", "body", "code", "error")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    number: int
    body: bytes
    code: int
    error: str
    def __init__(self, number: _Optional[int] = ..., body: _Optional[bytes] = ..., code: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("source", "target", "term", "vote", "vote_reply", "append", "append_reply", "heartbeat", "heartbeat_reply", "install_snapshot", "timeout_now", "read_index", "read_index_reply", "propose", "ask", "ask_reply")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    VOTE_FIELD_NUMBER: _ClassVar[int]
    VOTE_REPLY_FIELD_NUMBER: _ClassVar[int]
    APPEND_FIELD_NUMBER: _ClassVar[int]
    APPEND_REPLY_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_REPLY_FIELD_NUMBER: _ClassVar[int]
    INSTALL_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_NOW_FIELD_NUMBER: _ClassVar[int]
    READ_INDEX_FIELD_NUMBER: _ClassVar[int]
    READ_INDEX_REPLY_FIELD_NUMBER: _ClassVar[int]
    PROPOSE_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    ASK_REPLY_FIELD_NUMBER: _ClassVar[int]
    source: int
    target: int
    term: int
    vote: Vote
    vote_reply: VoteReply
    append: Append
    append_reply: AppendReply
    heartbeat: Heartbeat
    heartbeat_reply: HeartbeatReply
    install_snapshot: InstallSnapshot
    timeout_now: TimeoutNow
    read_index: ReadIndex
    read_index_reply: ReadIndexReply
    propose: Propose
    ask: Ask
    ask_reply: AskReply
    def __init__(self, source: _Optional[int] = ..., target: _Optional[int] = ..., term: _Optional[int] = ..., vote: _Optional[_Union[Vote, _Mapping]] = ..., vote_reply: _Optional[_Union[VoteReply, _Mapping]] = ..., append: _Optional[_Union[Append, _Mapping]] = ..., append_reply: _Optional[_Union[AppendReply, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., heartbeat_reply: _Optional[_Union[HeartbeatReply, _Mapping]] = ..., install_snapshot: _Optional[_Union[InstallSnapshot, _Mapping]] = ..., timeout_now: _Optional[_Union[TimeoutNow, _Mapping]] = ..., read_index: _Optional[_Union[ReadIndex, _Mapping]] = ..., read_index_reply: _Optional[_Union[ReadIndexReply, _Mapping]] = ..., propose: _Optional[_Union[Propose, _Mapping]] = ..., ask: _Optional[_Union[Ask, _Mapping]] = ..., ask_reply: _Optional[_Union[AskReply, _Mapping]] = ...) -> None: ...

class Membership(_message.Message):
    __slots__ = ("voters", "learners")
    VOTERS_FIELD_NUMBER: _ClassVar[int]
    LEARNERS_FIELD_NUMBER: _ClassVar[int]
    voters: _containers.RepeatedScalarFieldContainer[int]
    learners: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, voters: _Optional[_Iterable[int]] = ..., learners: _Optional[_Iterable[int]] = ...) -> None: ...

class MembershipChange(_message.Message):
    __slots__ = ("kind", "node_id", "context")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ADD_VOTER: _ClassVar[MembershipChange.Kind]
        ADD_LEARNER: _ClassVar[MembershipChange.Kind]
        REMOVE: _ClassVar[MembershipChange.Kind]
    ADD_VOTER: MembershipChange.Kind
    ADD_LEARNER: MembershipChange.Kind
    REMOVE: MembershipChange.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    kind: MembershipChange.Kind
    node_id: int
    context: bytes
    def __init__(self, kind: _Optional[_Union[MembershipChange.Kind, str]] = ..., node_id: _Optional[int] = ..., context: _Optional[bytes] = ...) -> None: ...

class HardState(_message.Message):
    __slots__ = ("term", "vote", "commit")
    TERM_FIELD_NUMBER: _ClassVar[int]
    VOTE_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    term: int
    vote: int
    commit: int
    def __init__(self, term: _Optional[int] = ..., vote: _Optional[int] = ..., commit: _Optional[int] = ...) -> None: ...

class LogStart(_message.Message):
    __slots__ = ("index", "term")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    index: int
    term: int
    def __init__(self, index: _Optional[int] = ..., term: _Optional[int] = ...) -> None: ...

class SnapshotHead(_message.Message):
    __slots__ = ("index", "term", "membership", "about_bytes")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIP_FIELD_NUMBER: _ClassVar[int]
    ABOUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    index: int
    term: int
    membership: Membership
    about_bytes: int
    def __init__(self, index: _Optional[int] = ..., term: _Optional[int] = ..., membership: _Optional[_Union[Membership, _Mapping]] = ..., about_bytes: _Optional[int] = ...) -> None: ...

class SnapshotRows(_message.Message):
    __slots__ = ("table", "keys", "values", "crc32")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    CRC32_FIELD_NUMBER: _ClassVar[int]
    table: int
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    values: _containers.RepeatedScalarFieldContainer[bytes]
    crc32: int
    def __init__(self, table: _Optional[int] = ..., keys: _Optional[_Iterable[bytes]] = ..., values: _Optional[_Iterable[bytes]] = ..., crc32: _Optional[int] = ...) -> None: ...
