"""A gateway never writes over its entry once that was removed or belongs to another run."""

import asyncio
from typing import Any

import pytest

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
