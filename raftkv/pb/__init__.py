"""The generated protobuf messages: one vocabulary from the wire to the log to the store.

A module for each .proto file under proto/: `kv` and `auth` and `rpc` (etcd's API), `lock`, `election`, `health`,
`reflection`, `raft` (between nodes) and `command` (in the log). They live in a descriptor pool of their own.
"""
