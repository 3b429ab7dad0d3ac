"""The client of redis-py as GoldX configures it, on a real server."""

import asyncio
from random import Random

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from goldx.streams.redis_client import connect


@pytest.mark.parametrize("single_connection", [False, True])
async def test_a_task_that_calls_the_server_can_be_cancelled_at_any_moment(
    valkey_url: str, single_connection: bool
) -> None:
    """One cancellation is enough, wherever in sending and receiving it comes."""
    redis = connect(valkey_url, single_connection=single_connection)

    async def ask_for_ever() -> None:
        while True:
            await redis.ping()

    random = Random(1)
    for _ in range(100):
        task = asyncio.create_task(ask_for_ever())
        for _ in range(random.randint(0, 20)):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait((task,), timeout=5)
        assert done, "the cancellation was swallowed"
    await redis.aclose()


async def test_a_server_that_does_not_answer_is_a_timeout_and_nothing_is_repeated(
    redis: Redis, valkey_url: str
) -> None:
    hasty = connect(valkey_url, timeout=0.1)
    await hasty.ping()
    await redis.client_pause(500, all=True)
    with pytest.raises(RedisTimeoutError):
        await hasty.incr("streams-test")
    await asyncio.sleep(0.6)
    assert await redis.get("streams-test") in (None, b"1")
    await hasty.aclose()


async def test_a_server_that_is_not_there_is_an_error_at_once() -> None:
    nowhere = connect("unix:///nowhere/valkey.sock")
    with pytest.raises((RedisConnectionError, OSError)):
        await nowhere.ping()
    await nowhere.aclose()
