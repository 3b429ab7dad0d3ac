"""The postings of each event, line by line, and what the writer stores of a batch."""

from collections.abc import Mapping
from typing import Any

import pytest
from asyncpg import CheckViolationError
from redis.asyncio import Redis
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.protocol.commands import Leg
from goldx.protocol.events import (
    AnyEvent,
    CommandRejected,
    HoldingAdjusted,
    HoldingChanged,
    HoldingSettled,
    InstrumentDefined,
    ReferenceChanged,
    Trade,
)
from goldx.protocol.units import CASH
from goldx.streams.entries import FIELD
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import EventFrame, encode
from settlement.ledger.outbox import OutboxItem
from settlement.ledger.posting import PostedBatch, lines_of, post_movements, references_in, sift
from settlement.service.writer import Ledger, StreamBehind, WrongStream
from settlement.tables.ledger import engine_holding, instrument, progress
from tests.settlement.publisher import Publisher


def trade(sequence: int, price: int = 60_000, buy_fee: int = 30, sell_fee: int = 20) -> Trade:
    """Return a trade of 10 g for 6,000 CNY, A.H buys from B.H."""
    parties = (1, 2, "A.H", "B.H", 0, 0, 0)
    return Trade(sequence, 5, sequence, "AU", price, 10_000, 600_000, *parties, buy_fee, sell_fee)


async def posted(events: list[AnyEvent], ours: Mapping[str, OutboxItem]) -> PostedBatch:
    """Return what follows from events, with the postings of what moves money or metal otherwise than by trades."""
    (batch,) = (await sift([EventFrame((1, 1), (tuple(events),))], events[0].sequence - 1)).batches
    post_movements(batch, ours)
    return batch


def lines(batch: PostedBatch) -> list[tuple[str, str, str, int]]:
    """Return what is posted, without sequences: kind, name, asset, amount."""
    return [(*account, amount) for _, _, account, amount in batch.lines]


def cash(status: str = "SENT", amount: int = 500) -> dict[str, OutboxItem]:
    """Return the document of a payment in to A.H."""
    return {"cash:1": OutboxItem("cash:1", "cash", 1, (("A.H", CASH, amount),), status)}


def paid_in(sequence: int, amount: int = 500) -> HoldingAdjusted:
    return HoldingAdjusted(sequence, 5, "A.H", CASH, amount, "cash:1")


@pytest.mark.parametrize(("buy_fee", "sell_fee"), [(30, 20), (0, 20), (30, 0)])
def test_a_trade_moves_money_gold_and_fees(buy_fee: int, sell_fee: int) -> None:
    assert [(*account, amount) for _, account, amount in lines_of(trade(1, buy_fee=buy_fee, sell_fee=sell_fee))] == [
        ("member", "A.H", CASH, -600_000 - buy_fee),
        ("member", "B.H", CASH, 600_000 - sell_fee),
        ("fee_income", "fee_income", CASH, buy_fee + sell_fee),
        ("member", "B.H", "AU", -10_000),
        ("member", "A.H", "AU", 10_000),
    ]


async def test_the_newest_prices_are_kept() -> None:
    assert (await posted([trade(1, 60_000), trade(2, 60_100)], {})).last_prices == {"AU": 60_100}
    rest = (1, 1_000, None, None, None, None, None, 60_000, 0, 0, 0, None, 300_000, 0, 100)
    defined = InstrumentDefined(4, 5, "AU", "AU", "AU", "NONAPPROVED_BAR", 90_000, 100_000, *rest)
    assert (await posted([ReferenceChanged(3, 5, "AU", 59_000)], {})).references == {"AU": 59_000}
    assert (await posted([ReferenceChanged(3, 5, "AU", 59_000), defined], {})).references == {}


async def test_a_movement_of_a_document_is_posted_against_its_account() -> None:
    batch = await posted([paid_in(1)], cash())
    assert lines(batch) == [("member", "A.H", CASH, 500), ("bank_escrow", "bank_escrow", CASH, -500)]
    assert batch.done == [(cash()["cash:1"], 1)]
    assert batch.entries == [(1, "cash", 5, "cash:1")]


@pytest.mark.parametrize(
    ("events", "ours"),
    [
        ([paid_in(2)], {}),
        ([paid_in(2)], cash("DONE")),
        ([paid_in(2, 501)], cash()),
    ],
    ids=["no document", "closed", "another amount"],
)
async def test_a_movement_of_no_open_document_stands_in_suspense(
    events: list[AnyEvent], ours: dict[str, OutboxItem]
) -> None:
    batch = await posted(events, ours)
    assert [line[0] for line in lines(batch)] == ["member", "suspense"]
    assert (batch.done, batch.entries[0][1]) == ([], "unidentified")


async def test_a_repeated_reference_is_posted_as_its_document_once() -> None:
    batch = await posted([paid_in(1), paid_in(2)], cash())
    assert [line[0] for line in lines(batch)] == ["member", "bank_escrow", "member", "suspense"]
    assert len(batch.done) == 1


async def test_a_load_out_is_posted_by_asset_and_leg() -> None:
    legs = (("A.H", "AU", -1_000), ("VENUE", "AU", -20), ("A.H", CASH, -120), ("VENUE", CASH, 120))
    ours = {"load_out:1": OutboxItem("load_out:1", "load_out", 1, legs, "SENT")}
    settled = HoldingSettled(1, 5, "load_out:1", tuple(Leg(*leg) for leg in legs))
    assert lines(await posted([settled], ours)) == [
        *(("member", *leg) for leg in legs),
        ("vault", "vault", "AU", 1_020),
    ]


async def test_a_refusal_closes_a_document_unless_it_is_done() -> None:
    refused = CommandRejected(2, 5, "holding.adjust", "INSUFFICIENT_CASH", subject="cash:1")
    item = cash()["cash:1"]
    assert (await posted([refused], cash())).refused == {"cash:1": (item, 2, "INSUFFICIENT_CASH")}
    assert (await posted([paid_in(1), refused], cash())).refused == {}
    assert (await posted([refused], cash("DONE"))).refused == {}


def test_references_of_all_movements_are_looked_up() -> None:
    refused = CommandRejected(2, 5, "holding.settle", "INSUFFICIENT_CASH", subject="load_out:2")
    other = CommandRejected(3, 5, "order.cancel", "UNKNOWN_ORDER", subject="7")
    settled = HoldingSettled(4, 5, "load_out:1", (Leg("A.H", "AU", -1),))
    assert references_in([paid_in(1), refused, other, settled, trade(5)]) == ["cash:1", "load_out:2", "load_out:1"]


async def opened(engine: AsyncEngine, publisher: Publisher) -> Ledger:
    """Return a ledger with an instrument, two accounts, and their money and gold."""
    ledger = Ledger(engine, "t")
    await ledger.open()
    publisher.define("AU")
    publisher.open("A.H", "B.H")
    publisher.adjust("A.H", CASH, 100_000_000, "in-1")
    publisher.adjust("B.H", "AU", 1_000_000, "in-2")
    return ledger


async def test_events_that_are_posted_are_not_posted_again(engine: AsyncEngine, publisher: Publisher) -> None:
    ledger = await opened(engine, publisher)
    frame = publisher.take_frame()
    assert await ledger.post([frame]) == publisher.sequence
    assert await ledger.post([frame]) == publisher.sequence
    assert await Ledger(engine, "t").post([frame]) == publisher.sequence


async def test_a_batch_that_failed_leaves_nothing_behind(engine: AsyncEngine, publisher: Publisher) -> None:
    """The account that it would have opened is opened by the next batch."""
    ledger = await opened(engine, publisher)
    await ledger.post([publisher.take_frame()])
    reached = publisher.sequence
    wrong = (
        HoldingAdjusted(reached + 1, 1, "C.H", CASH, 5, "in-3"),
        HoldingAdjusted(reached + 2, 1, "C.H", CASH, -9, "x"),
    )
    with pytest.raises(CheckViolationError):
        await ledger.post([EventFrame((1, reached + 2), (wrong,))])
    assert await ledger.post([EventFrame((1, reached + 1), (wrong[:1],))]) == reached + 1


async def test_the_stream_is_held_against_what_is_posted(
    engine: AsyncEngine, publisher: Publisher, redis: Redis
) -> None:
    ledger = await opened(engine, publisher)
    stream = EventStream(redis, publisher.keys)
    publisher.at = 2
    publisher.open("C.H")
    frame = publisher.take_frame()
    await ledger.post([frame])
    with pytest.raises(StreamBehind):
        await ledger.check(stream)
    await redis.xadd(publisher.keys.events, {FIELD: encode(frame)}, id=f"{publisher.sequence}-0")
    await ledger.check(stream)
    async with engine.begin() as connection:
        await connection.execute(update(progress).values(at=progress.c.at + 1))
    with pytest.raises(WrongStream):
        await ledger.check(stream)


async def facts(engine: AsyncEngine, query: Any) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(query)]


async def test_the_newest_holdings_and_prices_are_stored(engine: AsyncEngine, publisher: Publisher) -> None:
    ledger = await opened(engine, publisher)
    await ledger.post([publisher.take_frame()])
    reached = publisher.sequence
    news = (
        HoldingChanged(reached + 1, 1, "A.H", CASH, 100_000_000, 7, 5, 3),
        ReferenceChanged(reached + 2, 1, "AU", 59_000),
    )
    await ledger.post([EventFrame((1, reached + 2), (news,))])
    publisher.sequence += 2
    columns = engine_holding.c
    held = select(columns.total, columns.reserved, columns.locked, columns.unwithdrawable, columns.sequence)
    query = held.where(columns.account == "A.H", columns.asset == CASH)
    assert await facts(engine, query) == [(100_000_000, 7, 5, 3, reached + 1)]
    publisher.trade("A.H", "B.H", "AU", 60_500, 1_000)
    await ledger.post([publisher.take_frame()])
    assert await facts(engine, select(instrument.c.reference_price, instrument.c.last_price)) == [(59_000, 60_500)]
