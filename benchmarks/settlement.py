"""The speed at which settlement catches up, beside a plain COPY of the same rows by the driver in the same run.

The events are those of the real core: accounts that trade with each other all the time, in frames of twenty commands,
published on a Valkey of its own. Then the service's own loop posts them, from nothing to the end, on a PostgreSQL of
its own that syncs every commit. The entries, postings and trades that are there afterwards are copied into twins of
their tables (the same columns, keys, indexes and checks, no trigger), in as many transactions: the driver at its best,
with nothing to read, to decode, to balance, to chain or to look up. So that one sees what each guarantee costs, it is
done without keys, without further indexes, and with the triggers of the ledger too.
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
_FURTHER_INDEXES = """
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = CAST($1 AS regclass) AND NOT indisunique
"""
_TRIGGERS = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = CAST($1 AS regclass) AND NOT tgisinternal"


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


class Cost(NamedTuple):
    """Seconds on the clock and of the processors."""

    seconds: float
    cpu: float

    def __add__(self, other: object) -> Cost:
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(self.seconds + other.seconds, self.cpu + other.cpu)


class Step(NamedTuple):
    """Tables that COPY fills, with or without keys, further indexes, and ``rules``: the triggers of the ledger."""

    name: str
    keys: bool = True
    indexes: bool = True
    rules: bool = False


COPY = Step("copy")
STEPS = (
    Step("bare", keys=False, indexes=False),
    Step("keys", indexes=False),
    COPY,
    Step("rules", rules=True),
)
"""Each step has all that the one before has; the reference is the third, which has all but the triggers."""


async def make_twins(driver: Any, step: Step) -> None:
    """Create a schema with empty twins of the ledger's tables, and with its accounts, whose balances are nothing."""
    await driver.execute("CREATE SCHEMA twin")
    for table in (*TABLES, "ledger_account"):
        including = "ALL" if step.keys else "DEFAULTS"
        await driver.execute(f"CREATE TABLE twin.{table} (LIKE public.{table} INCLUDING {including})")
        if not step.indexes:
            for name in await driver.fetch(_FURTHER_INDEXES, f"twin.{table}"):
                await driver.execute(f"DROP INDEX {name[0]}")
        for definition in await driver.fetch(_TRIGGERS, f"public.{table}") if step.rules else ():
            await driver.execute(definition[0].replace(" ON public.", " ON twin."))
    columns = "account_id, name, kind, asset"
    accounts = f"SELECT {columns} FROM public.ledger_account"
    await driver.execute(f"INSERT INTO twin.ledger_account ({columns}) OVERRIDING SYSTEM VALUE {accounts}")


async def copy_again(driver: Any, step: Step, transactions: int, servers: Sequence[Server]) -> dict[str, Cost]:
    """Copy the rows of the ledger's tables, in as many transactions, into twins of them; return each one's cost."""
    await make_twins(driver, step)
    # The triggers find the twins by the names of the tables.
    await driver.execute("SET search_path = twin, public")
    last = await driver.fetchval("SELECT max(sequence) FROM public.ledger_entry")
    size = -(-last // transactions)
    found = dict.fromkeys(TABLES, Cost(0.0, 0.0))
    for after in range(0, last, size):
        part = f"WHERE sequence > {after} AND sequence <= {after + size} ORDER BY sequence"
        rows = {table: [*map(tuple, await driver.fetch(f"SELECT * FROM public.{table} {part}"))] for table in TABLES}
        async with driver.transaction():
            for table in TABLES:
                spent, began = processor_seconds(*servers), time.perf_counter()
                await driver.copy_records_to_table(table, schema_name="twin", records=rows[table])
                found[table] += Cost(time.perf_counter() - began, processor_seconds(*servers) - spent)
            spent, began = processor_seconds(*servers), time.perf_counter()
        found[TABLES[-1]] += Cost(time.perf_counter() - began, processor_seconds(*servers) - spent)
    if step.rules:
        wrong = await driver.fetchval(
            "SELECT count(*) FROM public.ledger_account a JOIN twin.ledger_account t USING (account_id) "
            "WHERE a.balance <> t.balance"
        )
        assert not wrong, "the triggers have moved the twins' balances as the ledger's"
    await driver.execute("RESET search_path; SET client_min_messages = warning; DROP SCHEMA twin CASCADE")
    return found


class Round(NamedTuple):
    """One round: the service, and COPY alone in each step, by table."""

    posted: Point
    copied: dict[str, dict[str, Cost]]

    def cost(self, step: str, *tables: str) -> Cost:
        """Return what COPY of these tables has cost in a step."""
        return sum((self.copied[step][table] for table in tables or TABLES), Cost(0.0, 0.0))

    def ratio(self, step: str, *tables: str) -> float:
        """Return the time of COPY of these tables to that of the service."""
        return self.cost(step, *tables).seconds / self.posted.seconds

    def cpu_ratio(self, step: str) -> float:
        """Return the processor time of COPY to that of the service."""
        return self.cost(step).cpu / self.posted.cpu


def processor_seconds(*servers: Server) -> float:
    """Return the processor seconds of this process and of the servers with all their children, until now."""
    found = time.process_time()
    ticks = 0
    for server in servers:
        process = Path("/proc", str(server.pid))
        ticks += sum(int(field) for field in _fields(process)[11:15])
        for child in (process / "task" / str(server.pid) / "children").read_text().split():
            with contextlib.suppress(OSError):
                ticks += sum(int(field) for field in _fields(Path("/proc", child))[11:13])
    return found + ticks / os.sysconf("SC_CLK_TCK")


def _fields(process: Path) -> list[str]:
    return (process / "stat").read_text().rpartition(")")[2].split()


async def measure(events: int, rounds: int, seed: int, accounts: int, points: int = 1) -> dict[str, Any]:
    """Run rounds of both, each on a fresh database, and return medians with the lowest and highest of the rounds.

    With several ``points``, the speed in each of so many equal parts of the events in the last round instead of COPY.
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
            copied = {step.name: await copy_again(driver, step, batches, servers) for step in STEPS if points == 1}
            found.append(Round(way[-1], copied))
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
        "catch_up_cpu_s": round(median(one.posted.cpu for one in found), 3),
        **({"growth": _growth(way, counts["posting"])} if points > 1 else _beside_copy(found, counts["trade"])),
    }


def _beside_copy(found: Sequence[Round], trades: int) -> dict[str, Any]:
    """Return how the service compares with COPY: the ratios of the rounds, and what each step of COPY costs."""
    return {
        "copy_s": round(median(one.cost("copy").seconds for one in found), 3),
        **_spread("ratio", [one.ratio("copy") for one in found]),
        **_spread("ratio_to_rules", [one.ratio("rules") for one in found]),
        **_spread("ratio_to_postings_alone", [one.ratio("copy", "posting") for one in found]),
        "copy_cpu_s": round(median(one.cost("copy").cpu for one in found), 3),
        **_spread("cpu_ratio", [one.cpu_ratio("copy") for one in found]),
        **_spread("cpu_ratio_to_rules", [one.cpu_ratio("rules") for one in found]),
        "steps": _steps(found, trades),
    }


def _spread(name: str, ratios: Sequence[float]) -> dict[str, Any]:
    return {name: round(median(ratios), 3), f"{name}_spread": [round(min(ratios), 3), round(max(ratios), 3)]}


def _steps(rounds: Sequence[Round], trades: int) -> list[dict[str, Any]]:
    """Return the medians of each step of COPY, and of the service, in µs for each trade."""
    costs = {step.name: [one.cost(step.name) for one in rounds] for step in STEPS}
    costs["service"] = [Cost(one.posted.seconds, one.posted.cpu) for one in rounds]
    return [
        {
            "step": name,
            "us": round(median(one.seconds for one in found) / trades * 1e6, 1),
            "cpu_us": round(median(one.cpu for one in found) / trades * 1e6, 1),
        }
        for name, found in costs.items()
    ]


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
