"""A migrated database a test, cloned from one template, and beside it the exchange, its REST, its commands."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.hosting.settings import Settings
from settlement.base import database, working_days
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.publisher import Publisher
from tests.settlement.rest import Rest, serving
from tests.settlement.small_exchange import SmallExchange
from tests.settlement.stages import Preparation, Stages, nothing

_numbers = itertools.count(1)
NewDatabase = Callable[..., Awaitable[str]]


@pytest_asyncio.fixture
async def new_database(postgres_url: str, template: str) -> AsyncIterator[NewDatabase]:
    """Make one more migrated, empty database whenever it is called, or a copy of the one that is named."""
    url = make_url(postgres_url)
    admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
    made: list[str] = []

    async def make(source: str = template) -> str:
        made.append(f"settlement_{next(_numbers)}")
        # Without STRATEGY every page goes through the log, which takes twice as long.
        await admin.execute(f"CREATE DATABASE {made[-1]} TEMPLATE {source} STRATEGY FILE_COPY")
        return url.set(database=made[-1]).render_as_string(hide_password=False)

    yield make
    for name in made:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture(scope="session")
def stages(postgres_url: str, valkey_url: str, template: str) -> Stages:
    return Stages(postgres_url, valkey_url, template)


@pytest.fixture
def preparation(request: pytest.FixtureRequest) -> Preparation:
    """Return what is done before a test on the exchange that it gets: what its mark ``prepared`` or its folder says."""
    mark = request.node.get_closest_marker("prepared")
    return nothing if mark is None else mark.kwargs["by"]


@pytest_asyncio.fixture
async def migrated_url(
    request: pytest.FixtureRequest, new_database: NewDatabase, stages: Stages, preparation: Preparation
) -> str:
    """A migrated database: that of ``exchange`` where a test has one, else an empty one."""
    if "exchange" in request.fixturenames:
        return await new_database((await stages.reach(preparation)).database)
    return await new_database()


@pytest_asyncio.fixture
async def engine(migrated_url: str) -> AsyncIterator[AsyncEngine]:
    made = database.connect(migrated_url)
    yield made
    await made.dispose()


@pytest.fixture
def engine_runner(redis: Redis, shard: str) -> EngineRunner:
    return EngineRunner(redis, shard)


@pytest.fixture
def publisher(redis: Redis, shard: str) -> Publisher:
    return Publisher(redis, shard)


@pytest_asyncio.fixture
async def exchange(
    engine: AsyncEngine, engine_runner: EngineRunner, shard: str, stages: Stages, preparation: Preparation
) -> SmallExchange:
    """A small exchange, prepared."""
    await stages.copy_streams(await stages.reach(preparation), shard)
    made = SmallExchange(engine, engine_runner, shard)
    await made.resume()
    return made


@pytest_asyncio.fixture
async def rest(exchange: SmallExchange, migrated_url: str, valkey_url: str, shard: str) -> AsyncIterator[Rest]:
    """The REST of a gateway beside it, for two clerks, an operator, an auditor and a member."""
    settings = Settings(gateway_port=0, shard=shard, staff_process=False)
    async with serving(exchange, settings, valkey_url, migrated_url) as (opened, _):
        yield opened


@pytest.fixture
def configured_database(migrated_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The commands of ``goldx`` work on the test's database, in a folder of its own."""
    monkeypatch.setenv("GOLDX_DATABASE_URL", migrated_url)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def today() -> str:
    """The date in Shanghai as a test begins: a run of all tests may well pass midnight there."""
    return working_days.today().isoformat()
