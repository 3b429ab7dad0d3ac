"""What a server's refusal is taken for, however it reaches us."""

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.outages import error_code, redis_passes

REFUSES = "return redis.error_reply('MISCONF Errors writing to the AOF file: No space left on device')"


async def test_a_refusal_is_the_same_alone_and_among_several(redis: Redis) -> None:
    """A full disk that met a status instead of an event ended the engine."""
    with pytest.raises(ResponseError) as alone:
        await redis.eval(REFUSES, 0)
    assert (error_code(alone.value), redis_passes(alone.value)) == ("MISCONF", True)
    for transaction in (True, False):
        pipe = redis.pipeline(transaction=transaction)
        pipe.get("of pipeline caused error: ('WRONGTYPE")
        pipe.eval(REFUSES, 0)
        with pytest.raises(ResponseError) as several:
            await pipe.execute()
        assert (error_code(several.value), redis_passes(several.value)) == ("MISCONF", True), several.value


async def test_a_mistake_of_ours_does_not_pass_by_waiting(redis: Redis) -> None:
    await redis.set("text", "x")
    pipe = redis.pipeline()
    pipe.lpush("text", "y")
    with pytest.raises(ResponseError) as found:
        await pipe.execute()
    assert (error_code(found.value), redis_passes(found.value)) == ("WRONGTYPE", False)
