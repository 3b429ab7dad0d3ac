"""An exchange of ``goldx bench close`` on the servers of the session."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import asyncpg
import pytest_asyncio
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from benchmarks.closing.exchange import Exchange
from settlement.base import database

ACCOUNTS: Final = 2
AT_ONCE: Final = 4
BARS: Final = 14
"""A list that the product takes in, two that are copied, and two bars that are left over."""
NewExchange = Callable[..., Awaitable[Exchange]]


@pytest_asyncio.fixture
async def new_exchange(postgres_url: str, template: str, redis: Redis, shard: str) -> AsyncIterator[NewExchange]:
    """Make an exchange with bars: those in the middle are copied, or all are taken in by the product."""
    url = make_url(postgres_url)
    admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
    made: dict[str, Exchange] = {}

    async def make(*, copied: bool) -> Exchange:
        name = f"copies_{shard}_{len(made)}"
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        engine = database.connect(url.set(database=name).render_as_string(hide_password=False))
        made[name] = Exchange(engine, redis, name, ACCOUNTS, seed=3)
        await made[name].build()
        await made[name].take_in(BARS, lambda _: None, AT_ONCE, copied=copied)
        return made[name]

    yield make
    for name, exchange in made.items():
        await exchange.engine.dispose()
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()
