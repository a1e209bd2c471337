"""Leases against servers."""

import asyncio

import pytest

from raftkv.client import BlockingClient, Client, LeaseState
from raftkv.errors import LeaseExistsError, LeaseLostError, LeaseNotFoundError


async def test_keys_live_as_long_as_the_block(client: Client, prefix: str) -> None:
    async with client.lease(20) as lease:
        await client.put(f"{prefix}k", "v", lease=lease.id)
        assert (await client.lease_time_to_live(lease.id, keys=True)).keys == [f"{prefix}k".encode()]
        assert 19.0 < lease.remaining <= 20.0
    assert await client.get(f"{prefix}k") is None
    assert (await client.lease_time_to_live(lease.id)).TTL == -1


async def test_lease_outlives_its_time_to_live_and_its_keys_with_it(client: Client, prefix: str) -> None:
    async with client.lease(2) as lease, client.watch(f"{prefix}k") as watch:
        await client.put(f"{prefix}k", "v", lease=lease.id)
        await watch.next()
        with pytest.raises(TimeoutError):
            await watch.next(timeout=3.5)
        assert lease.state is LeaseState.ALIVE


async def test_lease_that_is_revoked_by_another_is_lost(client: Client) -> None:
    async with client.lease(2) as lease:
        await client.lease_revoke(lease.id)
        assert isinstance(await lease.wait_lost(), LeaseLostError)
        assert not lease.alive


async def test_lease_is_given_back_when_the_block_fails(client: Client) -> None:
    lease = client.lease(30)
    with pytest.raises(ZeroDivisionError):
        async with lease:
            _ = 1 / 0
    assert (await client.lease_time_to_live(lease.id)).TTL == -1


async def test_ids_are_chosen_or_drawn_and_never_taken_twice(client: Client) -> None:
    async with client.lease(30, lease_id=4711) as lease:
        assert lease.id == 4711
        with pytest.raises(LeaseExistsError):
            await client.lease_grant(30, 4711)
        drawn = await asyncio.gather(*(client.lease_grant(30) for _ in range(20)))
        listed = {status.ID for status in (await client.leases()).leases}
        assert {lease.id, *(answer.ID for answer in drawn)} <= listed
        assert len({answer.ID for answer in drawn}) == 20
    await asyncio.gather(*(client.lease_revoke(answer.ID) for answer in drawn))


async def test_adopted_lease_stays_when_its_block_ends(client: Client) -> None:
    granted = await client.lease_grant(30)
    async with client.adopt_lease(granted.ID) as lease:
        assert (lease.id, lease.ttl) == (granted.ID, 30)
    assert (await client.lease_time_to_live(granted.ID)).TTL > 0
    async with client.adopt_lease(granted.ID, revoke=True):
        pass
    with pytest.raises(LeaseNotFoundError):
        await client.lease_revoke(granted.ID)


async def test_lease_that_is_not_there_cannot_be_adopted_or_renewed(client: Client) -> None:
    assert (await client.lease_keep_alive(999_999)).TTL == 0
    with pytest.raises(LeaseLostError):
        await client.adopt_lease(999_999).open()


async def test_hundreds_of_leases_are_kept_alive_together(client: Client) -> None:
    leases = [client.lease(2) for _ in range(300)]
    await asyncio.gather(*(lease.open() for lease in leases))
    states: list[LeaseState] = []
    for lease in leases:
        lease.observe(states.append)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(leases[0].wait_lost(), 4.0)
    assert states == []
    listed = {status.ID for status in (await client.leases()).leases}
    assert {lease.id for lease in leases} <= listed
    await asyncio.gather(*(lease.close() for lease in leases))


def test_blocking_lease_is_kept_alive_and_told_of_its_loss(endpoint: str, prefix: str) -> None:
    with BlockingClient(endpoint, timeout=20.0) as client, client.lease(2) as lease:
        client.put(f"{prefix}k", "v", lease=lease.id)
        assert lease.wait_lost(timeout=2.6) is None
        assert lease.alive
        client.lease_revoke(lease.id)
        assert isinstance(lease.wait_lost(timeout=20.0), LeaseLostError)
        assert lease.lost.is_set()
