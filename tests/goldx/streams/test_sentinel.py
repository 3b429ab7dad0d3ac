"""URLs of Sentinels, and that a broken connection is made again to whichever server is the primary then."""

import asyncio
from itertools import repeat
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from goldx.hosting.errors import BadSettings
from goldx.hosting.settings import Settings, masked
from goldx.retry import is_any_of, retry
from goldx.streams import redis_client
from goldx.streams.sentinel import Address, parse
from tests.faults.redundant import RedundantServers


def test_a_url_names_sentinels_service_and_secrets() -> None:
    found = parse("redis+sentinel://user:p%40ss@one:1,two/gold?db=3&sentinel_password=word")
    assert found == Address((("one", 1), ("two", 26_379)), "gold", 3, "user", "p@ss", {"password": "word"})


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://host:1",
        "redis+sentinel:///gold",
        "redis+sentinel://host:0/gold",
        "redis+sentinel://host:70000/gold",
        "redis+sentinel://host:x/gold",
        "redis+sentinel://one,,two/gold",
        "redis+sentinel://host/gold?db=x",
        "redis+sentinel://host/gold?colour=red",
        "redis+sentinel://host/a/b",
    ],
)
def test_a_wrong_url_is_refused_with_the_settings(url: str) -> None:
    with pytest.raises(BadSettings, match=r"redis_url: .* is not allowed; .*redis\+sentinel://host:26379,host:26379"):
        Settings(redis_url=url)


def test_passwords_are_masked() -> None:
    assert "secret" not in masked("redis_url", "redis+sentinel://u:secret@one,two/gold?sentinel_password=secret2")


@pytest.mark.parametrize("single_connection", [False, pytest.param(True, marks=pytest.mark.campaign)])
async def test_a_client_finds_the_new_primary(folder: Path, single_connection: bool) -> None:
    """Also with a single connection, while the former primary is back as a replica and would answer it."""
    servers = RedundantServers(folder)
    try:
        await servers.start()
        client = redis_client.connect(servers.url, single_connection=single_connection)
        await client.set("k", "v")
        await servers.kill_primary()
        await servers.fail_over()
        async with asyncio.timeout(20):
            await retry(lambda: client.set("k", "w"), is_any_of(RedisError, OSError), repeat(0.05))
        await client.aclose()
    finally:
        await servers.stop()
