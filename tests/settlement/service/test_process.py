"""The service as a real process: killed in the middle of its work, left without its servers, given a broken stream."""

import asyncio
import contextlib
import random
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.hosting.health import Unhealthy
from goldx.hosting.postgres import start_postgres
from goldx.hosting.settings import Settings
from goldx.hosting.valkey import start_valkey
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from settlement.base import database
from settlement.ledger import cash
from settlement.reconciliation import three_way
from settlement.service import health, movements
from settlement.service.process import Settlement
from settlement.service.writer import WrongStream
from settlement.tables.ledger import outbox, progress, trade
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.publisher import Publisher
from tests.settlement.service_process import Service
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange


async def scalar(engine: AsyncEngine, query: Any) -> Any:
    async with engine.connect() as connection:
        return await connection.scalar(query)


async def until_posted(engine: AsyncEngine, sequence: int) -> None:
    async with asyncio.timeout(60):
        while not await scalar(engine, text("SELECT to_regclass('progress')")):
            await asyncio.sleep(0.05)
        while await scalar(engine, select(progress.c.sequence)) != sequence:
            await asyncio.sleep(0.05)


async def until_blocked(engine: AsyncEngine) -> None:
    """Until some transaction waits for a lock."""
    async with asyncio.timeout(60):
        while not await scalar(engine, text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            await asyncio.sleep(0.05)


@pytest.mark.campaign
async def test_killed_in_the_middle_of_a_transaction_everything_is_posted_once(
    service: Service, engine: AsyncEngine, publisher: Publisher
) -> None:
    """A lock on one balance stops the service where entries and postings are written and the sequence is not."""
    seed = random.randrange(10**6)
    print("seed", seed)
    dice = random.Random(seed)
    await publisher.publish_funds()
    await service.start()
    await until_posted(engine, publisher.sequence)
    for _ in range(2):
        async with engine.begin() as connection:
            await connection.execute(text("SELECT FROM ledger_account WHERE name = 'A.H' AND asset = 'CNY' FOR UPDATE"))
            for _ in range(dice.randint(1, 100)):
                for _ in range(dice.randint(1, 5)):
                    buyer, seller = dice.sample(("A.H", "B.H"), 2)
                    publisher.trade(buyer, seller, "AU", dice.randint(50_000, 70_000), 1_000, dice.randint(0, 50))
                await publisher.publish()
            await until_blocked(engine)
            assert await service.end(signal.SIGKILL) == -signal.SIGKILL
        await service.start(wait=False)
    await until_posted(engine, publisher.sequence)
    assert await scalar(engine, select(func.count()).select_from(trade)) == publisher.trades
    found = (await three_way.reconcile(engine, "test")).breaks
    assert {difference.kind for difference in found} == {"UNIDENTIFIED", "POOL_ENGINE", "TRADE_FEE"}, (
        "no documents, no rates"
    )
    assert await service.end(signal.SIGTERM) == 0


async def test_that_no_settlement_runs_is_noticed_though_nothing_waits(
    migrated_url: str, valkey_url: str, redis: Redis, shard: str
) -> None:
    settings = Settings(redis_url=valkey_url, database_url=migrated_url, shard=shard)
    with pytest.raises(Unhealthy, match="posted to event 0 of 0, but settlement has done nothing for 20 s"):
        await health.settlement(settings)
    running = Settlement(migrated_url, valkey_url, shard, allow_weak_durability=True)
    await running.open()
    working = asyncio.create_task(running.run())
    while not await redis.exists(Keys(shard).heartbeat("settlement")):
        await asyncio.sleep(0.01)
    assert await health.settlement(settings) == "posted to event 0 of 0"
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await running.close()


async def test_the_outbox_survives_a_kill(
    service: Service, engine: AsyncEngine, engine_runner: EngineRunner, shard: str
) -> None:
    """Every approved movement happens once, though the service is killed while it sends."""
    exchange = SmallExchange(engine, engine_runner, shard)
    await exchange.build()
    expected = 0
    for number in range(4):
        async with engine.begin() as connection:
            proposal = await cash.propose(connection, ONE, "A.H", 1_000 + number, f"bank-{number}")
        async with engine.begin() as connection:
            await movements.approve(connection, OTHER, proposal)
        expected += 1_000 + number
        await service.start(wait=number % 2 == 0)
        await engine_runner.advance()
        await service.end(signal.SIGKILL)
    await service.start()
    async with asyncio.timeout(60):
        while await scalar(engine, select(func.count()).where(outbox.c.status == "DONE")) < 4:
            await engine_runner.advance()
            await asyncio.sleep(0.05)
    assert exchange.held("A.H") == expected
    assert (await three_way.reconcile(engine, "test")).breaks == ()
    assert await service.end(signal.SIGTERM) == 0


async def test_a_gap_in_the_stream_stops_it_with_an_error(
    service: Service, engine: AsyncEngine, publisher: Publisher
) -> None:
    await publisher.publish_funds()
    await service.start()
    await until_posted(engine, publisher.sequence)
    publisher.trade("A.H", "B.H", "AU", 60_000, 1_000)
    publisher.take_frame()
    publisher.trade("A.H", "B.H", "AU", 60_000, 1_000)
    await publisher.publish()
    assert await asyncio.wait_for(service.process.wait(), 30) == 1
    errors = await service.errors()
    assert '"kind": "EventsMissing", "reason": "the event stream continues with sequence' in errors
    assert "Traceback" not in errors
    assert await scalar(engine, select(func.count()).select_from(trade)) == 0


async def test_another_stream_than_the_one_posted_is_refused(
    migrated_url: str, valkey_url: str, shard: str, redis: Redis, publisher: Publisher
) -> None:
    """The events were lost with their server, and others have taken their numbers."""
    await publisher.publish_funds()
    service = Settlement(migrated_url, valkey_url, shard)
    assert await service.open() == 0
    working = asyncio.create_task(service.run())
    engine = database.connect(migrated_url)
    await until_posted(engine, publisher.sequence)
    working.cancel()
    assert await service.open() == publisher.sequence
    await redis.delete(publisher.keys.events)
    with pytest.raises(WrongStream, match="ends before sequence"):
        await service.open()
    other = Publisher(redis, shard)
    other.at = 2
    await other.publish_funds()
    with pytest.raises(WrongStream, match="is of 2; the one that is posted, of 1"):
        await service.open()
    await service.close()
    await engine.dispose()


async def test_it_waits_for_servers_that_are_away_and_goes_on() -> None:
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    async with contextlib.AsyncExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = await start_postgres(folder / "postgres", durable=False)
        valkey = await start_valkey(folder / "valkey")
        client = redis_client.connect(valkey.url)
        publisher = Publisher(client, "0")
        await publisher.publish_funds()
        await valkey.stop()
        await postgres.stop()

        service = Service(postgres.url, valkey.url, "0")
        await service.start(wait=False)
        cleanup.push_async_callback(service.end, signal.SIGKILL)
        postgres = await start_postgres(folder / "postgres", durable=False)
        valkey = await start_valkey(folder / "valkey")
        engine = database.connect(postgres.url)
        await until_posted(engine, publisher.sequence)
        await engine.dispose()

        await postgres.stop()
        publisher.trade("A.H", "B.H", "AU", 60_000, 1_000)
        await publisher.publish()
        await valkey.stop()
        valkey = await start_valkey(folder / "valkey")
        cleanup.push_async_callback(valkey.stop)
        publisher.trade("B.H", "A.H", "AU", 60_000, 1_000)
        await publisher.publish()
        postgres = await start_postgres(folder / "postgres", durable=False)
        cleanup.push_async_callback(postgres.stop)

        engine = database.connect(postgres.url)
        await until_posted(engine, publisher.sequence)
        assert await scalar(engine, select(func.count()).select_from(trade)) == 2
        assert service.process.returncode is None
        assert await service.end(signal.SIGTERM) == 0
        await engine.dispose()
        await client.aclose()
