"""A writer that is fenced off appends nothing, with and without a limit of the server's clock."""

import pytest
from redis.asyncio import Redis

from goldx.protocol.commands import ClockTick
from goldx.streams.checked_append import Fence, Fenced
from goldx.streams.connection import RedisConnection
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.server_clock import ServerClock


@pytest.mark.parametrize("fast", [False, True], ids=["through redis-py", "through the fast connection"])
@pytest.mark.parametrize("limit_ms", [0, 60_000])
async def test_a_writer_appends_only_while_its_entry_is_its_own(
    redis: Redis, connection: RedisConnection, shard: str, fast: bool, limit_ms: int
) -> None:
    keys = Keys(shard)
    fence = Fence(keys.gateways, "gateway-1", "abc:")
    writer = Journal(redis, keys, 0, connection if fast else None, ServerClock(limit_ms), fence)
    await redis.hset(keys.gateways, "gateway-1", "abc:1")
    kept = [await writer.append(CommandFrame("gateway-1.1", 1, (ClockTick(),)))]
    await redis.hset(keys.gateways, "gateway-1", "abc:2")
    kept.append(await writer.append(CommandFrame("gateway-1.1", 2, (ClockTick(),))))
    for other in (None, "abcd:1", "ab", "xyz:1"):
        await redis.hdel(keys.gateways, "gateway-1")
        if other is not None:
            await redis.hset(keys.gateways, "gateway-1", other)
        with pytest.raises(Fenced, match="FENCED"):
            await writer.append(CommandFrame("gateway-1.1", 3, (ClockTick(),)))
    assert [position for position, _ in await writer.read(BEGINNING)] == kept
