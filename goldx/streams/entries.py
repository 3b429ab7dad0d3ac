"""Entries of a Redis stream: their ids, their one field, and how they are read."""

import re
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis

from goldx.streams.connection import RedisConnection

FIELD: Final = b"f"
"""The one field of every stream entry: an encoded frame (``goldx.streams.frames``)."""

_ENTRY_ID = re.compile(rb"(\d+)-(\d+)")


class Position(NamedTuple):
    """An entry id: in the journal milliseconds since the epoch, and a counter within the millisecond."""

    ms: int
    counter: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.counter}"


BEGINNING: Final = Position(0, 0)
"""Comes before every entry."""


def parse_entry_id(entry_id: Any) -> Position:
    """Return the Position of ``b"1700000000000-3"``. Raises ValueError."""
    match = _ENTRY_ID.fullmatch(entry_id)
    if match is None:
        raise ValueError(f"not a stream entry id: {entry_id!r}")
    return Position(int(match[1]), int(match[2]))


def as_entries(found: Any) -> list[tuple[Position, bytes]]:
    """Return an answer to XRANGE as (entry id, encoded frame)."""
    return [(parse_entry_id(entry_id), fields[FIELD]) for entry_id, fields in found]


async def wait_for_entries(
    redis: Redis | RedisConnection, key: str, after: str, count: int, block_ms: int
) -> list[tuple[Position, bytes]]:
    """Return up to ``count`` entries after an id; wait up to ``block_ms`` milliseconds for the first one.

    Takes a connection whose timeout is longer than that. Raises redis' errors.
    """
    answer: Any = await redis.xread({key: after}, count=count, block=block_ms)
    return as_entries(next(iter(answer.values()))) if answer else []
