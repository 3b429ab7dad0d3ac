"""The statuses that engines publish."""

from redis.asyncio import Redis

from goldx.streams.engines import read_statuses
from goldx.streams.keys import Keys


async def test_statuses_are_read_from_a_server_that_cannot_write(redis: Redis, shard: str) -> None:
    keys = Keys(shard)
    await redis.sadd(keys.engines, "gone")
    await redis.config_set("min-replicas-to-write", "1")
    try:
        assert await read_statuses(redis, keys) == []
    finally:
        await redis.config_set("min-replicas-to-write", "0")
    assert await redis.sismember(keys.engines, "gone")
    assert await read_statuses(redis, keys) == []
    assert not await redis.sismember(keys.engines, "gone")
