"""Messages between nodes: length-prefixed protobuf frames over TCP or TLS, snapshots, and an in-memory twin of the network."""
