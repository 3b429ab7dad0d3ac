"""An archive, the keys of a shard, and a second server to restore to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from goldx.streams.archive import Archive
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def keys(shard: str) -> Keys:
    return Keys(shard)


@pytest_asyncio.fixture
async def other(valkey_url: str) -> AsyncIterator[Redis]:
    """A server without data: another database of the same server, with the same names of keys."""
    client = connect(f"{valkey_url}?db=1")
    await client.flushdb()
    yield client
    await client.flushdb()
    await client.aclose()
