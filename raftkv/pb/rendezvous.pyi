from raftkv.pb import rpc as _rpc_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NO_JOB: _ClassVar[Phase]
    GATHERING: _ClassVar[Phase]
    FORMED: _ClassVar[Phase]
    CLOSED: _ClassVar[Phase]

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NO_ROLE: _ClassVar[Role]
    READY: _ClassVar[Role]
    SURVIVOR: _ClassVar[Role]
    MEMBER: _ClassVar[Role]
    WAITING: _ClassVar[Role]
    SPARE: _ClassVar[Role]
    DONE: _ClassVar[Role]
    EXCLUDED: _ClassVar[Role]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNDECIDED: _ClassVar[Outcome]
    SUCCEEDED: _ClassVar[Outcome]
    FAILED: _ClassVar[Outcome]
    CANCELED: _ClassVar[Outcome]

class RankOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STABLE: _ClassVar[RankOrder]
    NATURAL: _ClassVar[RankOrder]
    TOPOLOGY: _ClassVar[RankOrder]
NO_JOB: Phase
GATHERING: Phase
FORMED: Phase
CLOSED: Phase
NO_ROLE: Role
READY: Role
SURVIVOR: Role
MEMBER: Role
WAITING: Role
SPARE: Role
DONE: Role
EXCLUDED: Role
UNDECIDED: Outcome
SUCCEEDED: Outcome
FAILED: Outcome
CANCELED: Outcome
STABLE: RankOrder
NATURAL: RankOrder
TOPOLOGY: RankOrder

class JobSettings(_message.Message):
    __slots__ = ("min_nodes", "max_nodes", "last_call_ms", "gather_timeout_ms", "max_restarts", "max_rounds_without_progress", "max_node_failures", "cool_down_ms", "rank_order", "keep_checkpoints", "hang_timeout_ms", "hang_factor", "restart_hung")
    MIN_NODES_FIELD_NUMBER: _ClassVar[int]
    MAX_NODES_FIELD_NUMBER: _ClassVar[int]
    LAST_CALL_MS_FIELD_NUMBER: _ClassVar[int]
    GATHER_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_RESTARTS_FIELD_NUMBER: _ClassVar[int]
    MAX_ROUNDS_WITHOUT_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    MAX_NODE_FAILURES_FIELD_NUMBER: _ClassVar[int]
    COOL_DOWN_MS_FIELD_NUMBER: _ClassVar[int]
    RANK_ORDER_FIELD_NUMBER: _ClassVar[int]
    KEEP_CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    HANG_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    HANG_FACTOR_FIELD_NUMBER: _ClassVar[int]
    RESTART_HUNG_FIELD_NUMBER: _ClassVar[int]
    min_nodes: int
    max_nodes: int
    last_call_ms: int
    gather_timeout_ms: int
    max_restarts: int
    max_rounds_without_progress: int
    max_node_failures: int
    cool_down_ms: int
    rank_order: RankOrder
    keep_checkpoints: int
    hang_timeout_ms: int
    hang_factor: int
    restart_hung: bool
    def __init__(self, min_nodes: _Optional[int] = ..., max_nodes: _Optional[int] = ..., last_call_ms: _Optional[int] = ..., gather_timeout_ms: _Optional[int] = ..., max_restarts: _Optional[int] = ..., max_rounds_without_progress: _Optional[int] = ..., max_node_failures: _Optional[int] = ..., cool_down_ms: _Optional[int] = ..., rank_order: _Optional[_Union[RankOrder, str]] = ..., keep_checkpoints: _Optional[int] = ..., hang_timeout_ms: _Optional[int] = ..., hang_factor: _Optional[int] = ..., restart_hung: _Optional[bool] = ...) -> None: ...

class JoinRequest(_message.Message):
    __slots__ = ("job", "node", "incarnation", "lease", "after_token", "settings", "address", "data", "segments", "slot")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    AFTER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    incarnation: str
    lease: int
    after_token: int
    settings: JobSettings
    address: str
    data: str
    segments: _containers.RepeatedScalarFieldContainer[str]
    slot: int
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ..., incarnation: _Optional[str] = ..., lease: _Optional[int] = ..., after_token: _Optional[int] = ..., settings: _Optional[_Union[JobSettings, _Mapping]] = ..., address: _Optional[str] = ..., data: _Optional[str] = ..., segments: _Optional[_Iterable[str]] = ..., slot: _Optional[int] = ...) -> None: ...

class LeaveRequest(_message.Message):
    __slots__ = ("job", "node", "incarnation", "reason")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    incarnation: str
    reason: str
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ..., incarnation: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ReportRequest(_message.Message):
    __slots__ = ("job", "node", "token", "kind", "step", "reason")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PROGRESS: _ClassVar[ReportRequest.Kind]
        SUCCESS: _ClassVar[ReportRequest.Kind]
        FAILURE: _ClassVar[ReportRequest.Kind]
        FATAL: _ClassVar[ReportRequest.Kind]
    PROGRESS: ReportRequest.Kind
    SUCCESS: ReportRequest.Kind
    FAILURE: ReportRequest.Kind
    FATAL: ReportRequest.Kind
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    token: int
    kind: ReportRequest.Kind
    step: int
    reason: str
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ..., token: _Optional[int] = ..., kind: _Optional[_Union[ReportRequest.Kind, str]] = ..., step: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CloseRequest(_message.Message):
    __slots__ = ("job", "outcome", "reason")
    JOB_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    job: str
    outcome: Outcome
    reason: str
    def __init__(self, job: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class RemoveRequest(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: str
    def __init__(self, job: _Optional[str] = ...) -> None: ...

class ExcludeRequest(_message.Message):
    __slots__ = ("job", "node", "reason", "cool_down_ms")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COOL_DOWN_MS_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    reason: str
    cool_down_ms: int
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ..., reason: _Optional[str] = ..., cool_down_ms: _Optional[int] = ...) -> None: ...

class ReadmitRequest(_message.Message):
    __slots__ = ("job", "node")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ...) -> None: ...

class PreemptRequest(_message.Message):
    __slots__ = ("job", "node", "reason")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    reason: str
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class AcknowledgePreemptionRequest(_message.Message):
    __slots__ = ("job", "node", "token", "step", "worker", "workers", "leaving")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    token: int
    step: int
    worker: int
    workers: int
    leaving: bool
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ..., token: _Optional[int] = ..., step: _Optional[int] = ..., worker: _Optional[int] = ..., workers: _Optional[int] = ..., leaving: _Optional[bool] = ...) -> None: ...

class BarrierRequest(_message.Message):
    __slots__ = ("job", "node", "token", "name", "nodes", "timeout_ms")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    token: int
    name: str
    nodes: _containers.RepeatedScalarFieldContainer[str]
    timeout_ms: int
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ..., token: _Optional[int] = ..., name: _Optional[str] = ..., nodes: _Optional[_Iterable[str]] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class BarrierResponse(_message.Message):
    __slots__ = ("header", "outcome", "missing", "reason", "missing_ranks")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PASSED: _ClassVar[BarrierResponse.Outcome]
        TIMED_OUT: _ClassVar[BarrierResponse.Outcome]
        CANCELED: _ClassVar[BarrierResponse.Outcome]
    PASSED: BarrierResponse.Outcome
    TIMED_OUT: BarrierResponse.Outcome
    CANCELED: BarrierResponse.Outcome
    HEADER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MISSING_RANKS_FIELD_NUMBER: _ClassVar[int]
    header: _rpc_pb2.ResponseHeader
    outcome: BarrierResponse.Outcome
    missing: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    missing_ranks: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, header: _Optional[_Union[_rpc_pb2.ResponseHeader, _Mapping]] = ..., outcome: _Optional[_Union[BarrierResponse.Outcome, str]] = ..., missing: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., missing_ranks: _Optional[_Iterable[int]] = ...) -> None: ...

class BarriersRequest(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: str
    def __init__(self, job: _Optional[str] = ...) -> None: ...

class BarrierState(_message.Message):
    __slots__ = ("name", "decided", "outcome", "expected", "arrived", "missing", "missing_ranks", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    MISSING_RANKS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    decided: bool
    outcome: BarrierResponse.Outcome
    expected: int
    arrived: int
    missing: _containers.RepeatedScalarFieldContainer[str]
    missing_ranks: _containers.RepeatedScalarFieldContainer[int]
    reason: str
    def __init__(self, name: _Optional[str] = ..., decided: _Optional[bool] = ..., outcome: _Optional[_Union[BarrierResponse.Outcome, str]] = ..., expected: _Optional[int] = ..., arrived: _Optional[int] = ..., missing: _Optional[_Iterable[str]] = ..., missing_ranks: _Optional[_Iterable[int]] = ..., reason: _Optional[str] = ...) -> None: ...

class BarriersResponse(_message.Message):
    __slots__ = ("header", "token", "barriers")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    BARRIERS_FIELD_NUMBER: _ClassVar[int]
    header: _rpc_pb2.ResponseHeader
    token: int
    barriers: _containers.RepeatedCompositeFieldContainer[BarrierState]
    def __init__(self, header: _Optional[_Union[_rpc_pb2.ResponseHeader, _Mapping]] = ..., token: _Optional[int] = ..., barriers: _Optional[_Iterable[_Union[BarrierState, _Mapping]]] = ...) -> None: ...

class CancelBarrierRequest(_message.Message):
    __slots__ = ("job", "token", "name", "reason")
    JOB_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    job: str
    token: int
    name: str
    reason: str
    def __init__(self, job: _Optional[str] = ..., token: _Optional[int] = ..., name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class AnnounceRequest(_message.Message):
    __slots__ = ("job", "node", "token", "step", "location", "data")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    token: int
    step: int
    location: str
    data: str
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ..., token: _Optional[int] = ..., step: _Optional[int] = ..., location: _Optional[str] = ..., data: _Optional[str] = ...) -> None: ...

class CheckpointsRequest(_message.Message):
    __slots__ = ("job", "latest", "shards")
    JOB_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    job: str
    latest: bool
    shards: bool
    def __init__(self, job: _Optional[str] = ..., latest: _Optional[bool] = ..., shards: _Optional[bool] = ...) -> None: ...

class CheckpointShard(_message.Message):
    __slots__ = ("rank", "node", "location", "data")
    RANK_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    rank: int
    node: str
    location: str
    data: str
    def __init__(self, rank: _Optional[int] = ..., node: _Optional[str] = ..., location: _Optional[str] = ..., data: _Optional[str] = ...) -> None: ...

class Checkpoint(_message.Message):
    __slots__ = ("step", "round", "token", "world_size", "shards")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    WORLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    step: int
    round: int
    token: int
    world_size: int
    shards: _containers.RepeatedCompositeFieldContainer[CheckpointShard]
    def __init__(self, step: _Optional[int] = ..., round: _Optional[int] = ..., token: _Optional[int] = ..., world_size: _Optional[int] = ..., shards: _Optional[_Iterable[_Union[CheckpointShard, _Mapping]]] = ...) -> None: ...

class CheckpointsResponse(_message.Message):
    __slots__ = ("header", "checkpoints")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    header: _rpc_pb2.ResponseHeader
    checkpoints: _containers.RepeatedCompositeFieldContainer[Checkpoint]
    def __init__(self, header: _Optional[_Union[_rpc_pb2.ResponseHeader, _Mapping]] = ..., checkpoints: _Optional[_Iterable[_Union[Checkpoint, _Mapping]]] = ...) -> None: ...

class LookRequest(_message.Message):
    __slots__ = ("job", "node")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ...) -> None: ...

class Preemption(_message.Message):
    __slots__ = ("node", "reason", "agreed", "stop_step", "answers")
    NODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AGREED_FIELD_NUMBER: _ClassVar[int]
    STOP_STEP_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    node: str
    reason: str
    agreed: bool
    stop_step: int
    answers: int
    def __init__(self, node: _Optional[str] = ..., reason: _Optional[str] = ..., agreed: _Optional[bool] = ..., stop_step: _Optional[int] = ..., answers: _Optional[int] = ...) -> None: ...

class Hang(_message.Message):
    __slots__ = ("nodes", "workers", "whole_job", "step", "still_ms")
    NODES_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    WHOLE_JOB_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STILL_MS_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedScalarFieldContainer[str]
    workers: int
    whole_job: bool
    step: int
    still_ms: int
    def __init__(self, nodes: _Optional[_Iterable[str]] = ..., workers: _Optional[int] = ..., whole_job: _Optional[bool] = ..., step: _Optional[int] = ..., still_ms: _Optional[int] = ...) -> None: ...

class Standing(_message.Message):
    __slots__ = ("job", "phase", "round", "token", "role", "rank", "world_size", "master_node", "master_address", "master_data", "ready", "waiting", "spares", "reason", "outcome", "restarts", "step", "preemption", "settings", "awaited", "hang")
    JOB_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    WORLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    MASTER_NODE_FIELD_NUMBER: _ClassVar[int]
    MASTER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MASTER_DATA_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    SPARES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    PREEMPTION_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    AWAITED_FIELD_NUMBER: _ClassVar[int]
    HANG_FIELD_NUMBER: _ClassVar[int]
    job: str
    phase: Phase
    round: int
    token: int
    role: Role
    rank: int
    world_size: int
    master_node: str
    master_address: str
    master_data: str
    ready: int
    waiting: int
    spares: int
    reason: str
    outcome: Outcome
    restarts: int
    step: int
    preemption: Preemption
    settings: JobSettings
    awaited: int
    hang: Hang
    def __init__(self, job: _Optional[str] = ..., phase: _Optional[_Union[Phase, str]] = ..., round: _Optional[int] = ..., token: _Optional[int] = ..., role: _Optional[_Union[Role, str]] = ..., rank: _Optional[int] = ..., world_size: _Optional[int] = ..., master_node: _Optional[str] = ..., master_address: _Optional[str] = ..., master_data: _Optional[str] = ..., ready: _Optional[int] = ..., waiting: _Optional[int] = ..., spares: _Optional[int] = ..., reason: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., restarts: _Optional[int] = ..., step: _Optional[int] = ..., preemption: _Optional[_Union[Preemption, _Mapping]] = ..., settings: _Optional[_Union[JobSettings, _Mapping]] = ..., awaited: _Optional[int] = ..., hang: _Optional[_Union[Hang, _Mapping]] = ...) -> None: ...

class RendezvousResponse(_message.Message):
    __slots__ = ("header", "standing")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    header: _rpc_pb2.ResponseHeader
    standing: Standing
    def __init__(self, header: _Optional[_Union[_rpc_pb2.ResponseHeader, _Mapping]] = ..., standing: _Optional[_Union[Standing, _Mapping]] = ...) -> None: ...

class WorldRequest(_message.Message):
    __slots__ = ("job", "round")
    JOB_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    job: str
    round: int
    def __init__(self, job: _Optional[str] = ..., round: _Optional[int] = ...) -> None: ...

class WorldNode(_message.Message):
    __slots__ = ("node", "address", "segments", "done")
    NODE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    node: str
    address: str
    segments: _containers.RepeatedScalarFieldContainer[str]
    done: bool
    def __init__(self, node: _Optional[str] = ..., address: _Optional[str] = ..., segments: _Optional[_Iterable[str]] = ..., done: _Optional[bool] = ...) -> None: ...

class WorldResponse(_message.Message):
    __slots__ = ("header", "round", "token", "nodes")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    header: _rpc_pb2.ResponseHeader
    round: int
    token: int
    nodes: _containers.RepeatedCompositeFieldContainer[WorldNode]
    def __init__(self, header: _Optional[_Union[_rpc_pb2.ResponseHeader, _Mapping]] = ..., round: _Optional[int] = ..., token: _Optional[int] = ..., nodes: _Optional[_Iterable[_Union[WorldNode, _Mapping]]] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListResponse(_message.Message):
    __slots__ = ("header", "jobs")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    header: _rpc_pb2.ResponseHeader
    jobs: _containers.RepeatedCompositeFieldContainer[Standing]
    def __init__(self, header: _Optional[_Union[_rpc_pb2.ResponseHeader, _Mapping]] = ..., jobs: _Optional[_Iterable[_Union[Standing, _Mapping]]] = ...) -> None: ...

class StepMemory(_message.Message):
    __slots__ = ("step_seconds", "work_seconds", "usual_seconds")
    STEP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WORK_SECONDS_FIELD_NUMBER: _ClassVar[int]
    USUAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    step_seconds: float
    work_seconds: float
    usual_seconds: float
    def __init__(self, step_seconds: _Optional[float] = ..., work_seconds: _Optional[float] = ..., usual_seconds: _Optional[float] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("job", "node", "token", "worker", "workers", "step", "step_seconds", "work_seconds", "paused", "memory")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WORK_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    token: int
    worker: int
    workers: int
    step: int
    step_seconds: float
    work_seconds: float
    paused: bool
    memory: StepMemory
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ..., token: _Optional[int] = ..., worker: _Optional[int] = ..., workers: _Optional[int] = ..., step: _Optional[int] = ..., step_seconds: _Optional[float] = ..., work_seconds: _Optional[float] = ..., paused: _Optional[bool] = ..., memory: _Optional[_Union[StepMemory, _Mapping]] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("again_ms", "memory", "relative_score", "individual_score")
    AGAIN_MS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_SCORE_FIELD_NUMBER: _ClassVar[int]
    INDIVIDUAL_SCORE_FIELD_NUMBER: _ClassVar[int]
    again_ms: int
    memory: StepMemory
    relative_score: float
    individual_score: float
    def __init__(self, again_ms: _Optional[int] = ..., memory: _Optional[_Union[StepMemory, _Mapping]] = ..., relative_score: _Optional[float] = ..., individual_score: _Optional[float] = ...) -> None: ...

class StepsRequest(_message.Message):
    __slots__ = ("job", "limit", "interval_ms")
    JOB_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    job: str
    limit: int
    interval_ms: int
    def __init__(self, job: _Optional[str] = ..., limit: _Optional[int] = ..., interval_ms: _Optional[int] = ...) -> None: ...

class WorkerSteps(_message.Message):
    __slots__ = ("node", "worker", "rank", "step", "step_seconds", "work_seconds", "score", "relative_score", "individual_score", "straggler", "hung", "still_seconds", "silent_seconds")
    NODE_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WORK_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_SCORE_FIELD_NUMBER: _ClassVar[int]
    INDIVIDUAL_SCORE_FIELD_NUMBER: _ClassVar[int]
    STRAGGLER_FIELD_NUMBER: _ClassVar[int]
    HUNG_FIELD_NUMBER: _ClassVar[int]
    STILL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SILENT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    node: str
    worker: int
    rank: int
    step: int
    step_seconds: float
    work_seconds: float
    score: float
    relative_score: float
    individual_score: float
    straggler: bool
    hung: bool
    still_seconds: float
    silent_seconds: float
    def __init__(self, node: _Optional[str] = ..., worker: _Optional[int] = ..., rank: _Optional[int] = ..., step: _Optional[int] = ..., step_seconds: _Optional[float] = ..., work_seconds: _Optional[float] = ..., score: _Optional[float] = ..., relative_score: _Optional[float] = ..., individual_score: _Optional[float] = ..., straggler: _Optional[bool] = ..., hung: _Optional[bool] = ..., still_seconds: _Optional[float] = ..., silent_seconds: _Optional[float] = ...) -> None: ...

class JobSteps(_message.Message):
    __slots__ = ("job", "token", "workers", "lowest_step", "highest_step", "step_seconds", "stragglers", "hung", "each", "working_seconds", "lost_seconds", "failures")
    JOB_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    LOWEST_STEP_FIELD_NUMBER: _ClassVar[int]
    HIGHEST_STEP_FIELD_NUMBER: _ClassVar[int]
    STEP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    STRAGGLERS_FIELD_NUMBER: _ClassVar[int]
    HUNG_FIELD_NUMBER: _ClassVar[int]
    EACH_FIELD_NUMBER: _ClassVar[int]
    WORKING_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LOST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    job: str
    token: int
    workers: int
    lowest_step: int
    highest_step: int
    step_seconds: float
    stragglers: int
    hung: int
    each: _containers.RepeatedCompositeFieldContainer[WorkerSteps]
    working_seconds: float
    lost_seconds: float
    failures: int
    def __init__(self, job: _Optional[str] = ..., token: _Optional[int] = ..., workers: _Optional[int] = ..., lowest_step: _Optional[int] = ..., highest_step: _Optional[int] = ..., step_seconds: _Optional[float] = ..., stragglers: _Optional[int] = ..., hung: _Optional[int] = ..., each: _Optional[_Iterable[_Union[WorkerSteps, _Mapping]]] = ..., working_seconds: _Optional[float] = ..., lost_seconds: _Optional[float] = ..., failures: _Optional[int] = ...) -> None: ...

class StepsResponse(_message.Message):
    __slots__ = ("header", "jobs")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    header: _rpc_pb2.ResponseHeader
    jobs: _containers.RepeatedCompositeFieldContainer[JobSteps]
    def __init__(self, header: _Optional[_Union[_rpc_pb2.ResponseHeader, _Mapping]] = ..., jobs: _Optional[_Iterable[_Union[JobSteps, _Mapping]]] = ...) -> None: ...

class Heartbeats(_message.Message):
    __slots__ = ("each",)
    EACH_FIELD_NUMBER: _ClassVar[int]
    each: _containers.RepeatedCompositeFieldContainer[HeartbeatRequest]
    def __init__(self, each: _Optional[_Iterable[_Union[HeartbeatRequest, _Mapping]]] = ...) -> None: ...

class HeartbeatAnswer(_message.Message):
    __slots__ = ("response", "code", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: HeartbeatResponse
    code: int
    error: str
    def __init__(self, response: _Optional[_Union[HeartbeatResponse, _Mapping]] = ..., code: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class HeartbeatAnswers(_message.Message):
    __slots__ = ("each",)
    EACH_FIELD_NUMBER: _ClassVar[int]
    each: _containers.RepeatedCompositeFieldContainer[HeartbeatAnswer]
    def __init__(self, each: _Optional[_Iterable[_Union[HeartbeatAnswer, _Mapping]]] = ...) -> None: ...

class JobChange(_message.Message):
    __slots__ = ("join", "leave", "report", "close", "remove", "exclude", "readmit", "preempt", "acknowledge_preemption", "barrier", "cancel_barrier", "announce")
    JOIN_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    READMIT_FIELD_NUMBER: _ClassVar[int]
    PREEMPT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_PREEMPTION_FIELD_NUMBER: _ClassVar[int]
    BARRIER_FIELD_NUMBER: _ClassVar[int]
    CANCEL_BARRIER_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCE_FIELD_NUMBER: _ClassVar[int]
    join: JoinRequest
    leave: LeaveRequest
    report: ReportRequest
    close: CloseRequest
    remove: RemoveRequest
    exclude: ExcludeRequest
    readmit: ReadmitRequest
    preempt: PreemptRequest
    acknowledge_preemption: AcknowledgePreemptionRequest
    barrier: BarrierRequest
    cancel_barrier: CancelBarrierRequest
    announce: AnnounceRequest
    def __init__(self, join: _Optional[_Union[JoinRequest, _Mapping]] = ..., leave: _Optional[_Union[LeaveRequest, _Mapping]] = ..., report: _Optional[_Union[ReportRequest, _Mapping]] = ..., close: _Optional[_Union[CloseRequest, _Mapping]] = ..., remove: _Optional[_Union[RemoveRequest, _Mapping]] = ..., exclude: _Optional[_Union[ExcludeRequest, _Mapping]] = ..., readmit: _Optional[_Union[ReadmitRequest, _Mapping]] = ..., preempt: _Optional[_Union[PreemptRequest, _Mapping]] = ..., acknowledge_preemption: _Optional[_Union[AcknowledgePreemptionRequest, _Mapping]] = ..., barrier: _Optional[_Union[BarrierRequest, _Mapping]] = ..., cancel_barrier: _Optional[_Union[CancelBarrierRequest, _Mapping]] = ..., announce: _Optional[_Union[AnnounceRequest, _Mapping]] = ...) -> None: ...

class JobTimeouts(_message.Message):
    __slots__ = ("term", "timers", "hangs")
    TERM_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIELD_NUMBER: _ClassVar[int]
    HANGS_FIELD_NUMBER: _ClassVar[int]
    term: int
    timers: _containers.RepeatedCompositeFieldContainer[JobTimer]
    hangs: _containers.RepeatedCompositeFieldContainer[JobHang]
    def __init__(self, term: _Optional[int] = ..., timers: _Optional[_Iterable[_Union[JobTimer, _Mapping]]] = ..., hangs: _Optional[_Iterable[_Union[JobHang, _Mapping]]] = ...) -> None: ...

class JobHang(_message.Message):
    __slots__ = ("job", "token", "hang")
    JOB_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    HANG_FIELD_NUMBER: _ClassVar[int]
    job: str
    token: int
    hang: Hang
    def __init__(self, job: _Optional[str] = ..., token: _Optional[int] = ..., hang: _Optional[_Union[Hang, _Mapping]] = ...) -> None: ...

class JobTimer(_message.Message):
    __slots__ = ("job", "kind", "subject", "number")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        LAST_CALL: _ClassVar[JobTimer.Kind]
        GATHER: _ClassVar[JobTimer.Kind]
        COOL_DOWN: _ClassVar[JobTimer.Kind]
        BARRIER: _ClassVar[JobTimer.Kind]
    LAST_CALL: JobTimer.Kind
    GATHER: JobTimer.Kind
    COOL_DOWN: JobTimer.Kind
    BARRIER: JobTimer.Kind
    JOB_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    job: str
    kind: JobTimer.Kind
    subject: str
    number: int
    def __init__(self, job: _Optional[str] = ..., kind: _Optional[_Union[JobTimer.Kind, str]] = ..., subject: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...
