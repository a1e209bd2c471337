"""Whatever other members say, nothing breaks."""

import asyncio

from tests.peer import fuzz


def test_connections_from_seeds_break_nothing() -> None:
    async def all_of_them() -> list[tuple[int, int]]:
        return [await fuzz.run(seed) for seed in range(150)]

    heard = asyncio.run(all_of_them())
    assert sum(messages for messages, _ in heard) > 100  # some of it makes sense, or nothing is tested
    assert any(snapshots for _, snapshots in heard)
