"""``goldx regime begin``: the first command of an exchange whose services are started one by one."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis

from goldx.cli import main
from goldx.hosting.first_regime import declare_negotiated
from goldx.hosting.settings import Settings
from goldx.protocol import terms
from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import decode_commands
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys


async def begin() -> Result:
    """Run the command as a person does, beside the loop of the test."""
    return await asyncio.to_thread(CliRunner().invoke, main, ["regime", "begin"])


async def test_it_sets_negotiated_before_everything_else_and_no_second_time(
    redis: Redis, shard: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDX_REDIS_URL", valkey_url)
    monkeypatch.setenv("GOLDX_SHARD", shard)
    found = [await begin() for _ in range(2)]
    assert [result.exit_code for result in found] == [0, 0]
    assert [result.output for result in found] == [
        "the legal regime is NEGOTIATED\n",
        "the exchange has begun already: nothing is changed\n",
    ]
    ((_, data),) = await Journal(redis, Keys(shard)).read(BEGINNING)
    assert decode_commands(data).commands == (VenueSetRegime(terms.NEGOTIATED, by="goldx regime begin"),)


async def test_one_of_several_that_begin_at_once_does_it(redis: Redis, shard: str, valkey_url: str) -> None:
    settings = Settings(shard=shard)
    declared = await asyncio.gather(
        *(declare_negotiated(valkey_url, settings, "goldx serve", settled=True) for _ in range(4))
    )
    assert sorted(declared) == [False, False, False, True]
    ((_, data),) = await Journal(redis, Keys(shard)).read(BEGINNING)
    demand = MarketPermitOpening("", by="goldx serve")
    assert decode_commands(data).commands == (VenueSetRegime(terms.NEGOTIATED, by="goldx serve"), demand)


async def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDX_REDIS_URL", f"unix://{tmp_path}/missing.sock")
    found = await begin()
    assert found.exit_code == 1
    assert "the journal does not take the first command" in found.output
