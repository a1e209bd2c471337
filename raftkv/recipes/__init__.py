"""Locks, elections and the like, as conversations over the KV protocol; the same code in client, server and simulator."""
