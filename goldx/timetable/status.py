"""The status that the timetable's service publishes, for gateways, health checks and people."""

from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from goldx.hosting.health import Unhealthy
from goldx.hosting.running import resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect

EXPIRES_MS: Final = 10_000
"""The time without a new status after which the service counts as gone."""


class Coming(msgspec.Struct, frozen=True):
    """The next step of an instrument: its state, the time at which it may begin, and the width of its window in ms."""

    symbol: str
    state: str
    at: int
    window_ms: int


class TimetableStatus(msgspec.Struct, frozen=True):
    """``sha256`` is the timetable's hash.

    ``deviations`` names what people hold or have halted, ``trouble`` what else keeps the timetable from being followed.
    """

    sha256: str
    trading_day: str
    sequence: int
    coming: tuple[Coming, ...]
    deviations: tuple[str, ...]
    trouble: tuple[str, ...]


_decode = msgspec.json.Decoder(TimetableStatus).decode


async def publish_status(redis: Redis, keys: Keys, status: TimetableStatus) -> None:
    """Publish a status; it expires. Raises redis' errors."""
    await redis.set(keys.timetable, msgspec.json.encode(status), px=EXPIRES_MS)


async def read_status(redis: Redis, keys: Keys) -> TimetableStatus | None:
    """Return the status, or None if no service runs. Raises redis' errors."""
    found: Any = await redis.get(keys.timetable)
    return None if found is None else _decode(found)


async def health(settings: Settings) -> str:
    """Return the next step of the timetable. Raises Unhealthy if it is not followed."""
    redis = connect(resolve_redis_url(settings))
    try:
        status = await read_status(redis, Keys(settings.shard))
    finally:
        await redis.aclose()
    if status is None:
        raise Unhealthy("no service follows the timetable")
    if status.trouble:
        raise Unhealthy("; ".join(status.trouble))
    steps = f"{len(status.coming)} instruments have a next step" if status.coming else "no step is left today"
    return f"trading day {status.trading_day}: {steps}"
