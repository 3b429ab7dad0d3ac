"""A migrated database a test, cloned from one template, and the exchange beside it: its core, or a stream by hand."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.base import database
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.publisher import Publisher

_numbers = itertools.count(1)
NewDatabase = Callable[[], Awaitable[str]]


@pytest_asyncio.fixture(scope="session")
async def template(postgres_url: str) -> str:
    """The name of a database that stands at the newest migration."""
    url = make_url(postgres_url)
    admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
    await admin.execute("CREATE DATABASE settlement_template")
    await admin.close()
    await database.migrate(url.set(database="settlement_template").render_as_string(hide_password=False))
    return "settlement_template"


@pytest_asyncio.fixture
async def new_database(postgres_url: str, template: str) -> AsyncIterator[NewDatabase]:
    """Makes one more migrated, empty database whenever it is called."""
    url = make_url(postgres_url)
    admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
    made: list[str] = []

    async def make() -> str:
        made.append(f"settlement_{next(_numbers)}")
        await admin.execute(f"CREATE DATABASE {made[-1]} TEMPLATE {template}")
        return url.set(database=made[-1]).render_as_string(hide_password=False)

    yield make
    for name in made:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest_asyncio.fixture
async def settled_url(new_database: NewDatabase) -> str:
    """A migrated, empty database."""
    return await new_database()


@pytest_asyncio.fixture
async def engine(settled_url: str) -> AsyncIterator[AsyncEngine]:
    made = database.connect(settled_url)
    yield made
    await made.dispose()


@pytest.fixture
def engine_runner(redis: Redis, shard: str) -> EngineRunner:
    return EngineRunner(redis, shard)


@pytest.fixture
def publisher(redis: Redis, shard: str) -> Publisher:
    return Publisher(redis, shard)
