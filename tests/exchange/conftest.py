"""Fixtures of tests that run whole exchanges."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from itertools import repeat
from pathlib import Path

import pytest
import pytest_asyncio
from redis.exceptions import RedisError

from goldx.retry import is_any_of, retry
from goldx.streams import redis_client

OUTSIDE_PASSWORD = "of-this-test-alone"


@pytest.fixture
def working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a short path that is the working directory, for commands that are typed in it."""
    monkeypatch.chdir(folder)
    return folder


@pytest_asyncio.fixture
async def outside_redis(folder: Path) -> AsyncIterator[str]:
    """The URL of Debian's redis-server, run as an operator would run it for an exchange."""
    binary = shutil.which("redis-server")
    if binary is None:
        assert not os.environ.get("CI"), "the package redis-server is missing, and CI skips nothing"
        pytest.skip("needs a real Redis: sudo apt-get install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "redis").mkdir()
    options = f"--port {port} --bind 127.0.0.1 --dir {folder / 'redis'} --requirepass {OUTSIDE_PASSWORD}"
    durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
    process = await asyncio.create_subprocess_exec(
        "setpriv", "--pdeathsig", "TERM", binary, *options.split(), *durable, stdout=asyncio.subprocess.DEVNULL
    )
    url = f"redis://:{OUTSIDE_PASSWORD}@127.0.0.1:{port}/0"
    client = redis_client.connect(url)
    async with asyncio.timeout(20):
        information = await retry(lambda: client.info("server"), is_any_of(RedisError), repeat(0.05))
    await client.aclose()
    assert "valkey_version" not in information
    yield url
    process.terminate()
    await process.wait()
