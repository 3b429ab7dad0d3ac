"""Acts on their way to the audit log: log-ons, failed ones, ends of sessions, and the commands of operators.

Gateways append them to a stream on Redis or Valkey; settlement writes each of them once into the audit log, and removes
it from the stream. So acts are recorded even while the database is away.
"""

from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from goldx.streams.entries import FIELD, Position, as_entries
from goldx.streams.keys import Keys


class RecordedAct(NamedTuple):
    """One act: ``at`` in ms since the epoch; ``detail`` is any JSON value."""

    at: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RecordedAct).decode


async def append_act(redis: Redis, keys: Keys, act: RecordedAct) -> None:
    """Append an act. Raises redis' errors."""
    await redis.xadd(keys.acts, {FIELD: _encode(act)})


async def read_acts(redis: Redis, keys: Keys, after: Position, count: int) -> list[tuple[Position, RecordedAct]]:
    """Return the next acts after a position. Raises redis' errors."""
    found = as_entries(await redis.xrange(keys.acts, min=f"({after}", count=count))
    return [(position, _decode(data)) for position, data in found]


async def trim_acts(redis: Redis, keys: Keys, reached: Position) -> None:
    """Remove the acts up to a position, which are in the audit log. Raises redis' errors."""
    await redis.xtrim(keys.acts, minid=f"{reached.ms}-{reached.counter + 1}", approximate=False)
