"""The first frame of a fresh exchange, before anybody else can write to the journal: the legal regime NEGOTIATED.

An exchange with settlement also gets the demand that each trading day waits for settlement's permission to open.
"""

from typing import Final

from redis.asyncio import Redis

from goldx.hosting.settings import Settings
from goldx.protocol import terms
from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.streams.chains import FrameWriter
from goldx.streams.entries import FIELD
from goldx.streams.history import archive_in
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from goldx.streams.replicas import Replicas

_WRITER: Final = "first-regime.1"
"""The writer of the frame. It needs no number of a run, because a journal takes one such frame at most."""
_APPEND_FIRST: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2])
return 1
"""


async def declare_negotiated(url: str, settings: Settings, by: str, *, settled: bool = False) -> bool:
    """Append the frame to an empty journal in the name of a program (``by``); return whether it did.

    ``settled``: settlement runs, and days wait for its permission. Started elsewhere, it demands that itself.
    An exchange that has begun already stays as it is. The server looks and appends in one step, so that one of several
    exchanges that start at once does it. Raises redis' errors.
    """
    redis = connect(url)
    try:
        return await _declare(redis, settings, by, settled=settled)
    finally:
        await redis.aclose()


async def _declare(redis: Redis, settings: Settings, by: str, *, settled: bool) -> bool:
    keys = Keys(settings.shard)
    archive = archive_in(settings.archive_dir)
    if await redis.exists(keys.journal, keys.events) or (archive is not None and archive.segments()):
        return False
    demand = (MarketPermitOpening("", by=by),) if settled else ()
    frame = FrameWriter(_WRITER).make((VenueSetRegime(terms.NEGOTIATED, by=by), *demand))
    replicas = Replicas(keys.mark, settings.require_replicas)
    done = await replicas.confirm(redis, lambda pipe: pipe.eval(_APPEND_FIRST, 1, keys.journal, FIELD, frame))
    return bool(done)
