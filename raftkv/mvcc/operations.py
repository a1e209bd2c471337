"""How many operations this replica's store has done since the process started: not part of its state, and not replicated."""

from raftkv.pb.rpc import TxnResponse


class Operations:
    """Plain counts, as etcd's (server/storage/mvcc/metrics_txn.go): operations inside a transaction count as well."""

    __slots__ = ("deletes", "puts", "ranges", "txns")

    def __init__(self) -> None:
        self.ranges = 0
        self.puts = 0
        self.deletes = 0
        self.txns = 0
        """Of more than one operation."""

    def count_txn(self, response: TxnResponse) -> None:
        """What a transaction did, those within it included."""
        before = self.ranges + self.puts + self.deletes
        self._count_each(response)
        if self.ranges + self.puts + self.deletes > before + 1:
            self.txns += 1

    def _count_each(self, response: TxnResponse) -> None:
        for answer in response.responses:
            kind = answer.WhichOneof("response")
            if kind == "response_range":
                self.ranges += 1
            elif kind == "response_put":
                self.puts += 1
            elif kind == "response_delete_range":
                self.deletes += 1
            elif kind == "response_txn":
                self._count_each(answer.response_txn)
