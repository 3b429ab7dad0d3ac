"""Settlement catches up with many events of the real core, while it and PostgreSQL are killed."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, select, text

from benchmarks import settlement as bench
from goldx.hosting.postgres import start_postgres
from goldx.hosting.valkey import start_valkey
from goldx.protocol.events import HoldingChanged, Trade
from goldx.streams import redis_client
from goldx.streams.event_stream import EventStream
from goldx.streams.keys import Keys
from settlement.base import database
from settlement.reconciliation import three_way
from settlement.service.process import EVENTS_PER_BATCH
from settlement.tables.ledger import ledger_account, ledger_entry, progress, trade
from tests.settlement.service.test_process import scalar
from tests.settlement.service_process import Service

SEED = int(os.environ.get("SEED", "0")) or int.from_bytes(os.urandom(4))


@pytest.mark.timeout(3_000)
@pytest.mark.parametrize(
    "events",
    [pytest.param(65_000, marks=pytest.mark.campaign), pytest.param(1_000_000, marks=pytest.mark.slow)],
)
async def test_it_catches_up_exactly_once_whatever_is_killed(events: int) -> None:
    print(f"SEED={SEED}")
    random = Random(SEED)
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    keys = Keys(bench.SHARD)
    async with contextlib.AsyncExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        valkey = await start_valkey(folder / "valkey")
        cleanup.push_async_callback(valkey.stop)
        redis = redis_client.connect(valkey.url)
        cleanup.push_async_callback(redis.aclose)
        published = await bench.publish(redis, keys, events, SEED, accounts=40)
        postgres = await start_postgres(folder / "postgres")
        service = Service(postgres.url, valkey.url, bench.SHARD)
        await service.start()
        sql = database.connect(postgres.url)
        cleanup.push_async_callback(sql.dispose)
        for part in (published // 5, published // 3, published // 2):
            # Each kill comes at or a little after a given sequence, in the middle of some batch.
            while await scalar(sql, select(progress.c.sequence)) < part:
                await asyncio.sleep(0.01)
            await asyncio.sleep(random.random() * 0.1)
            if part == published // 3:
                await sql.dispose()
                postgres.process.kill()
                await postgres.process.wait()
                postgres = await start_postgres(folder / "postgres")
                assert service.process.returncode is None, "it has waited for the database"
            else:
                await service.end(signal.SIGKILL)
                await service.start()
        cleanup.push_async_callback(postgres.stop)
        cleanup.push_async_callback(service.end, signal.SIGKILL)
        async with asyncio.timeout(2_000):
            while await scalar(sql, select(progress.c.sequence)) != published:
                await asyncio.sleep(0.05)

        trades, held = set(), {}
        reached, stream = 0, EventStream(redis, keys)
        while frames := await stream.read(reached, 500):
            for event in (event for frame in frames for outcome in frame.outcomes for event in outcome):
                if isinstance(event, Trade):
                    trades.add(event.trade_id)
                elif isinstance(event, HoldingChanged):
                    held[event.account, event.asset] = event.total
                reached = event.sequence
        assert reached == published > EVENTS_PER_BATCH
        assert await scalar(sql, select(func.count()).select_from(trade)) == len(trades) > 1_000
        assert await scalar(sql, select(func.max(trade.c.trade_id))) == max(trades) == len(trades)
        posted = select(func.count()).select_from(ledger_entry).where(ledger_entry.c.kind == "trade")
        assert await scalar(sql, posted) == len(trades)
        async with sql.connect() as connection:
            members = select(ledger_account).where(ledger_account.c.kind == "member")
            balances = {(row.name, row.asset): row.balance for row in await connection.execute(members)}
        assert balances == held
        wrong = text("SELECT count(*) FROM (SELECT FROM posting GROUP BY sequence, line HAVING count(*) > 1) x")
        assert await scalar(sql, wrong) == 0
        found = {difference.kind for difference in (await three_way.reconcile(sql, "test")).breaks}
        assert found <= {"UNIDENTIFIED", "POOL_ENGINE", "POOL_LEDGER", "CASH_DOCUMENTS"}, "funded by no document"
        assert int(await redis.get(keys.posted) or 0) == published
        assert await service.end(signal.SIGTERM) == 0


@pytest.mark.campaign
async def test_its_batches_follow_the_size_of_the_frames(valkey_url: str, migrated_url: str, shard: str) -> None:
    """Frames of two thousand commands do not make transactions of a hundred thousand events."""
    redis = redis_client.connect(valkey_url)
    keys = Keys(shard)
    published = await bench.publish(redis, keys, 200_000, SEED, accounts=40)
    await bench.catch_up(migrated_url, valkey_url, shard, published)
    sql = database.connect(migrated_url)
    async with sql.connect() as connection:
        sizes = await connection.execute(
            text("SELECT max(sequence) - min(sequence) FROM ledger_entry GROUP BY xmin::text")
        )
        largest = max(row[0] for row in sizes)
    await sql.dispose()
    await redis.delete(keys.events)
    await redis.aclose()
    assert largest < 2 * EVENTS_PER_BATCH
