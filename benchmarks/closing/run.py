"""Days are made, posted, closed and reconciled, each on a database of its own; the steps of the close are timed.

What is named beside them is reading: the time in which the driver reads the postings and trades of the day once, as
tuples. Whoever computes something from every trade of a day in Python cannot be faster than that.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.closing.exchange import ONE, Exchange
from goldx.hosting.embedded import temporary_servers
from goldx.streams.redis_client import connect
from settlement.base import database, working_days
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.documents.closing import DONE
from settlement.reconciliation import three_way

PARTS: Final = (0.1, 0.3, 1.0)
Report = Callable[[str], None]


class Closed(NamedTuple):
    """The seconds of each step of a close, in their order."""

    day: date
    steps: dict[str, float]

    @property
    def seconds(self) -> float:
        """The seconds of the whole close."""
        return sum(self.steps.values())


class _Clock:
    """Takes the time of each step from the reports of the close."""

    def __init__(self) -> None:
        self.steps: dict[date, dict[str, float]] = {}
        self._since = time.perf_counter()

    def __call__(self, made: closing.Progress) -> None:
        now = time.perf_counter()
        if made.status == DONE:
            self.steps.setdefault(made.day, {})[made.step] = now - self._since
        self._since = now


async def close(engine: AsyncEngine) -> Closed:
    """Close the one day that is over."""
    clock = _Clock()
    (closed,) = await closing.close(engine, ONE, clock)
    return Closed(closed, clock.steps[closed])


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
    """Databases of one PostgreSQL and streams of one Valkey, an exchange on each."""

    def __init__(self, redis_url: str, database_url: str, accounts: int, seed: int, report: Report) -> None:
        self._redis_url = redis_url
        self._database_url = make_url(database_url)
        self._accounts = accounts
        self._seed = seed
        self._report = report

    async def _with_exchange(self, name: str, lots: int, work: Callable[[Exchange, str], Awaitable[Any]]) -> Any:
        url = self._database_url
        admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
        await admin.execute(f"CREATE DATABASE {name}")
        fresh = url.set(database=name).render_as_string(hide_password=False)
        await database.migrate(fresh)
        engine, redis = database.connect(fresh), connect(self._redis_url)
        try:
            exchange = Exchange(engine, redis, self._accounts, self._seed)
            await exchange.build()
            await exchange.take_in(lots, self._report)
            return await work(exchange, fresh)
        finally:
            await redis.flushall()
            await redis.aclose()
            await engine.dispose()
            await admin.execute(f"DROP DATABASE {name}")
            await admin.close()

    async def big_day(self, trades: int, lots: int) -> dict[str, Any]:
        """Return the seconds of a day of so many trades with so many bars in the register, step by step."""

        async def work(exchange: Exchange, url: str) -> dict[str, Any]:
            today = working_days.today()
            await exchange.end_day(today + timedelta(days=1))
            intake_posted = await exchange.post()
            intake = await close(exchange.engine)
            self._report(f"the day of the intake is closed in {intake.seconds:.1f} s")
            await exchange.trade(trades)
            await exchange.end_day(today + timedelta(days=2))
            self._report(f"{trades:,} trades are made by the core")
            posted = await exchange.post()
            self._report(f"they are posted in {posted:.1f} s")
            closed = await close(exchange.engine)
            self._report(f"the day is closed in {closed.seconds:.1f} s")
            reconciled, found = await _timed(lambda: three_way.reconcile(exchange.engine, ONE))
            if found.breaks:
                raise RuntimeError(f"a day without any difference has breaks: {found.breaks[:3]}")
            async with exchange.engine.connect() as connection:
                day = await days.find(connection, closed.day)
            read = await _reading(url, day)
            return {
                "trades": trades,
                "lots": lots,
                "posting_s": round(posted, 2),
                "close_s": round(closed.seconds, 2),
                "reconciliation_again_s": round(reconciled, 2),
                "reading_s": round(read, 4),
                "close_to_reading": round(closed.seconds / read, 2),
                "steps_s": {name: round(seconds, 2) for name, seconds in closed.steps.items()},
                "intake_day_s": round(intake_posted + intake.seconds, 2),
            }

        found: dict[str, Any] = await self._with_exchange(f"day_{trades}", lots, work)
        return found

    async def history(self, count: int, trades: int, lots: int) -> list[dict[str, Any]]:
        """Return the seconds of the closes of so many equal days, one after the other."""

        async def work(exchange: Exchange, _url: str) -> list[dict[str, Any]]:
            today, found = working_days.today(), []
            await exchange.end_day(today + timedelta(days=1))
            await exchange.post()
            await close(exchange.engine)
            for number in range(1, count + 1):
                await exchange.trade(trades)
                await exchange.end_day(today + timedelta(days=number + 1))
                await exchange.post()
                closed = await close(exchange.engine)
                steps = {name: round(seconds, 3) for name, seconds in closed.steps.items()}
                found.append({"day": number, "close_s": round(closed.seconds, 3), "steps_s": steps})
            self._report(f"{count} days of {trades:,} trades are closed")
            return found

        found: list[dict[str, Any]] = await self._with_exchange("history", lots, work)
        return found


async def measure(
    trades: int, lots: int, accounts: int, history: int, parts: Sequence[float], seed: int, report: Report
) -> dict[str, Any]:
    """Measure parts of a day of so many trades and bars, and equal days one after the other."""
    async with temporary_servers(durable=True) as (valkey, postgres):
        bench = Bench(valkey.url, postgres.url, accounts, seed, report)
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
