from raftkv.pb import rpc as _rpc_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UpdateRequest(_message.Message):
    __slots__ = ("prefix", "lease", "changes")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    prefix: bytes
    lease: int
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    def __init__(self, prefix: _Optional[bytes] = ..., lease: _Optional[int] = ..., changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("kind", "key", "value", "expected", "amount")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SET: _ClassVar[Change.Kind]
        ADD: _ClassVar[Change.Kind]
        COMPARE_SET: _ClassVar[Change.Kind]
        APPEND: _ClassVar[Change.Kind]
        DELETE: _ClassVar[Change.Kind]
        PUSH: _ClassVar[Change.Kind]
        POP: _ClassVar[Change.Kind]
    SET: Change.Kind
    ADD: Change.Kind
    COMPARE_SET: Change.Kind
    APPEND: Change.Kind
    DELETE: Change.Kind
    PUSH: Change.Kind
    POP: Change.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    kind: Change.Kind
    key: bytes
    value: bytes
    expected: bytes
    amount: int
    def __init__(self, kind: _Optional[_Union[Change.Kind, str]] = ..., key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., expected: _Optional[bytes] = ..., amount: _Optional[int] = ...) -> None: ...

class UpdateResponse(_message.Message):
    __slots__ = ("header", "results")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    header: _rpc_pb2.ResponseHeader
    results: _containers.RepeatedCompositeFieldContainer[ChangeResult]
    def __init__(self, header: _Optional[_Union[_rpc_pb2.ResponseHeader, _Mapping]] = ..., results: _Optional[_Iterable[_Union[ChangeResult, _Mapping]]] = ...) -> None: ...

class ChangeResult(_message.Message):
    __slots__ = ("value", "number", "item", "refused")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    value: bytes
    number: int
    item: bytes
    refused: bool
    def __init__(self, value: _Optional[bytes] = ..., number: _Optional[int] = ..., item: _Optional[bytes] = ..., refused: _Optional[bool] = ...) -> None: ...
