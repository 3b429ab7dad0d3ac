"""Days are made, posted, closed and reconciled, each on a database of its own; the steps of the close are timed.

What is named beside them is reading: the time in which the driver reads the postings and trades of the day once, as
tuples. Whoever computes something from every trade of a day in Python cannot be faster than that.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import make_url

from benchmarks.closing.exchange import ONE, Exchange
from benchmarks.settlement import processor_seconds
from goldx.hosting.embedded import temporary_servers
from goldx.hosting.postgres import start_postgres
from goldx.hosting.servers import Server
from goldx.hosting.valkey import start_valkey
from goldx.streams.redis_client import connect
from settlement.base import database, working_days
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing.progress import StepProgress
from settlement.documents.closing import DONE
from settlement.reconciliation import three_way

PARTS: Final = (0.1, 0.3, 1.0)
Report = Callable[[str], None]


class Closed(NamedTuple):
    """The seconds of each step of a close, in their order, and its processor seconds with those of the servers."""

    day: date
    steps: dict[str, float]
    cpu: dict[str, float]

    @property
    def seconds(self) -> float:
        """The seconds of the whole close."""
        return sum(self.steps.values())


class _Clock:
    """Takes the time of each step from the reports of the close."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.steps: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self._servers = servers
        self._since = (time.perf_counter(), processor_seconds(*servers))

    def __call__(self, made: StepProgress) -> None:
        if made.of:
            return
        now = (time.perf_counter(), processor_seconds(*self._servers))
        if made.status == DONE:
            self.steps[made.step], self.cpu[made.step] = (
                after - before for after, before in zip(now, self._since, strict=True)
            )
        self._since = now


async def close(exchange: Exchange, servers: Sequence[Server]) -> Closed:
    """Close the one day that is over, and sign it."""
    clock = _Clock(servers)
    (closed,) = await closing.close(exchange.engine, ONE, clock)
    await exchange.sign(closed)
    return Closed(closed, clock.steps, clock.cpu)


async def _timed(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = await work()
    return time.perf_counter() - began, found


async def _reading(url: str, day: days.Day) -> float:
    """Return the seconds in which the driver reads the postings and trades of a day."""
    target = make_url(url)
    driver = await asyncpg.connect(host=str(target.query["host"]), user=target.username, database=target.database)
    began = time.perf_counter()
    for table in ("posting", "trade"):
        await driver.fetch(f"SELECT * FROM {table} WHERE sequence BETWEEN $1 AND $2", day.first, day.last)
    took = time.perf_counter() - began
    await driver.close()
    return took


class Bench:
    """Databases of one PostgreSQL and streams of one Valkey, an exchange on each.

    A big day is made once: its database is named after its size and has everything up to the evening before, and the
    stream has the day's events. Each measurement takes a copy of that database.
    """

    def __init__(self, servers: tuple[Server, Server], accounts: int, seed: int, report: Report) -> None:
        self._servers = servers
        self._redis_url, self._database_url = servers[0].url, make_url(servers[1].url)
        self._accounts = accounts
        self._seed = seed
        self._report = report

    def _url(self, name: str) -> str:
        return self._database_url.set(database=name).render_as_string(hide_password=False)

    async def _admin(self, *statements: str) -> list[Any]:
        """Run statements outside the measured databases, and return the rows of the last one."""
        url = self._database_url
        admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
        try:
            found: list[Any] = []
            for statement in statements:
                found = await admin.fetch(statement)
            return found
        finally:
            await admin.close()

    @asynccontextmanager
    async def _exchange(self, name: str, shard: str) -> AsyncIterator[Exchange]:
        url = self._url(name)
        await database.migrate(url)
        engine, redis = database.connect(url), connect(self._redis_url)
        try:
            yield Exchange(engine, redis, shard, self._accounts, self._seed)
        finally:
            await redis.aclose()
            await engine.dispose()

    async def _make(self, name: str, trades: int, lots: int) -> None:
        """Make a day, unless it is there from an earlier run."""
        made = f"{trades} trades, {lots} lots, {self._accounts} accounts, seed {self._seed}"
        comment = "SELECT shobj_description(oid, 'pg_database') AS made FROM pg_database WHERE datname"
        if [row["made"] for row in await self._admin(f"{comment} = '{name}'")] == [made]:
            self._report(f"{made}: taken from an earlier run")
            return
        await self._admin(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        redis = connect(self._redis_url)
        keys = [key async for key in redis.scan_iter(match=f"*{{{name}}}*")]
        if keys:
            await redis.delete(*keys)
        await redis.aclose()
        today = working_days.today()
        async with self._exchange(name, name) as exchange:
            await exchange.build()
            await exchange.take_in(lots, self._report)
            await exchange.end_day(today + timedelta(days=1))
            await exchange.post()
            await exchange.trade(trades, self._report)
            await exchange.end_day(today + timedelta(days=2))
            async with exchange.engine.begin() as connection:
                # A database that was in use all the time has statistics.
                await connection.execute(text("ANALYZE"))
        await self._admin(f"COMMENT ON DATABASE {name} IS '{made}'")
        self._report(f"{made}: made")

    async def big_day(self, trades: int, lots: int) -> dict[str, Any]:
        """Return the seconds of a day of so many trades with so many bars in the register, step by step."""
        name, copy = f"day_{trades}", "measured"
        await self._make(name, trades, lots)
        await self._admin(f"DROP DATABASE IF EXISTS {copy}", f"CREATE DATABASE {copy} TEMPLATE {name}")
        async with self._exchange(copy, name) as exchange:
            intake = await close(exchange, self._servers)
            self._report(f"the day of the intake is closed in {intake.seconds:.1f} s")
            spent = processor_seconds(*self._servers)
            posted = await exchange.post()
            posted_cpu = processor_seconds(*self._servers) - spent
            self._report(f"{trades:,} trades are posted in {posted:.1f} s")
            closed = await close(exchange, self._servers)
            self._report(f"the day is closed in {closed.seconds:.1f} s")
            reconciled, found = await _timed(lambda: three_way.reconcile(exchange.engine, ONE))
            if found.breaks:
                raise RuntimeError(f"a day without any difference has breaks: {found.breaks[:3]}")
            async with exchange.engine.connect() as connection:
                day = await days.find(connection, closed.day)
            read = await _reading(self._url(copy), day)
        await self._admin(f"DROP DATABASE {copy}")
        return {
            "trades": trades,
            "lots": lots,
            "posting_s": round(posted, 2),
            "posting_cpu_s": round(posted_cpu, 2),
            "close_s": round(closed.seconds, 2),
            "close_cpu_s": round(sum(closed.cpu.values()), 2),
            "reconciliation_again_s": round(reconciled, 2),
            "reading_s": round(read, 4),
            "close_to_reading": round(closed.seconds / read, 2),
            "steps_s": {name: round(seconds, 2) for name, seconds in closed.steps.items()},
            "steps_cpu_s": {name: round(seconds, 2) for name, seconds in closed.cpu.items()},
            "intake_close_s": round(intake.seconds, 2),
        }

    async def history(self, count: int, trades: int, lots: int) -> list[dict[str, Any]]:
        """Return the seconds of the closes of so many equal days, one after the other."""
        name = "history"
        await self._admin(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        async with self._exchange(name, name) as exchange:
            await exchange.build()
            await exchange.take_in(lots, self._report)
            today, found = working_days.today(), []
            await exchange.end_day(today + timedelta(days=1))
            await exchange.post()
            await close(exchange, self._servers)
            for number in range(1, count + 1):
                await exchange.trade(trades)
                await exchange.end_day(today + timedelta(days=number + 1))
                await exchange.post()
                closed = await close(exchange, self._servers)
                cpu = sum(closed.cpu.values())
                steps = {name: round(seconds, 3) for name, seconds in closed.steps.items()}
                found.append(
                    {"day": number, "close_s": round(closed.seconds, 3), "close_cpu_s": round(cpu, 3), "steps_s": steps}
                )
        await self._admin(f"DROP DATABASE {name}")
        self._report(f"{count} days of {trades:,} trades are closed")
        return found


@asynccontextmanager
async def _servers(folder: Path | None) -> AsyncIterator[tuple[Server, Server]]:
    """Start Valkey and PostgreSQL, in a folder that is kept or in one that is removed."""
    if folder is None:
        async with temporary_servers(durable=True) as both:
            yield both
        return
    async with AsyncExitStack() as stack:
        valkey = await start_valkey(folder / "valkey")
        stack.push_async_callback(valkey.stop)
        postgres = await start_postgres(folder / "postgres")
        stack.push_async_callback(postgres.stop)
        yield valkey, postgres


async def measure(
    trades: int,
    lots: int,
    accounts: int,
    history: int,
    parts: Sequence[float],
    seed: int,
    report: Report,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Measure parts of a day of so many trades and bars, and equal days one after the other.

    In a ``folder`` the days that were made stay, and a later run measures them again.
    """
    async with _servers(folder) as servers:
        bench = Bench(servers, accounts, seed, report)
        found = [await bench.big_day(round(trades * part), round(lots * part)) for part in parts]
        small = max(trades // 100, 1)
        return {
            "accounts": accounts,
            "days": found,
            "history": {
                "trades_each": small,
                "days": await bench.history(history, small, max(lots // 1_000, 1)) if history else [],
            },
        }
