"""The ledger's invariants: it balances, agrees with the engine at every sequence, and posts everything once."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asyncpg import CheckViolationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.protocol.units import CASH
from settlement.base import database
from settlement.ledger.posting import SequenceGap
from settlement.reconciliation import three_way
from settlement.service.writer import Ledger, WrongShard
from settlement.tables.ledger import engine_holding, ledger_account, ledger_entry, posting, trade
from tests.amounts import money_of
from tests.settlement.publisher import Publisher

ACCOUNTS = ("A.H", "B.H", "C.H")
MILLION_FEN = 100_000_000


async def balances(engine: AsyncEngine, kind: str = "member") -> dict[tuple[str, str], int]:
    columns = ledger_account.c
    query = select(columns.name, columns.asset, columns.balance).where(columns.kind == kind)
    async with engine.connect() as connection:
        return {(row[0], row[1]): row[2] for row in await connection.execute(query)}


async def count(engine: AsyncEngine, table: Any) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


def funded(publisher: Publisher) -> None:
    publisher.define("AU")
    publisher.open(*ACCOUNTS)
    for number, account in enumerate(ACCOUNTS):
        publisher.adjust(account, CASH, MILLION_FEN, f"in-{number}")
        publisher.adjust(account, "AU", 1_000_000, f"gold-{number}")


Deal = tuple[list[str], int, int, int, bool]
DEALS = st.lists(
    st.tuples(st.permutations(ACCOUNTS), st.integers(1, 2_000), st.integers(1, 50), st.integers(0, 300), st.booleans()),
    max_size=40,
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(deals=DEALS)
async def test_the_ledger_agrees_with_the_engine_after_any_trading(
    deals: list[Deal], new_database: Callable[[], Awaitable[str]], redis: Redis
) -> None:
    await trade_and_compare(deals, new_database, redis)


@pytest.mark.campaign
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(deals=DEALS)
async def test_the_ledger_agrees_with_the_engine_after_much_trading(
    deals: list[Deal], new_database: Callable[[], Awaitable[str]], redis: Redis
) -> None:
    await trade_and_compare(deals, new_database, redis)


async def trade_and_compare(deals: list[Deal], new_database: Callable[[], Awaitable[str]], redis: Redis) -> None:
    publisher = Publisher(redis, "unpublished")
    engine = database.connect(await new_database())
    ledger = Ledger(engine, "t")
    await ledger.open()
    funded(publisher)
    frames = [publisher.take_frame()]
    for (buyer, seller, _), price, grams, fee, post_now in deals:
        amount = money_of(price, grams * 1_000)
        if (
            publisher.held[buyer, CASH] >= amount + fee
            and publisher.held[seller, "AU"] >= grams * 1_000
            and amount > fee
        ):
            publisher.trade(buyer, seller, "AU", price, grams * 1_000, fee)
        if post_now:
            frames.append(publisher.take_frame())
            await ledger.post(frames)
    frames.append(publisher.take_frame())
    assert await ledger.post(frames) == publisher.sequence
    assert await Ledger(engine, "t").post(frames) == publisher.sequence, "a second reading posts nothing"

    assert await balances(engine) == dict(publisher.held)
    assert sum((await balances(engine, "fee_income")).values()) == publisher.fees
    async with engine.connect() as connection:
        rows = await connection.execute(
            select(engine_holding.c.account, engine_holding.c.asset, engine_holding.c.total)
        )
        assert {(row[0], row[1]): row[2] for row in rows} == dict(publisher.held)
        per_asset = select(func.sum(ledger_account.c.balance)).group_by(ledger_account.c.asset)
        assert set((await connection.execute(per_asset)).scalars()) == {0}
    assert await count(engine, trade) == publisher.trades
    report = await three_way.reconcile(engine, "test")
    # The start had no documents, and the fees of the generated trades follow no rates.
    assert {found.kind for found in report.breaks} - {"TRADE_FEE"} == {"POOL_ENGINE", "UNIDENTIFIED"}
    await engine.dispose()


async def test_an_account_below_zero_is_refused_with_the_whole_batch(engine: AsyncEngine, publisher: Publisher) -> None:
    ledger = Ledger(engine, "t")
    await ledger.open()
    funded(publisher)
    await ledger.post([publisher.take_frame()])
    before = publisher.sequence
    publisher.trade("A.H", "B.H", "AU", 60_000, 1_000)
    publisher.trade("A.H", "B.H", "AU", 60_000, 1_001_000)
    with pytest.raises(CheckViolationError, match="prepaid_never_negative"):
        await ledger.post([publisher.take_frame()])
    assert await ledger.open() == before
    assert await count(engine, trade) == 0


async def test_a_gap_in_the_stream_is_refused(engine: AsyncEngine, publisher: Publisher) -> None:
    ledger = Ledger(engine, "t")
    await ledger.open()
    publisher.open("A.H")
    first = publisher.take_frame()
    publisher.open("B.H")
    publisher.take_frame()
    publisher.open("C.H")
    third = publisher.take_frame()
    await ledger.post([first])
    with pytest.raises(SequenceGap, match=r"sequence 3; 2 was expected"):
        await ledger.post([third])
    assert await ledger.open() == 1


async def test_one_database_settles_one_shard(engine: AsyncEngine) -> None:
    await Ledger(engine, "north").open()
    with pytest.raises(WrongShard, match="north"):
        await Ledger(engine, "south").open()
    assert await Ledger(engine, "north").open() == 0


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("INSERT INTO posting VALUES (1, 9, 1, 5)", "entry 1 does not sum to zero"),
        ("INSERT INTO posting VALUES (1, 8, 1, 5), (1, 9, 2, -5)", "names an entry that is not of this transaction"),
        ("UPDATE posting SET amount = amount + 1", "append-only"),
        ("DELETE FROM ledger_entry", "append-only"),
        ("TRUNCATE custody_event CASCADE", "append-only"),
        ("UPDATE trade SET price = 1", "append-only"),
        ("DELETE FROM audit_log", "append-only"),
        ("UPDATE ledger_account SET balance = balance + 1", "a balance follows its postings"),
        ("DELETE FROM ledger_account", "postings name it"),
    ],
)
async def test_the_database_itself_refuses_a_false_ledger(
    statement: str, why: str, engine: AsyncEngine, publisher: Publisher
) -> None:
    ledger = Ledger(engine, "t")
    await ledger.open()
    publisher.adjust("A.H", CASH, 500, "in-1")
    await ledger.post([publisher.take_frame()])
    with pytest.raises(DBAPIError, match=why):
        async with engine.begin() as connection:
            await connection.execute(text(statement))
    assert await balances(engine) == {("A.H", CASH): 500}


async def test_a_movement_without_a_document_is_posted_to_suspense(engine: AsyncEngine, publisher: Publisher) -> None:
    ledger = Ledger(engine, "t")
    await ledger.open()
    publisher.adjust("A.H", CASH, 500, "typed by hand")
    await ledger.post([publisher.take_frame()])
    assert await balances(engine, "suspense") == {("suspense", CASH): -500}
    async with engine.connect() as connection:
        assert (await connection.scalar(select(ledger_entry.c.kind))) == "unidentified"
        assert (await connection.scalar(select(func.count()).select_from(posting))) == 2
