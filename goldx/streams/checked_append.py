"""Appends to the journal that the server refuses in the same step: its clock is wrong, or the writer is fenced off.

A gateway is fenced off once its entry among the gateways is gone: somebody has found it lost and has closed its
sessions (``goldx.streams.gateway_entries``). If it was only paused, nothing that it still sends may follow on that.
"""

from typing import Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from goldx.streams.connection import Part, RedisConnection, Script
from goldx.streams.server_clock import ServerClock

# ARGV: the frame; the writer's time in ms; the limit in ms. An id of the server's millisecond can only be refused where
# the newest entry is ahead of it; the plain append then gives the next id of that entry's millisecond.
CHECKED_APPEND: Final = """
local now = redis.call('TIME')
local ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local sent, limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local offset = ms - sent
if offset > limit or offset < -limit then return redis.error_reply(string.format('CLOCK %.0f server', offset)) end
local added = redis.pcall('XADD', KEYS[1], string.format('%.0f-*', ms), 'f', ARGV[1])
if type(added) ~= 'table' or not string.find(added.err, 'equal or smaller', 1, true) then return added end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local ahead = newest and tonumber(string.match(newest[1], '^%d+')) - sent or 0
if ahead > limit then return redis.error_reply(string.format('CLOCK %.0f journal', ahead)) end
return redis.call('XADD', KEYS[1], '*', 'f', ARGV[1])
"""
# ARGV: those of CHECKED_APPEND; then the field and the beginning of its value.
_FENCED_APPEND: Final = (
    "if string.sub(redis.call('HGET', KEYS[2], ARGV[4]) or '', 1, #ARGV[5]) ~= ARGV[5] then "
    "return redis.error_reply('FENCED the entry is gone') end" + CHECKED_APPEND
)
NO_LIMIT: Final = 1 << 52
"""A difference of clocks, in ms, that does not occur."""


class Fence(NamedTuple):
    """A writer appends only while the field of the hash ``key`` begins with ``token``."""

    key: str
    field: str
    token: str


class Fenced(ResponseError):
    """Raised when an append was refused as its writer is fenced off; the entry was not appended, and none will be."""


class CheckedAppend:
    """Appends entries to a journal whose server checks its clock, and the writer's fence, in the same step."""

    def __init__(
        self, clock: ServerClock, redis: Redis, connection: RedisConnection | None, fence: Fence | None = None
    ) -> None:
        self._clock = clock
        self._redis = redis
        self._fence = fence
        self._source = CHECKED_APPEND if fence is None else _FENCED_APPEND
        self._script = None if connection is None else Script(connection, self._source)

    async def __call__(self, key: str, data: bytes) -> bytes:
        """Append one entry and return its id. Raises WrongClock and Fenced: then it was not appended."""
        keys = [key]
        args: list[Part] = [data, self._clock.now_ms(), self._clock.limit_ms or NO_LIMIT]
        if self._fence is not None:
            keys.append(self._fence.key)
            args += [self._fence.field, self._fence.token]
        try:
            if self._script is not None:
                added: bytes = await self._script(keys, args)
            else:
                added = await self._redis.eval(self._source, len(keys), *keys, *args)
        except ResponseError as error:
            if str(error).startswith("FENCED"):
                raise Fenced(f"nothing of this writer is appended to {key} any more: {error}") from error
            raise self._clock.explain(error) from error
        return added
