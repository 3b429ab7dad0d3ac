"""The speed at which settlement catches up, beside a plain COPY of the same rows by the driver in the same run.

The events are those of the real core: accounts that trade with each other all the time, in frames of twenty commands,
published on a Valkey of its own. Then the service's own loop posts them, from nothing to the end, on a PostgreSQL of
its own that syncs every commit. The entries, postings and trades that are there afterwards are copied into bare twins
of their tables (the same columns, keys, indexes and checks, no trigger), in as many transactions: the driver at its
best, with nothing to read, to decode, to balance, to chain or to look up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
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
TABLES = ("ledger_entry", "posting", "trade")
"""The tables that get a row, or several, of each trade."""


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


class Point(NamedTuple):
    """How far settlement was after some seconds on the clock and of its own and the servers' processors."""

    reached: int
    seconds: float
    cpu: float


async def catch_up(
    database_url: str, redis_url: str, shard: str, events: int, servers: Sequence[Server] = (), points: int = 1
) -> list[Point]:
    """Post everything; return where the service was after each of so many equal parts of the events.

    The seconds count from the moment at which the service was ready.
    """
    service = Settlement(database_url, redis_url, shard)
    await service.open()
    collector.tune_for_service()
    spent = processor_seconds(*servers)
    began = time.perf_counter()
    working = asyncio.create_task(service.run())
    found: list[Point] = []
    for part in range(1, points + 1):
        while service.reached < events * part // points:
            if working.done():
                working.result()
            await asyncio.sleep(0.005)
        found.append(Point(service.reached, time.perf_counter() - began, processor_seconds(*servers) - spent))
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await service.close()
    return found


class Copied(NamedTuple):
    """Seconds that COPY alone took for the rows of each table, on the clock and of the processors."""

    seconds: dict[str, float]
    cpu: dict[str, float]


async def plain_copy(driver: Any, transactions: int, servers: Sequence[Server]) -> Copied:
    """Copy the rows of the ledger's tables, in as many transactions, into twins of these tables, and drop those."""
    seconds, cpu = {}, {}
    for table in TABLES:
        rows = [tuple(row) for row in await driver.fetch(f"SELECT * FROM {table} ORDER BY sequence")]
        await driver.execute(f"CREATE TABLE twin_{table} (LIKE {table} INCLUDING ALL)")
        size = -(-len(rows) // transactions)
        spent, began = processor_seconds(*servers), time.perf_counter()
        for start in range(0, len(rows), size):
            async with driver.transaction():
                await driver.copy_records_to_table(f"twin_{table}", records=rows[start : start + size])
        seconds[table], cpu[table] = time.perf_counter() - began, processor_seconds(*servers) - spent
        await driver.execute(f"DROP TABLE twin_{table}")
    return Copied(seconds, cpu)


class Round(NamedTuple):
    """One round: the service, and COPY alone."""

    posted: Point
    copied: Copied

    def ratio(self, *tables: str, cpu: bool = False) -> float:
        """Return the time of COPY of these tables to that of the service, on the clock or of the processors."""
        of_copy, of_service = (self.copied.cpu, self.posted.cpu) if cpu else (self.copied.seconds, self.posted.seconds)
        return sum(of_copy[table] for table in tables) / of_service


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


async def measure(events: int, rounds: int, seed: int, accounts: int, points: int = 1) -> dict[str, Any]:
    """Run rounds of both, each on a fresh database, and return medians with the lowest and highest of the rounds.

    With several ``points``, also the speed in each of so many equal parts of the events, in the last round.
    """
    async with temporary_servers(durable=True) as servers:
        valkey, postgres = servers
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
            way = await catch_up(fresh, valkey.url, SHARD, published, servers, points)
            driver = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database=f"round_{number}")
            counts = {table: await driver.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}
            batches = await driver.fetchval("SELECT count(DISTINCT xmin::text) FROM ledger_entry")
            found.append(Round(way[-1], await plain_copy(driver, batches, servers)))
            await driver.close()
            await admin.execute(f"DROP DATABASE round_{number}")
        await admin.close()
    slow = median(one.posted.seconds for one in found)
    return {
        "events": published,
        "trades": counts["trade"],
        "entries": counts["ledger_entry"],
        "postings": counts["posting"],
        "transactions": batches,
        "rounds": rounds,
        "events_per_s": round(published / slow),
        "trades_per_s": round(counts["trade"] / slow),
        "catch_up_s": round(slow, 3),
        "copy_s": round(median(sum(one.copied.seconds.values()) for one in found), 3),
        **_spread("ratio", [one.ratio(*TABLES) for one in found]),
        **_spread("ratio_to_postings_alone", [one.ratio("posting") for one in found]),
        "catch_up_cpu_s": round(median(one.posted.cpu for one in found), 3),
        "copy_cpu_s": round(median(sum(one.copied.cpu.values()) for one in found), 3),
        **_spread("cpu_ratio", [one.ratio(*TABLES, cpu=True) for one in found]),
        **({"growth": _growth(way, counts["posting"])} if points > 1 else {}),
    }


def _spread(name: str, ratios: Sequence[float]) -> dict[str, Any]:
    return {name: round(median(ratios), 3), f"{name}_spread": [round(min(ratios), 3), round(max(ratios), 3)]}


def _growth(way: Sequence[Point], postings: int) -> list[dict[str, Any]]:
    """Return, for each part of the events, postings by its end, and µs for each of its postings."""
    found = []
    before = Point(0, 0.0, 0.0)
    for point in way:
        made = postings * (point.reached - before.reached) / way[-1].reached
        found.append(
            {
                "postings": round(postings * point.reached / way[-1].reached),
                "us": round((point.seconds - before.seconds) / made * 1e6, 2),
                "cpu_us": round((point.cpu - before.cpu) / made * 1e6, 2),
            }
        )
        before = point
    return found
