from raftkv.pb import torchft as _torchft_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FormQuorum(_message.Message):
    __slots__ = ("term", "job", "participants", "tickets", "created_ns")
    TERM_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    TICKETS_FIELD_NUMBER: _ClassVar[int]
    CREATED_NS_FIELD_NUMBER: _ClassVar[int]
    term: int
    job: str
    participants: _containers.RepeatedCompositeFieldContainer[_torchft_pb2.QuorumMember]
    tickets: _containers.RepeatedScalarFieldContainer[int]
    created_ns: int
    def __init__(self, term: _Optional[int] = ..., job: _Optional[str] = ..., participants: _Optional[_Iterable[_Union[_torchft_pb2.QuorumMember, _Mapping]]] = ..., tickets: _Optional[_Iterable[int]] = ..., created_ns: _Optional[int] = ...) -> None: ...

class WaitingCall(_message.Message):
    __slots__ = ("ticket", "job", "age_ms", "member")
    TICKET_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    ticket: int
    job: str
    age_ms: int
    member: _torchft_pb2.QuorumMember
    def __init__(self, ticket: _Optional[int] = ..., job: _Optional[str] = ..., age_ms: _Optional[int] = ..., member: _Optional[_Union[_torchft_pb2.QuorumMember, _Mapping]] = ...) -> None: ...

class GroupHeartbeats(_message.Message):
    __slots__ = ("job", "replica_ids")
    JOB_FIELD_NUMBER: _ClassVar[int]
    REPLICA_IDS_FIELD_NUMBER: _ClassVar[int]
    job: str
    replica_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, job: _Optional[str] = ..., replica_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class LighthouseNews(_message.Message):
    __slots__ = ("whole", "waiting", "heartbeats")
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_FIELD_NUMBER: _ClassVar[int]
    whole: bool
    waiting: _containers.RepeatedCompositeFieldContainer[WaitingCall]
    heartbeats: _containers.RepeatedCompositeFieldContainer[GroupHeartbeats]
    def __init__(self, whole: _Optional[bool] = ..., waiting: _Optional[_Iterable[_Union[WaitingCall, _Mapping]]] = ..., heartbeats: _Optional[_Iterable[_Union[GroupHeartbeats, _Mapping]]] = ...) -> None: ...

class LighthouseAnswers(_message.Message):
    __slots__ = ("answers", "refused")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[LighthouseAnswer]
    refused: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, answers: _Optional[_Iterable[_Union[LighthouseAnswer, _Mapping]]] = ..., refused: _Optional[_Iterable[int]] = ...) -> None: ...

class LighthouseAnswer(_message.Message):
    __slots__ = ("tickets", "response")
    TICKETS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    tickets: _containers.RepeatedScalarFieldContainer[int]
    response: bytes
    def __init__(self, tickets: _Optional[_Iterable[int]] = ..., response: _Optional[bytes] = ...) -> None: ...
