"""Errors of the server: which pass by waiting, alone and in a pipeline."""

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.outages import error_code, redis_passes

RETURN_MISCONF = "return redis.error_reply('MISCONF Errors writing to the AOF file: No space left on device')"


async def test_an_error_has_the_same_code_alone_and_in_a_pipeline(redis: Redis) -> None:
    """Regression: a full disk that refused the pipeline of a status, instead of an event, ended the engine."""
    with pytest.raises(ResponseError) as alone:
        await redis.eval(RETURN_MISCONF, 0)
    assert (error_code(alone.value), redis_passes(alone.value)) == ("MISCONF", True)
    for transaction in (True, False):
        pipe = redis.pipeline(transaction=transaction)
        pipe.get("of pipeline caused error: ('WRONGTYPE")
        pipe.eval(RETURN_MISCONF, 0)
        with pytest.raises(ResponseError) as several:
            await pipe.execute()
        assert (error_code(several.value), redis_passes(several.value)) == ("MISCONF", True), several.value


async def test_an_error_of_the_caller_does_not_pass(redis: Redis) -> None:
    await redis.set("text", "x")
    pipe = redis.pipeline()
    pipe.lpush("text", "y")
    with pytest.raises(ResponseError) as found:
        await pipe.execute()
    assert (error_code(found.value), redis_passes(found.value)) == ("WRONGTYPE", False)
