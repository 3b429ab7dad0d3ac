"""Rows that are made ready while the batch before is posted are those that are posted without that."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import pytest
from asyncpg import CheckViolationError
from redis.asyncio import Redis
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.protocol.events import DayEnded, Trade
from goldx.protocol.units import CASH
from goldx.streams.frames import EventFrame
from goldx.streams.history import last_event
from settlement.base import database
from settlement.ledger import chain, own_stock
from settlement.service.writer import Ledger, Ready
from settlement.tables.base import trading_day
from settlement.tables.closing import holding_at_end, instrument_at_end, stock_at_end
from settlement.tables.ledger import (
    engine_holding,
    instrument,
    ledger_account,
    ledger_entry,
    posting,
    progress,
    stock,
    trade,
)
from tests.settlement.publisher import Publisher

SEED = int(os.environ.get("SEED", "0")) or int.from_bytes(os.urandom(4))
NAMES = [f"{letter}.H" for letter in "ABCDEF"]
TABLES = (
    ledger_account,
    ledger_entry,
    posting,
    trade,
    stock,
    engine_holding,
    instrument,
    progress,
    trading_day,
    holding_at_end,
    stock_at_end,
    instrument_at_end,
)


def day_ended(publisher: Publisher, day: int) -> EventFrame:
    publisher.sequence += 1
    event = DayEnded(publisher.sequence, 1, f"2027-01-{day:02}")
    return EventFrame((1, publisher.sequence), ((event,),))


def history(publisher: Publisher, random: Random) -> list[EventFrame]:
    """Return frames of trades between some accounts, then all; movements without documents and ends of days come in."""
    publisher.define("AU")
    publisher.define("AG")
    publisher.open(*NAMES)
    for number, name in enumerate(NAMES):
        for asset in (CASH, "AU", "AG"):
            publisher.adjust(name, asset, 10**9, f"{asset}-{number}")
    frames = [publisher.take_frame()]
    for number in range(60):
        known = NAMES[:3] if number < 20 else NAMES
        for _ in range(random.randint(1, 6)):
            buyer, seller = random.sample(known, 2)
            publisher.trade(buyer, seller, random.choice(("AU", "AG")), 500, 1_000 * random.randint(1, 5), 2)
        if random.random() < 0.1:
            publisher.adjust(random.choice(NAMES), CASH, 5, f"more-{number}")
        frames.append(publisher.take_frame())
        if random.random() < 0.1:
            frames.append(day_ended(publisher, len(frames) % 28 + 1))
    return frames


async def rows(engine: AsyncEngine) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    async with engine.connect() as connection:
        for table in TABLES:
            query = select(table).order_by(*table.primary_key.columns)
            found[table.name] = [tuple(row) for row in await connection.execute(query)]
        await chain.verify(connection)
        assert await own_stock.differences(connection) == []
    return found


async def ahead(ledger: Ledger, parts: Sequence[Sequence[EventFrame]]) -> int:
    """Post parts one after the other, each made ready while the one before is posted; return how many were."""
    made = 0
    waiting: asyncio.Task[Ready] | None = None
    for number, part in enumerate(parts):
        ready = None if waiting is None else await waiting
        made += ready is not None and ready.made is not None
        if number + 1 < len(parts):
            waiting = asyncio.create_task(ledger.make_ready(parts[number + 1], last_event(part[-1])))
        await ledger.post(part, ready)
    return made


async def test_the_same_rows_are_written(new_database: Callable[[], Awaitable[str]], redis: Redis) -> None:
    print(f"SEED={SEED}")
    random = Random(SEED)
    frames = history(Publisher(redis, "unpublished"), random)
    parts = []
    while frames:
        size = random.randint(1, 6)
        parts.append(frames[:size])
        frames = frames[size:]
    plain, early = [database.connect(await new_database()) for _ in range(2)]
    for engine in (plain, early):
        ledger = Ledger(engine, "t")
        await ledger.open()
        if engine is plain:
            for part in parts:
                await ledger.post(part)
        else:
            assert await ahead(ledger, parts) > 0
    assert await rows(early) == await rows(plain)
    for engine in (plain, early):
        await engine.dispose()


async def prepared(engine: AsyncEngine, publisher: Publisher) -> Ledger:
    """Return a ledger that has posted a trade, so that the next one can be made ready."""
    ledger = Ledger(engine, "t")
    await ledger.open()
    publisher.define("AU")
    publisher.open("A.H", "B.H")
    publisher.adjust("A.H", CASH, 100_000_000, "in-1")
    publisher.adjust("B.H", "AU", 1_000_000, "in-2")
    publisher.trade("A.H", "B.H", "AU", 60_000, 1_000, 1)
    await ledger.post([publisher.take_frame()])
    return ledger


def deal(publisher: Publisher, grams: int = 1) -> EventFrame:
    publisher.trade("A.H", "B.H", "AU", 60_000, grams * 1_000, 1)
    return publisher.take_frame()


async def test_what_was_made_ready_is_dropped_with_the_batch_before_it(
    engine: AsyncEngine, publisher: Publisher
) -> None:
    ledger = await prepared(engine, publisher)
    reached = publisher.sequence
    parties = (1, 2, "A.H", "B.H", 0, 0, 0)
    trade_of_too_much = Trade(reached + 1, 5, 9, "AU", 60_000, 2_000_000, 100, *parties, 1, 0)
    wrong = EventFrame((1, reached + 1), ((trade_of_too_much,),))
    ready = await ledger.make_ready([wrong], reached)
    assert ready.made is not None
    with pytest.raises(CheckViolationError):
        await ledger.post([wrong], ready)
    assert await ledger.post([deal(publisher)]) == publisher.sequence
    async with engine.connect() as connection:
        await chain.verify(connection)


async def test_accounts_that_a_failed_batch_has_opened_are_opened_again(
    engine: AsyncEngine, publisher: Publisher
) -> None:
    ledger = await prepared(engine, publisher)
    publisher.open("C.H")
    publisher.adjust("C.H", CASH, 100_000_000, "in-3")
    await ledger.post([publisher.take_frame()])
    reached = publisher.sequence
    terms = ("AU", 60_000, 1_000, 60_000, 1, 2)
    first = Trade(reached + 1, 5, 9, *terms, "C.H", "B.H", 0, 0, 0, 1, 0)
    too_much = Trade(reached + 2, 5, 10, "AU", 60_000, 2_000_000, 100, 1, 2, "A.H", "B.H", 0, 0, 0, 1, 0)
    with pytest.raises(CheckViolationError):
        await ledger.post([EventFrame((1, reached + 2), ((first, too_much),))])
    publisher.trade("C.H", "B.H", "AU", 60_000, 1_000, 1)
    assert await ledger.post([publisher.take_frame()]) == publisher.sequence
    async with engine.connect() as connection:
        await chain.verify(connection)
        assert await own_stock.differences(connection) == []


async def test_another_writer_comes_in_between(engine: AsyncEngine, publisher: Publisher) -> None:
    ledger = await prepared(engine, publisher)
    reached = publisher.sequence
    first, second = deal(publisher), deal(publisher)
    ready = await ledger.make_ready([first], reached)
    assert ready.made is not None
    other = Ledger(engine, "t")
    assert await other.post([first]) == last_event(first)
    assert await ledger.post([first], ready) == last_event(first)
    await asyncio.wait_for(ledger.until_postings_go(), 10)
    assert await ledger.post([first, second]) == publisher.sequence
    async with engine.connect() as connection:
        await chain.verify(connection)
        assert await own_stock.differences(connection) == []


async def test_nothing_is_made_ready_for_a_writer_that_has_posted_nothing(
    engine: AsyncEngine, publisher: Publisher
) -> None:
    await prepared(engine, publisher)
    reached = publisher.sequence
    ledger = Ledger(engine, "t")
    assert await ledger.open() == reached
    waiting = asyncio.create_task(ledger.make_ready([deal(publisher)], reached))
    await asyncio.sleep(0)
    async with engine.begin() as connection:
        await connection.execute(update(progress).values(at=progress.c.at))
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_what_comes_next_is_read_when_the_postings_are_sent(engine: AsyncEngine, publisher: Publisher) -> None:
    ledger = await prepared(engine, publisher)
    reached = publisher.sequence
    frame = deal(publisher)
    ready = await ledger.make_ready([frame], reached)
    posted = asyncio.create_task(ledger.post([frame], ready))
    waiting = asyncio.create_task(ledger.until_postings_go())
    await asyncio.sleep(0)
    assert not waiting.done(), "the rows before the postings are not sent yet"
    await posted
    await asyncio.wait_for(waiting, 10)
    await asyncio.wait_for(ledger.until_postings_go(), 10)
