"""The only place that knows RocksDB: the engine, its in-memory twin, and the Raft log, snapshots and state on top."""
