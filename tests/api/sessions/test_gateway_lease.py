"""A gateway never writes over its entry once that was removed or belongs to another run."""

import asyncio
from typing import Any

import pytest

from api.sessions import gateway_lease
from api.sessions.gateway_lease import GatewayIdTaken, GatewayLease, GatewayLost
from goldx.streams import redis_client
from goldx.streams.gateway_entries import STOPPED
from goldx.streams.keys import Keys


@pytest.mark.parametrize("taken_by", [None, "another:1"])
async def test_a_gateway_that_sleeps_between_its_read_and_its_write_is_lost(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch, taken_by: str | None
) -> None:
    keys = Keys("sleeper")
    redis, others = (redis_client.connect(valkey_url) for _ in range(2))
    await others.delete(keys.gateways)
    lease = GatewayLease(redis, keys, "gateway-1")
    await lease.claim()
    read = redis.hgetall

    async def read_and_sleep(name: str) -> Any:
        found = await read(name)
        await others.hdel(keys.gateways, "gateway-1")
        if taken_by is not None:
            await others.hset(keys.gateways, "gateway-1", taken_by)
        return found

    monkeypatch.setattr(redis, "hgetall", read_and_sleep)
    with pytest.raises(GatewayLost):
        async with asyncio.timeout(30):
            await lease.run()
    entry = await others.hget(keys.gateways, "gateway-1")
    assert entry == (None if taken_by is None else taken_by.encode())
    await redis.aclose()
    await others.aclose()


@pytest.mark.parametrize("left", [None, STOPPED.decode()])
async def test_a_name_is_free_once_somebody_has_noticed_that_its_former_run_is_lost(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch, left: str | None
) -> None:
    """Or once that run has stopped, and has left sessions in their grace, which whoever notices closes."""
    keys = Keys("noticed")
    redis, others = (redis_client.connect(valkey_url) for _ in range(2))
    await others.hset(keys.gateways, "gateway-1", "former:7")
    monkeypatch.setattr(gateway_lease, "BEAT_SECONDS", 0.01)
    lease = GatewayLease(redis, keys, "gateway-1")
    read = lease._entry

    async def read_and_notice() -> bytes | None:
        entry = await read()
        if left is None:
            await others.hdel(keys.gateways, "gateway-1")
        else:
            await others.hset(keys.gateways, "gateway-1", left)
        return entry

    monkeypatch.setattr(lease, "_entry", read_and_notice)
    await lease.claim()
    assert lease.claimed
    await redis.aclose()
    await others.aclose()


@pytest.mark.parametrize("sessions_left", [False, True])
async def test_a_gateway_that_has_lost_its_name_leaves_it_to_its_successor(
    valkey_url: str, sessions_left: bool
) -> None:
    keys = Keys("successor")
    redis = redis_client.connect(valkey_url)
    await redis.delete(keys.gateways)
    lost, successor = (GatewayLease(redis, keys, "gateway-1") for _ in range(2))
    await lost.claim()
    await redis.hdel(keys.gateways, "gateway-1")
    await successor.claim()
    entry = await redis.hget(keys.gateways, "gateway-1")
    await lost.release(sessions_left=sessions_left)
    assert await redis.hget(keys.gateways, "gateway-1") == entry
    await successor.release(sessions_left=sessions_left)
    assert await redis.hget(keys.gateways, "gateway-1") == (STOPPED if sessions_left else None)
    await redis.aclose()


async def test_of_two_that_start_at_once_one_has_the_name(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys("twins")
    redis = redis_client.connect(valkey_url)
    await redis.hset(keys.gateways, "gateway-1", STOPPED.decode())
    leases = [GatewayLease(redis, keys, "gateway-1") for _ in range(2)]
    read = leases[0]._entry
    both_have_read = asyncio.Barrier(2)

    async def read_together() -> bytes | None:
        entry = await read()
        await both_have_read.wait()
        return entry

    for lease in leases:
        monkeypatch.setattr(lease, "_entry", read_together)
    ends = await asyncio.gather(*(lease.claim() for lease in leases), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [GatewayIdTaken]
    assert [lease.claimed for lease in leases].count(True) == 1
    await redis.aclose()
