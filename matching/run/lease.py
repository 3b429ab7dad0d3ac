"""Who leads a shard: a lease with an end, and an epoch that only grows.

The lease decides who may try, the epoch who may write: every write of a leader is checked against the epoch by the
server in the same step (``matching.run.publisher``). So a leader that was paused for longer than its lease can do no
harm when it wakes, whatever it believes.
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

_TAKE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local epoch = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], epoch, 'PX', ARGV[1])
return epoch
"""

# A lease that ended while nobody else took it, because the server was away, is simply taken up again.
_RENEW = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('GET', KEYS[3]) == ARGV[1] and 2 or 1
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

_LOST, _ASKED = 0, 2
LOOKS: Final = 50
"""How often, in the time of one lease, an engine that waits for it looks whether it is free."""
SHORTEST_PAUSE: Final = 0.01


class Deposed(RuntimeError):
    """Another engine leads under a newer epoch: this one must stop."""


class Lease:
    """The leader's lease of a shard, on a connection of its own. ``epoch`` is 0 until it has been taken.

    ``asked`` is set when somebody asks the leader to hand over.
    """

    def __init__(self, redis: Redis, keys: Keys, lease_ms: int, replicas: int = 0) -> None:
        self._redis = redis
        self._replicas = Replicas(keys.mark, replicas)
        self._leader = keys.leader
        self._keys = [keys.leader, keys.epoch]
        self._renewed = [keys.leader, keys.epoch, keys.hand_over]
        self._hand_over = keys.hand_over
        self._lease_ms = lease_ms
        self._take = redis.register_script(_TAKE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)
        self.epoch = 0
        self.asked = asyncio.Event()

    async def take(self) -> bool:
        """Takes the lease under a new epoch if nobody holds it. Raises redis' errors."""
        epoch = int(await self._take(keys=self._keys, args=[self._lease_ms]))
        if epoch:
            # An epoch that a failover takes away would be given to two leaders.
            shown = await self._replicas.confirm(self._redis, lambda pipe: pipe.get(self._keys[1]))
            if int(shown or 0) != epoch:
                raise NotReplicated(f"epoch {epoch} was given by a server that is not the primary any more")
        self.epoch = epoch
        self.asked.clear()
        return epoch > 0

    async def wait(self, *, give_way: bool = False) -> None:
        """Takes the lease as soon as nobody holds it.

        ``give_way``: not before somebody else has had it, or nobody has wanted it for the time of a lease.
        """
        clock = asyncio.get_running_loop().time
        first = clock() + self._lease_ms / 1_000 if give_way else 0.0
        waiting = False
        while True:
            if clock() >= first:
                if await retry_on_outage("asking for the lease", self.take):
                    return
                held = True
            else:
                held = bool(await retry_on_outage("asking for the leader", lambda: self._redis.exists(self._leader)))
            if held:
                first = 0.0
                if not waiting:
                    log.info("another engine leads; this one follows until that one's lease ends")
                waiting = True
            await asyncio.sleep(max(SHORTEST_PAUSE, self._lease_ms / 1_000 / LOOKS))

    async def keep(self) -> None:
        """Renews the lease in time, for ever. Raises Deposed when a newer epoch exists.

        A server that does not answer deposes nobody: without it no leader can be made and none can write.
        """
        while True:
            try:
                answer = await self._renew(keys=self._renewed, args=[self.epoch, self._lease_ms])
                if answer == _LOST:
                    raise Deposed(f"the lease of epoch {self.epoch} is lost: another engine has led since")
                if answer == _ASKED:
                    self.asked.set()
            except (RedisError, OSError) as error:
                log.warning("the lease could not be renewed", epoch=self.epoch, error=str(error))
            await asyncio.sleep(self._lease_ms / 4_000)

    async def decline(self) -> None:
        """The leader does not hand over: whoever asked sees that the request is gone. Raises redis' errors."""
        await self._redis.delete(self._hand_over)
        self.asked.clear()

    async def release(self) -> None:
        """Gives the lease up, so that the next leader need not wait for its end. Raises redis' errors."""
        await self._release(keys=self._keys, args=[self.epoch])
