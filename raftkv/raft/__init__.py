"""Raft as a library without I/O: messages and ticks in, `Ready` out. No asyncio, no clock, no dice, no disk."""
