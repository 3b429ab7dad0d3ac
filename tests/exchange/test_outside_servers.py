"""The whole exchange on servers that are not its own: a real Redis over TCP with a password, and a PostgreSQL."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis.exceptions import RedisError

from goldx.demo.display import Board
from goldx.demo.play import STEPS, Play
from goldx.hosting import embedded
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from goldx.streams import redis_client
from goldx.streams.keys import Keys

PASSWORD = "of-this-test-alone"


@pytest_asyncio.fixture
async def outside_redis(folder: Path) -> AsyncIterator[str]:
    """Debian's redis-server, as an operator would run it for an exchange."""
    binary = shutil.which("redis-server")
    if binary is None:
        assert not os.environ.get("CI"), "the package redis-server is missing, and CI skips nothing"
        pytest.skip("needs a real Redis: sudo apt-get install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "redis").mkdir()
    options = f"--port {port} --bind 127.0.0.1 --dir {folder / 'redis'} --requirepass {PASSWORD}"
    durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
    process = await asyncio.create_subprocess_exec(
        "setpriv", "--pdeathsig", "TERM", binary, *options.split(), *durable, stdout=asyncio.subprocess.DEVNULL
    )
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    client = redis_client.connect(url)
    async with asyncio.timeout(20):
        while True:
            try:
                information = await client.info("server")
                break
            except RedisError:
                await asyncio.sleep(0.05)
    await client.aclose()
    assert "valkey_version" not in information
    yield url
    process.terminate()
    await process.wait()


async def test_the_exchange_is_the_same_on_outside_servers(folder: Path, outside_redis: str, database_url: str) -> None:
    settings = Settings(
        data_dir=folder / "data",
        redis_url=outside_redis,
        database_url=database_url,
        shard="outside",
        gateway_port=0,
        console_port=0,
    )
    async with Supervisor(settings) as exchange:
        assert set(exchange.services) == {"engine", "settlement", "gateway", "console"}
        outcome = await Play(exchange, Board(STEPS), seed=7, seconds=3.0).run()
    assert outcome.disagreements == []
    assert outcome.breaks == 0
    assert outcome.ledger_trades == outcome.trades > 20
    assert outcome.withdrawals == 1
    assert "always" in outcome.durability

    client = redis_client.connect(outside_redis)
    assert await client.exists(Keys("outside").journal)
    await client.aclose()
    assert not (folder / "data" / "valkey").exists()
    assert not (folder / "data" / "postgres").exists()


async def test_a_server_that_forgets_is_refused(folder: Path, outside_redis: str, database_url: str) -> None:
    client = redis_client.connect(outside_redis)
    await client.config_set("appendfsync", "everysec")
    await client.aclose()
    settings = Settings(data_dir=folder / "data", redis_url=outside_redis, database_url=database_url)
    with pytest.raises(embedded.ServerFailed, match=r"(?s)engine ended before it was ready.*appendfsync=everysec"):
        async with Supervisor(settings, services=("engine",)):
            pass
