"""The event stream of a shard, a stream on Redis or Valkey.

One entry holds the events of one journal frame, command by command. Its id is ``<sequence of its last event>-0``, given
by the writer: the server itself refuses to publish an event twice.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from redis.asyncio import Redis

from goldx.streams.connection import RedisConnection
from goldx.streams.entries import Position, as_entries, parse_entry_id, wait_for_entries
from goldx.streams.frames import EventFrame, decode_events
from goldx.streams.keys import Keys

DECODED_AT_ONCE: Final = 64
"""The number of frames after which ``read`` gives other tasks their turns."""


class EventStream:
    """The event stream, for its readers. With ``connection``, ``wait`` uses that one; the others use ``redis``.

    ``decode`` is for a reader that needs less of the frames than all events whole.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        connection: RedisConnection | None = None,
        decode: Callable[[bytes], EventFrame] = decode_events,
    ) -> None:
        self._decode = decode
        self._redis = redis
        self._fast: Redis | RedisConnection = redis if connection is None else connection
        self._key = keys.events

    async def last_sequence(self) -> int:
        """Return the sequence of the newest published event, 0 if there is none."""
        found = await self._redis.xrevrange(self._key, count=1)
        return parse_entry_id(found[0][0]).ms if found else 0

    async def newest(self) -> tuple[int, bytes] | None:
        """Return the sequence of the newest published event and the encoded frame that it ends, or None."""
        found = as_entries(await self._redis.xrevrange(self._key, count=1))
        return (found[0][0].ms, found[0][1]) if found else None

    async def read(self, after: int, count: int = 1_000) -> list[EventFrame]:
        """Return the next frames whose last event comes after sequence ``after``, giving other tasks their turns."""
        found: list[EventFrame] = []
        for number, (_, data) in enumerate(await self.read_raw(after, count), 1):
            found.append(self._decode(data))
            if not number % DECODED_AT_ONCE:
                await asyncio.sleep(0)
        return found

    async def read_raw(self, after: int, count: int = 1_000) -> list[tuple[Position, bytes]]:
        """Return the same frames as ``read``, as (entry id, encoded frame)."""
        return as_entries(await self._redis.xrange(self._key, min=f"{after + 1}-0", count=count))

    async def wait(self, after: int, count: int = 1_000, block_ms: int = 1_000) -> list[EventFrame]:
        """Read, but wait up to ``block_ms`` milliseconds for the first frame. The timeout must be longer than that."""
        found = await wait_for_entries(self._fast, self._key, f"{after}-0", count, block_ms)
        return [self._decode(data) for _, data in found]
