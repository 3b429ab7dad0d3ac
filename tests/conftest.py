"""Fixtures of all tests: one real Valkey and one real PostgreSQL a session, a new shard and a new database a test."""

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
import structlog
from hypothesis import settings
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from goldx.hosting import collector
from goldx.hosting.embedded import temporary_servers
from goldx.hosting.servers import Server
from goldx.hosting.valkey import start_valkey
from goldx.streams import redis_client
from goldx.streams.connection import RedisConnection
from settlement.base import database
from tests import compiled_statements
from tests import wheel as distribution
from tests.moved_clock import MovedClock
from tests.scratch import Scratch

# No test asserts a time: on a busy machine an example may take any time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

LONG_FILES = ("tests/exchange/", "tests/settlement/closing/", "tests/settlement/planted/", "tests/settlement/year/")

_numbers = itertools.count(1)
_scratch = pytest.StashKey[Scratch]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fault campaign", "only with -m faults")
    group.addoption("--seed", type=int, default=None, help="seed of the first round; each next has the next number")
    group.addoption("--rounds", type=int, default=15, help="rounds of the campaign")
    year = parser.getgroup("simulated year", "only with -m slow, with --seed")
    year.addoption("--days", type=int, default=250, help="trading days of the simulated year")
    year.addoption("--trades", type=int, default=2_000, help="trades of each of its days")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Exempt the modules and tests that are collected from garbage collection: they stay to the end."""
    with collector.paused():
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files, so that at the end of a session no process has a long one left alone."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG_FILES))


def pytest_configure(config: pytest.Config) -> None:
    # Whatever the environment says: without kept bytecode every process that a test starts compiles 250 modules.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # CliRunner replaces sys.stdout of the whole process while a command runs. The services of the test session log to
    # the original one, so that no line of theirs stands in the output that a test reads.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stdout__))
    config.stash[_scratch] = Scratch(config.option.markexpr)


def pytest_report_header(config: pytest.Config) -> str:
    return config.stash[_scratch].description


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_scratch].close()


@pytest.fixture(scope="session", autouse=True)
def _compiled_statements() -> Iterator[None]:
    with compiled_statements.shared():
        yield


@pytest_asyncio.fixture(scope="session")
async def servers() -> AsyncIterator[tuple[Server, Server]]:
    async with temporary_servers(durable=False) as both:
        yield both


@pytest.fixture(scope="session")
def valkey_url(servers: tuple[Server, Server]) -> str:
    return servers[0].url


@pytest.fixture(scope="session")
def postgres_url(servers: tuple[Server, Server]) -> str:
    return servers[1].url


@pytest_asyncio.fixture(scope="session")
async def template(postgres_url: str) -> str:
    """The name of a database at the newest migration, to be copied."""
    url = make_url(postgres_url)
    admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
    await admin.execute("CREATE DATABASE migrated")
    await admin.close()
    await database.migrate(url.set(database="migrated").render_as_string(hide_password=False))
    return "migrated"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return distribution.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def client_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which the wheel is installed alone: the member's client."""
    return distribution.install(wheel, tmp_path_factory.mktemp("client"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, as unix sockets need; it is removed after the test."""
    path = Path(tempfile.mkdtemp(prefix="gx"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def shard() -> str:
    """A shard name that no other test of this session uses: tests share the server, not the keys."""
    return f"t{next(_numbers)}"


@pytest_asyncio.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    client = redis_client.connect(valkey_url)
    yield client
    await client.aclose()


@pytest.fixture
def connection(redis: Redis) -> Iterator[RedisConnection]:
    """A RedisConnection to the same server."""
    connection = RedisConnection(redis)
    yield connection
    connection.close()


@pytest_asyncio.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """A fresh, empty database."""
    url = make_url(postgres_url)
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
    await admin.execute(f"CREATE DATABASE {name}")
    yield url.set(database=name).render_as_string(hide_password=False)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
def moved_clock(tmp_path: Path) -> MovedClock:
    """The clock of ``moved_valkey``."""
    return MovedClock(tmp_path)


@pytest_asyncio.fixture
async def moved_valkey(folder: Path, moved_clock: MovedClock) -> AsyncIterator[Server]:
    """A Valkey whose clock a test sets."""
    server = await start_valkey(folder / "moved", moved_clock.prefix)
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def moved_redis(moved_valkey: Server) -> AsyncIterator[Redis]:
    made = redis_client.connect(moved_valkey.url)
    yield made
    await made.aclose()
