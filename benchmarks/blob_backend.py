"""torch's own rendezvous with its state in etcd: the least that works, one blob that every member compares and swaps."""

from typing import Any

from torch.distributed.elastic.rendezvous import RendezvousConnectionError
from torch.distributed.elastic.rendezvous.dynamic_rendezvous import RendezvousBackend

from raftkv.client import BlockingClient, Get, ModRevision, Put
from raftkv.errors import RaftKVError

State = tuple[bytes, Any]
"""The blob, and the revision that it was written at."""


class BlobBackend(RendezvousBackend):  # type: ignore[misc]  # torch is not there when types are checked
    """What torch asks of a place for its state."""

    def __init__(self, endpoints: str, run_id: str) -> None:
        self._client = BlockingClient(endpoints, timeout=60.0)
        self._key = f"rendezvous/{run_id}"

    @property
    def name(self) -> str:
        return "etcd-blob"

    def get_state(self) -> State | None:
        try:
            found = self._client.get(self._key)
        except RaftKVError as error:
            raise RendezvousConnectionError(str(error)) from error
        return None if found is None else (found.value, found.mod_revision)

    def set_state(self, state: bytes, token: Any | None = None) -> tuple[bytes, Any, bool] | None:
        expected = ModRevision(self._key) == (token or 0)  # 0: there is none yet
        try:
            answer = self._client.txn(compare=[expected], success=[Put(self._key, state)], failure=[Get(self._key)])
        except RaftKVError as error:
            raise RendezvousConnectionError(str(error)) from error
        if answer.succeeded:
            return state, answer.header.revision, True
        found = answer.responses[0].response_range.kvs
        return (found[0].value, found[0].mod_revision, False) if found else None
