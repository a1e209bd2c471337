"""Transactions on lists: read some keys, append to some, all or nothing, by comparing what was read when writing.

The values of a list tell the order of the writes, so cycles in who saw what can be found (raftkv_jepsen.transactions).
"""

from raftkv_chaos.sim.clients.client import Client
from raftkv_chaos.sim.recorder import Recorder

KEYS = 3


class Appender(Client):
    """One transaction a turn. What it asks the store is in the history of the store; the transaction is in one of its own."""

    kind = "append"
    lists: Recorder

    async def act(self) -> None:
        keys = self.dice.sample(range(KEYS), self.dice.randint(1, 2))
        writes = {key: self.number * 100_000 + self._next() for key in keys if self.dice.random() < 0.7}
        steps = [["r", key, None] for key in keys] + [["append", key, value] for key, value in writes.items()]
        process = self.process
        self.lists.note("invoke", process, "txn", steps)
        reads = tuple(("range", {"key": _name(key)}) for key in keys)
        found = await self.do("txn", {"compare": (), "success": reads, "failure": ()})
        if found is None or "responses" not in found:
            self.lists.note("fail", process, "txn", steps)
            return
        rows = [each["kvs"][0] if each["kvs"] else None for each in found["responses"]]
        seen = {key: _numbers(row[1]) if row else [] for key, row in zip(keys, rows, strict=True)}
        done = [["r", key, seen[key]] for key in keys] + [["append", key, value] for key, value in writes.items()]
        if not writes:
            self.lists.note("ok", process, "txn", done)
            return
        compare = tuple((_name(key), "mod", "=", row[3] if row else 0) for key, row in zip(keys, rows, strict=True))
        puts = tuple(("put", {"key": _name(k), "value": ",".join(map(str, [*seen[k], v]))}) for k, v in writes.items())
        written = await self.do("txn", {"compare": compare, "success": puts, "failure": ()})
        if written is None:
            # Where it was refused for sure nothing was done, but to take it for open is right, too.
            self.lists.note("info", process, "txn", steps)
            if process == self.process:
                self._lives += 1
        elif written.get("succeeded"):
            self.lists.note("ok", process, "txn", done)
        else:
            self.lists.note("fail", process, "txn", steps)

    _count = 0

    def _next(self) -> int:
        self._count += 1
        return self._count


def _name(key: int) -> str:
    return f"list{key}"


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")] if text else []
