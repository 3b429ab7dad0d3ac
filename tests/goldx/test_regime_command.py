"""``goldx regime begin``: the first command of an exchange whose services are started one by one."""

import asyncio

import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from goldx.cli import main
from goldx.protocol import terms
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import decode_commands
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys


async def begin() -> Result:
    """Run the command as a person does, beside the loop of the test."""
    return await asyncio.to_thread(CliRunner().invoke, main, ["regime", "begin"])


async def test_it_sets_negotiated_once_and_before_everything_else(
    redis: Redis, shard: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDX_REDIS_URL", valkey_url)
    monkeypatch.setenv("GOLDX_SHARD", shard)
    both = await asyncio.gather(begin(), begin())
    assert [result.exit_code for result in both] == [0, 0]
    assert sorted(result.output for result in both) == [
        "the exchange has begun already: nothing is changed\n",
        "the legal regime is NEGOTIATED\n",
    ]
    ((_, data),) = await Journal(redis, Keys(shard)).read(BEGINNING)
    assert decode_commands(data).commands == (VenueSetRegime(terms.NEGOTIATED, by="goldx regime begin"),)


async def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("GOLDX_REDIS_URL", f"unix://{tmp_path}/missing.sock")
    found = await begin()
    assert found.exit_code == 1
    assert "the journal does not take the first command" in found.output
