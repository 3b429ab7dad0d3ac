"""A gateway never writes over its entry once that was removed or belongs to another run."""

import asyncio
from typing import Any

import pytest

from api.sessions import gateway_lease
from api.sessions.gateway_lease import GatewayLease, GatewayLost
from goldx.streams import redis_client
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


async def test_a_name_is_free_once_somebody_has_noticed_that_its_former_run_is_lost(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys("noticed")
    redis, others = (redis_client.connect(valkey_url) for _ in range(2))
    await others.hset(keys.gateways, "gateway-1", "former:7")
    monkeypatch.setattr(gateway_lease, "BEAT_SECONDS", 0.01)
    lease = GatewayLease(redis, keys, "gateway-1")
    read = lease._entry

    async def read_and_notice() -> bytes | None:
        entry = await read()
        await others.hdel(keys.gateways, "gateway-1")
        return entry

    monkeypatch.setattr(lease, "_entry", read_and_notice)
    await lease.claim()
    assert lease.claimed
    await redis.aclose()
    await others.aclose()
