"""A planned change of the leader: the leader is asked, and stops only when a standby is there to go on."""

import asyncio
from typing import Final, NamedTuple

from redis.asyncio import Redis

from goldx.streams.engines import LEADER, STANDBY, EngineStatus, read_statuses
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect

ANSWER_MS: Final = 10_000
"""The time in which the leader has to answer; after it a request that no engine has seen expires."""
CHECK_SECONDS: Final = 0.002
"""The pause between two checks of which engine leads."""


class NotHandedOver(RuntimeError):
    """Nothing has changed; the message says why."""


class HandOver(NamedTuple):
    """The former leader and the new one. For ``gap_ms``, as seen by the sender of the request, no engine led."""

    former: str
    former_epoch: int
    leader: str
    epoch: int
    gap_ms: int


async def request(redis_url: str, keys: Keys) -> HandOver:
    """Ask the leader of a shard to hand over, and wait until another engine leads.

    Raises NotHandedOver, and redis' errors.
    """
    redis = connect(redis_url)
    try:
        return await _request(redis, keys)
    finally:
        await redis.aclose()


async def _request(redis: Redis, keys: Keys) -> HandOver:
    statuses = await read_statuses(redis, keys)
    epoch = await redis.get(keys.leader)
    former = next((status for status in statuses if status.role == LEADER and status.epoch == int(epoch or 0)), None)
    if epoch is None or former is None:
        raise NotHandedOver(f"no engine leads shard {keys.shard}, so that none can hand over")
    if not any(status.role == STANDBY for status in statuses):
        raise NotHandedOver(f"no standby follows shard {keys.shard}; start one: goldx engine --standby")
    await redis.set(keys.hand_over, epoch, px=ANSWER_MS)
    clock = asyncio.get_running_loop().time
    deadline = clock() + ANSWER_MS / 1_000
    left = clock()
    while (now := await redis.get(keys.leader)) in (epoch, None):
        if now == epoch:
            left = clock()
            if not await redis.exists(keys.hand_over):
                raise NotHandedOver(f"{former.engine} goes on leading: no standby follows it any more")
        if clock() > deadline:
            raise NotHandedOver(f"{former.engine} did not answer within {ANSWER_MS // 1_000} s")
        await asyncio.sleep(CHECK_SECONDS)
    gap_ms = round((clock() - left) * 1_000)
    leader = await _wait_for_leader(redis, keys, int(now), deadline)
    return HandOver(former.engine, former.epoch, leader.engine, leader.epoch, gap_ms)


async def _wait_for_leader(redis: Redis, keys: Keys, epoch: int, deadline: float) -> EngineStatus:
    """Return the status of the engine that leads under an epoch, once it has published it. Raises NotHandedOver."""
    while True:
        for status in await read_statuses(redis, keys):
            if status.role == LEADER and status.epoch >= epoch:
                return status
        if asyncio.get_running_loop().time() > deadline:
            raise NotHandedOver(f"epoch {epoch} has begun, but its leader publishes no status")
        await asyncio.sleep(CHECK_SECONDS * 10)
