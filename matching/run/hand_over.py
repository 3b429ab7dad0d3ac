"""A planned change of the leader: the one that leads is asked, and stops only when a standby is there to go on."""

import asyncio
from typing import Final, NamedTuple

from redis.asyncio import Redis

from goldx.streams.engines import LEADER, STANDBY, EngineStatus, read_statuses
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect

PATIENCE_MS: Final = 10_000
"""How long the leader may take to answer; a request that nobody heard ends by itself after that."""
LOOK: Final = 0.002
"""Seconds between two looks at who leads."""


class NotHandedOver(RuntimeError):
    """Nothing has changed; the message says why."""


class HandOver(NamedTuple):
    """Who led and who leads; ``gap_ms`` is for how long, as seen from here, nobody did."""

    former: str
    former_epoch: int
    leader: str
    epoch: int
    gap_ms: int


async def request(redis_url: str, keys: Keys) -> HandOver:
    """Asks the leader of a shard to hand over, and waits until another engine leads.

    Raises NotHandedOver, and redis' errors.
    """
    redis = connect(redis_url)
    try:
        return await _request(redis, keys)
    finally:
        await redis.aclose()


async def _request(redis: Redis, keys: Keys) -> HandOver:
    found = await read_statuses(redis, keys)
    epoch = await redis.get(keys.leader)
    former = next((status for status in found if status.role == LEADER and status.epoch == int(epoch or 0)), None)
    if epoch is None or former is None:
        raise NotHandedOver(f"no engine leads shard {keys.shard}: there is nobody to hand over")
    if not any(status.role == STANDBY for status in found):
        raise NotHandedOver(f"no standby follows shard {keys.shard}; start one: goldx engine --standby")
    await redis.set(keys.hand_over, epoch, px=PATIENCE_MS)
    clock = asyncio.get_running_loop().time
    deadline = clock() + PATIENCE_MS / 1_000
    left = clock()
    while (now := await redis.get(keys.leader)) in (epoch, None):
        if now == epoch:
            left = clock()
            if not await redis.exists(keys.hand_over):
                raise NotHandedOver(f"{former.engine} goes on leading: no standby follows it any more")
        if clock() > deadline:
            raise NotHandedOver(f"{former.engine} did not answer within {PATIENCE_MS // 1_000} s")
        await asyncio.sleep(LOOK)
    gap_ms = round((clock() - left) * 1_000)
    leader = await _leader(redis, keys, int(now), deadline)
    return HandOver(former.engine, former.epoch, leader.engine, leader.epoch, gap_ms)


async def _leader(redis: Redis, keys: Keys, epoch: int, deadline: float) -> EngineStatus:
    """The engine of an epoch, once it has said so. Raises NotHandedOver."""
    while True:
        for status in await read_statuses(redis, keys):
            if status.role == LEADER and status.epoch >= epoch:
                return status
        if asyncio.get_running_loop().time() > deadline:
            raise NotHandedOver(f"epoch {epoch} has begun, but its leader does not say how it stands")
        await asyncio.sleep(LOOK * 10)
