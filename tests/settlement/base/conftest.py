"""A register of members, staff and keys on the test's database and server."""

import pytest_asyncio
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.settlement.base.register import Register


@pytest_asyncio.fixture
async def register(migrated_url: str, engine: AsyncEngine, redis: Redis, shard: str) -> Register:
    found = Register(migrated_url, engine, redis, shard)
    await found.fill()
    return found
