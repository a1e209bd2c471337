"""Follows all keys under a prefix, and prints what they are after each change: read first, then watch, and read again if need be.

    python examples/watch_config.py 127.0.0.1:2379 config/

It goes on through lost connections and changes of the leader. Where it was away for so long that history has been compacted,
it reads the state anew.
"""
# ruff: noqa: INP001, T201 - a program to be read, which prints

import asyncio
import sys

from raftkv.client import Client
from raftkv.errors import WatchCompactedError


async def follow(client: Client, prefix: str) -> None:
    """One reading of the state, and all its changes from there on."""
    listing = await client.range(prefix, prefix=True)
    config = {entry.key: entry.value for entry in listing.kvs}
    show(config)
    async with client.watch(prefix, prefix=True, start_revision=listing.header.revision + 1) as watch:
        async for batch in watch:
            for event in batch.events:
                if event.type == event.PUT:
                    config[event.kv.key] = event.kv.value
                else:
                    config.pop(event.kv.key, None)
            show(config)


def show(config: dict[bytes, bytes]) -> None:
    """One line for each state."""
    print(", ".join(f"{key.decode()}={value.decode()}" for key, value in sorted(config.items())) or "(nothing)", flush=True)


async def main(endpoints: str, prefix: str) -> None:
    """Reads anew whenever the changes in between are gone."""
    async with Client(endpoints) as client:
        while True:
            try:
                await follow(client, prefix)
            except WatchCompactedError:
                continue


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
