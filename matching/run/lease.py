"""The lease of a shard: the engine that holds it leads. It expires unless it is renewed.

Each lease has a higher epoch than the one before. The lease decides which engine tries to write; the epoch decides
whether the write is accepted, because the server compares it in the same step (``matching.run.publisher``). So a leader
that was paused for longer than its lease can do no harm when it continues.
"""

import asyncio
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from goldx.streams.keys import Keys
from goldx.streams.outages import retry_on_outage
from goldx.streams.replicas import NotReplicated, Replicas

log = structlog.get_logger()

_ACQUIRE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local epoch = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], epoch, 'PX', ARGV[1])
return epoch
"""

# A lease that expired while nobody else acquired it, because the server was away, is simply taken up again.
_RENEW = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('GET', KEYS[3]) == ARGV[1] and 2 or 1
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

_LOST, _HAND_OVER_REQUESTED = 0, 2
"""Answers of _RENEW."""
CHECKS_PER_LEASE: Final = 50
"""How often, in the time of one lease, an engine that waits for it checks whether it is free."""
SHORTEST_PAUSE: Final = 0.01


class Deposed(RuntimeError):
    """Another engine leads under a newer epoch: this one must stop."""


class Lease:
    """The leader's lease of a shard, on a connection of its own.

    ``epoch`` is 0 until the lease has been acquired. ``hand_over_requested`` is set when the leader is asked to hand
    over.
    """

    def __init__(self, redis: Redis, keys: Keys, lease_ms: int, replicas: int = 0) -> None:
        self._redis = redis
        self._replicas = Replicas(keys.mark, replicas)
        self._keys = keys
        self._lease_ms = lease_ms
        self._acquire = redis.register_script(_ACQUIRE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)
        self.epoch = 0
        self.hand_over_requested = asyncio.Event()

    async def try_acquire(self) -> bool:
        """Acquire the lease under a new epoch if nobody holds it; return whether that was so. Raises redis' errors."""
        epoch = int(await self._acquire(keys=[self._keys.leader, self._keys.epoch], args=[self._lease_ms]))
        if epoch:
            # An epoch that a failover takes away would be given to two leaders.
            shown = await self._replicas.confirm(self._redis, lambda pipe: pipe.get(self._keys.epoch))
            if int(shown or 0) != epoch:
                raise NotReplicated(f"epoch {epoch} was given by a server that is not the primary any more")
        self.epoch = epoch
        self.hand_over_requested.clear()
        return epoch > 0

    async def acquire(self, *, give_way: bool = False) -> None:
        """Wait until nobody holds the lease, and acquire it.

        With ``give_way``, not before another engine has held it, or nobody has acquired it for the time of one lease.
        """
        clock = asyncio.get_running_loop().time
        earliest = clock() + self._lease_ms / 1_000 if give_way else 0.0
        waiting = False
        while True:
            if clock() >= earliest:
                if await retry_on_outage("asking for the lease", self.try_acquire):
                    return
                held = True
            else:
                exists = await retry_on_outage("asking for the leader", lambda: self._redis.exists(self._keys.leader))
                held = bool(exists)
            if held:
                earliest = 0.0
                if not waiting:
                    log.info("another engine leads; this one follows until that one's lease ends")
                waiting = True
            await asyncio.sleep(max(SHORTEST_PAUSE, self._lease_ms / 1_000 / CHECKS_PER_LEASE))

    async def keep_renewing(self) -> None:
        """Renew the lease in time, until cancelled. Raises Deposed when a newer epoch exists.

        A server that does not answer deposes nobody: without it no leader can be made and none can write.
        """
        keys = [self._keys.leader, self._keys.epoch, self._keys.hand_over]
        while True:
            try:
                answer = await self._renew(keys=keys, args=[self.epoch, self._lease_ms])
                if answer == _LOST:
                    raise Deposed(f"the lease of epoch {self.epoch} is lost: another engine has led since")
                if answer == _HAND_OVER_REQUESTED:
                    self.hand_over_requested.set()
            except (RedisError, OSError) as error:
                log.warning("the lease could not be renewed", epoch=self.epoch, error=str(error))
            await asyncio.sleep(self._lease_ms / 4_000)

    async def decline_hand_over(self) -> None:
        """Remove the request to hand over, which its sender takes as a refusal. Raises redis' errors."""
        await self._redis.delete(self._keys.hand_over)
        self.hand_over_requested.clear()

    async def release(self) -> None:
        """Give the lease up, so that the next leader need not wait until it expires. Raises redis' errors."""
        await self._release(keys=[self._keys.leader, self._keys.epoch], args=[self.epoch])
