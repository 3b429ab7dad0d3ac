"""A shard whose engines say what a test wants."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from goldx.hosting.settings import Settings
from goldx.protocol.commands import ClockTick
from goldx.streams.engines import LEADER, EngineStatus, publish_status
from goldx.streams.entries import Position
from goldx.streams.frames import CommandFrame, encode
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys


class Shard:
    """A shard whose engines say what a test wants."""

    def __init__(self, redis: Redis, shard: str, settings: Settings) -> None:
        self.redis = redis
        self.keys = Keys(shard)
        self.settings = settings

    async def tick(self, ms: int | None = None) -> Position:
        """Append a tick, which has no events, at a time or now."""
        if ms is None:
            return await Journal(self.redis, self.keys).append(CommandFrame("engine.1", 1, (ClockTick(),)))
        data = encode(CommandFrame("engine.1", 1, (ClockTick(),)))
        await self.redis.xadd(self.keys.journal, {"f": data}, id=f"{ms}-0")
        return Position(ms, 0)

    async def now_ms(self) -> int:
        seconds, _ = await self.redis.time()
        return int(seconds) * 1_000

    async def says(self, name: str, role: str, position: Position, unpublished_ms: int = 0) -> None:
        """Publish the status of an engine; a leader holds the lease of epoch 1."""
        epoch = 1 if role == LEADER else 0
        if epoch:
            await self.redis.set(self.keys.leader, epoch)
        status = EngineStatus(
            engine=name,
            role=role,
            epoch=epoch,
            position=str(position),
            sequence=7,
            commands=7,
            unpublished=3 if unpublished_ms else 0,
            snapshot=None,
            digest=None,
            durability="",
            chain_breaks=0,
            unpublished_ms=unpublished_ms,
        )
        await publish_status(self.redis, self.keys, status)


@pytest.fixture
def exchange(redis: Redis, valkey_url: str, shard: str, tmp_path: Path) -> Shard:
    return Shard(redis, shard, Settings(redis_url=valkey_url, shard=shard, archive_dir=tmp_path / "archive"))
