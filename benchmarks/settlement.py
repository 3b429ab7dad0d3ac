"""The speed at which settlement catches up, beside a plain COPY of the same postings by the driver in the same run.

The events are those of the real core: accounts that trade with each other all the time, in frames of twenty commands,
published on a Valkey of its own. Then the service's own loop posts them, from nothing to the end, on a PostgreSQL of
its own that syncs every commit. The postings that are there afterwards are copied into a bare twin of their table (the
same columns, keys, indexes and checks, no trigger), in as many transactions: the driver at its best, with nothing to
decode, to balance or to look up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

import asyncpg
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from goldx.hosting import collector
from goldx.hosting.embedded import temporary_servers
from goldx.hosting.servers import Server
from goldx.protocol.commands import AccountOpen, AnyCommand, HoldingAdjust, InstrumentDefine, MarketSetPhase, OrderPlace
from goldx.protocol.terms import BUY, CONTINUOUS, LIMIT, SELL
from goldx.protocol.units import CASH
from goldx.streams.chains import NO_FRAME, FrameWriter, event_frame, frame_hash
from goldx.streams.entries import FIELD, Position
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from matching.core.engine import Engine
from matching.run.fold import Fold
from settlement.base import database
from settlement.service.process import Settlement

SYMBOLS = tuple(f"AU-{number}" for number in range(4))
SHARD = "bench"
COMMANDS_PER_FRAME = 20
FRAMES_AT_ONCE = 200


def commands(seed: int, accounts: int) -> Iterator[AnyCommand]:
    """Yield instruments, funded accounts, then orders without end, most of which trade."""
    random = Random(seed)
    names = [f"F{number // 4}.{number}" for number in range(accounts)]
    for symbol in SYMBOLS:
        yield InstrumentDefine(symbol, reference_price=60_000, maker_fee_bp=1, taker_fee_bp=3)
        yield MarketSetPhase(symbol, CONTINUOUS)
    for name in names:
        yield AccountOpen(name, name.partition(".")[0], owner=name)
        for asset, amount in ((CASH, 10**14), *((symbol, 10**12) for symbol in SYMBOLS)):
            yield HoldingAdjust(name, asset, amount, f"{name}-{asset}")
    number = 0
    while True:
        number += 1
        price = 60_000 + random.randint(-5, 5)
        name, symbol, side = random.choice(names), random.choice(SYMBOLS), random.choice((BUY, SELL))
        yield OrderPlace(name, f"o{number}", symbol, side, LIMIT, random.randint(1, 9) * 1_000, price)


async def publish(redis: Redis, keys: Keys, events: int, seed: int, accounts: int) -> int:
    """Publish at least so many events of the real core and return how many."""
    fold = Fold(Engine())
    flow = commands(seed, accounts)
    writer, previous, number = FrameWriter("bench.1"), NO_FRAME, 0
    while fold.engine.sequence < events:
        async with redis.pipeline(transaction=False) as pipe:
            for _ in range(FRAMES_AT_ONCE):
                number += 1
                data = writer.make(tuple(next(flow) for _ in range(COMMANDS_PER_FRAME)))
                writer.arrived()
                made = fold.apply(Position(1_700_000_000_000 + number, 0), data)
                if made is not None:
                    frame = event_frame(made.body, 1, previous)
                    previous = frame_hash(frame)
                    pipe.xadd(keys.events, {FIELD: frame}, id=f"{made.last}-0")
            await pipe.execute()
    return fold.engine.sequence


async def catch_up(database_url: str, redis_url: str, shard: str, events: int) -> float:
    """Return the seconds that the service takes to post everything, its start not counted."""
    service = Settlement(database_url, redis_url, shard)
    await service.open()
    collector.tune_for_service()
    began = time.perf_counter()
    working = asyncio.create_task(service.run())
    while service.reached < events:
        if working.done():
            working.result()
        await asyncio.sleep(0.005)
    took = time.perf_counter() - began
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await service.close()
    return took


async def plain_copy(driver: Any, postings: list[tuple[int, int, int, int]], transactions: int) -> float:
    """Return the seconds of COPY alone for the same postings in as many transactions, into a twin of their table."""
    await driver.execute("CREATE TABLE twin (LIKE posting INCLUDING ALL)")
    size = -(-len(postings) // transactions)
    began = time.perf_counter()
    for start in range(0, len(postings), size):
        async with driver.transaction():
            await driver.copy_records_to_table("twin", records=postings[start : start + size])
    took = time.perf_counter() - began
    await driver.execute("DROP TABLE twin")
    return took


class Round(NamedTuple):
    """One round in seconds: on the clock, and of the processors (service or driver, and both servers)."""

    catch_up: float
    copy: float
    catch_up_cpu: float
    copy_cpu: float


def processor_seconds(*servers: Server) -> float:
    """Return the processor seconds of this process and of the servers with all their children, until now."""
    ticks = 0
    pids = {server.pid for server in servers}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(stat.parent.name) in pids:
                ticks += sum(int(field) for field in fields[11:15])
            elif int(fields[1]) in pids:
                ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


async def measure(events: int, rounds: int, seed: int, accounts: int) -> dict[str, Any]:
    """Run rounds of both, each on a fresh database, and return medians."""
    async with temporary_servers(durable=True) as (valkey, postgres):
        redis = connect(valkey.url)
        published = await publish(redis, Keys(SHARD), events, seed, accounts)
        await redis.aclose()
        url = make_url(postgres.url)
        admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
        found: list[Round] = []
        for number in range(rounds):
            await admin.execute(f"CREATE DATABASE round_{number}")
            fresh = url.set(database=f"round_{number}").render_as_string(hide_password=False)
            await database.migrate(fresh)
            before = processor_seconds(valkey, postgres)
            took = await catch_up(fresh, valkey.url, SHARD, published)
            spent = processor_seconds(valkey, postgres) - before
            driver = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database=f"round_{number}")
            rows = await driver.fetch("SELECT sequence, line, account_id, amount FROM posting ORDER BY sequence, line")
            postings = [tuple(row) for row in rows]
            trades = await driver.fetchval("SELECT count(*) FROM trade")
            batches = await driver.fetchval("SELECT count(DISTINCT xmin::text) FROM ledger_entry")
            before = processor_seconds(valkey, postgres)
            copied = await plain_copy(driver, postings, batches)
            found.append(Round(took, copied, spent, processor_seconds(valkey, postgres) - before))
            await driver.close()
            await admin.execute(f"DROP DATABASE round_{number}")
        await admin.close()
    slow, fast = median(one.catch_up for one in found), median(one.copy for one in found)
    return {
        "events": published,
        "trades": trades,
        "postings": len(postings),
        "transactions": batches,
        "events_per_s": round(published / slow),
        "trades_per_s": round(trades / slow),
        "copy_postings_per_s": round(len(postings) / fast),
        "catch_up_s": round(slow, 3),
        "copy_s": round(fast, 3),
        "ratio": round(median(one.copy / one.catch_up for one in found), 3),
        "cpu_ratio": round(median(one.copy_cpu / one.catch_up_cpu for one in found), 3),
        "catch_up_cpu_s": round(median(one.catch_up_cpu for one in found), 3),
        "copy_cpu_s": round(median(one.copy_cpu for one in found), 3),
    }
