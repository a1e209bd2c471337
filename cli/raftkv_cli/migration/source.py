"""The old cluster, of which nothing is asked but reads."""

from collections.abc import Iterator, Sequence

from raftkv.client import Client
from raftkv.client.transaction import Get
from raftkv.pb import kv, rpc
from raftkv_cli.migration.plan import Known

PAGE_KEYS = 5000
VALUES_AT_ONCE = 64


class Source:
    """Reads of an etcd, or a raftkv."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def now(self) -> rpc.ResponseHeader:
        """The cluster and its revision, as of now."""
        return (await self.client.range(b"\0", limit=1, keys_only=True)).header

    async def keys(self, revision: int) -> list[Known]:
        """All keys as of a revision, without their values."""
        found: list[Known] = []
        first = b"\0"
        while True:
            page = await self.client.range(first, from_key=True, revision=revision, limit=PAGE_KEYS, keys_only=True)
            found += [Known(one.key, one.create_revision, one.mod_revision) for one in page.kvs]
            if not page.more:
                return found
            first = page.kvs[-1].key + b"\0"

    async def values(self, keys: Sequence[bytes], revision: int) -> dict[bytes, kv.KeyValue]:
        """Keys with their values, as of a revision."""
        found: dict[bytes, kv.KeyValue] = {}
        for some in _in_pieces(keys):
            answer = await self.client.txn(success=[Get(key, revision=revision) for key in some])
            found |= {one.key: one for response in answer.responses for one in response.response_range.kvs}
        return found


def _in_pieces(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for first in range(0, len(keys), VALUES_AT_ONCE):
        yield keys[first : first + VALUES_AT_ONCE]
