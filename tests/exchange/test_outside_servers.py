"""The whole exchange on servers that are not embedded: a real Redis over TCP with a password, and a PostgreSQL."""

from datetime import timedelta
from pathlib import Path

import pytest

from goldx.demo.demonstration import STEPS, Demonstration
from goldx.demo.state import DisplayState
from goldx.hosting.servers import ServerFailed
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from goldx.timetable import calendar
from goldx.timetable.venue_time import today


@pytest.mark.campaign
async def test_the_exchange_is_the_same_on_outside_servers(folder: Path, outside_redis: str, database_url: str) -> None:
    days = calendar.draft(today() - timedelta(days=9), today() + timedelta(days=60), "N")
    (folder / "calendar.csv").write_text(calendar.write(days))
    settings = Settings(
        data_dir=folder / "data",
        redis_url=outside_redis,
        database_url=database_url,
        calendar_file=folder / "calendar.csv",
        shard="outside",
        gateway_port=0,
        console_port=0,
    )
    async with Supervisor(settings) as supervisor:
        assert set(supervisor.services) == {"engine", "settlement", "gateway", "console"}
        outcome = await Demonstration(supervisor, DisplayState(STEPS), seed=7, seconds=3.0).run()
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


async def test_a_server_that_acknowledges_before_it_writes_is_refused(
    folder: Path, outside_redis: str, database_url: str
) -> None:
    client = redis_client.connect(outside_redis)
    await client.config_set("appendfsync", "everysec")
    await client.aclose()
    settings = Settings(data_dir=folder / "data", redis_url=outside_redis, database_url=database_url)
    with pytest.raises(ServerFailed, match=r"(?s)engine ended before it was ready.*appendfsync=everysec"):
        async with Supervisor(settings, services=("engine",)):
            pass
