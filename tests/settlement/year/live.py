"""The simulated year as a program: ``python -m tests.settlement.year.live --days 250 --trades 2000 --seed S``.

It runs with its own Valkey and PostgreSQL, all on the moved clock of its environment (``tests.moved_clock``). It prints
a line a day, and at the end one JSON object.
"""

import argparse
import asyncio
import json
import shutil
import tempfile
from datetime import date
from pathlib import Path
from random import Random

from redis.asyncio import Redis

from goldx.hosting.embedded import temporary_servers
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from settlement.base import audit, database
from settlement.closing import records
from settlement.ledger import chain, own_stock
from settlement.service.day_opening import DayOpenings
from settlement.service.process import Settlement
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.small_exchange import SmallExchange, find_breaks
from tests.settlement.year.happenings import Clock, Life
from tests.settlement.year.year import Closed, Year, outcome, summary

SHARD = "year"


class Service:
    """The acts of the settlement service for a day, when the year asks for them; records go into ``folder``."""

    def __init__(self, exchange: SmallExchange, settlement: Settlement, redis: Redis, folder: Path) -> None:
        self._exchange = exchange
        self._settlement = settlement
        self._redis = redis
        self._folder = folder

    async def begin_day(self, day: date) -> None:
        """Do what is due as a calendar day begins."""
        await self._settlement.begin_day(day)

    async def permit(self) -> None:
        """Archive what is signed, and tell the engine whether the present trading day may open."""
        openings = DayOpenings(self._exchange.engine, self._redis, Keys(SHARD), self._folder)
        await openings.tend(self._exchange.sender)


async def live(exchange: SmallExchange, service: Service, given: argparse.Namespace) -> None:
    """Let days pass; compute some of those that were closed again, and prove the chains and the records at the end."""
    life = Life(exchange, Random(given.seed), Clock(), service)
    year = Year(life, given.trades)
    await year.open()
    dice = Random(given.seed)
    closed: list[Closed] = []
    async for one in year.run(given.days):
        closed.append(one)
        when = "night, day" if one.night else "day"
        lived, took = f"{one.lived_s:.1f} s", f"{one.close_s:.1f} s"
        print(f"{one.day} {when}: {one.trades} trades in {lived}, closed in {took}", flush=True)
        again = dice.choice(closed).day
        if len(closed) % given.again_every == 0:
            assert await year.recomputed(again), again
            life.done["days computed again"] += 1
    for day in {closed[0].day, closed[-1].day}:
        assert await year.recomputed(day), day
    await life.do(records.verify, closed[-1].day)
    assert await find_breaks(exchange) == ()
    async with exchange.engine.connect() as connection:
        await audit.verify(connection)
        await chain.verify(connection)
        assert await own_stock.differences(connection) == []
        life.done += await outcome(connection)
    print(json.dumps({"seed": given.seed, **summary(closed, life.done)}), flush=True)


async def run(given: argparse.Namespace) -> None:
    """Start the servers and the exchange, and let it live."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    async with temporary_servers(durable=False) as (valkey, postgres):
        await database.migrate(postgres.url)
        engine = database.connect(postgres.url)
        redis = redis_client.connect(valkey.url)
        exchange = SmallExchange(engine, EngineRunner(redis, SHARD), SHARD, run=0)
        await exchange.build()
        settlement = Settlement(postgres.url, valkey.url, SHARD)
        try:
            await live(exchange, Service(exchange, settlement, redis, folder), given)
        finally:
            shutil.rmtree(folder)
            await settlement.close()
            await redis.aclose()
            await engine.dispose()


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, required=True, help="trading days")
    parser.add_argument("--trades", type=int, required=True, help="trades of each day")
    parser.add_argument("--seed", type=int, required=True, help="what everything is chosen by")
    parser.add_argument("--again-every", type=int, default=5, help="days after which a closed one is computed again")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
