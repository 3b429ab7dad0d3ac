"""The keys with which the random ends of a trading day are drawn: made once, kept on the server, published afterwards.

Two services of one shard find the same key. The audit log has the key's commitment from before the day's first draw,
and the key once the day has ended: ``timetable.commit`` and ``timetable.reveal``, each at least once.
"""

import secrets
from datetime import date
from typing import Any, Final

from redis.asyncio import Redis

from goldx.streams.acts import RecordedAct, append_act
from goldx.streams.keys import Keys
from goldx.timetable.random_end import KEY_BYTES, commitment

_COMMITTED: Final = ":committed"
ACTOR: Final = "timetable"


class DayKeys:
    """The keys of a shard. Every method raises redis' errors, and may be repeated."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._known: tuple[str, bytes] = ("", b"")

    async def key_of(self, day: date, timetable: str, now: int) -> bytes:
        """Return the key of a trading day, committed to in the audit log. ``timetable`` is the timetable's hash."""
        name = str(day)
        if self._known[0] == name:
            return self._known[1]
        await self._redis.hsetnx(self._keys.timetable_keys, name, secrets.token_hex(KEY_BYTES))
        found: Any = await self._redis.hget(self._keys.timetable_keys, name)
        key = bytes.fromhex(found.decode())
        if not await self._redis.hexists(self._keys.timetable_keys, name + _COMMITTED):
            detail = {"commitment": commitment(key), "timetable": timetable}
            await append_act(self._redis, self._keys, RecordedAct(now, ACTOR, "timetable.commit", name, detail))
            await self._redis.hset(self._keys.timetable_keys, name + _COMMITTED, "1")
        self._known = (name, key)
        return key

    async def reveal_before(self, trading_day: str, now: int) -> None:
        """Publish the keys of the days before a trading day, and forget them."""
        kept: dict[Any, Any] = await self._redis.hgetall(self._keys.timetable_keys)
        for field, value in sorted(kept.items()):
            name = field.decode()
            if name.endswith(_COMMITTED) or name >= trading_day:
                continue
            detail = {"key": value.decode()}
            await append_act(self._redis, self._keys, RecordedAct(now, ACTOR, "timetable.reveal", name, detail))
            await self._redis.hdel(self._keys.timetable_keys, name, name + _COMMITTED)
