"""Load-outs that end without a collector."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from settlement.base import proposals, working_days
from settlement.ledger import own_stock
from settlement.load_outs import application, cancels, handing_over
from settlement.lots import lots
from settlement.service import movements
from settlement.tables.base import proposal, trading_day
from settlement.tables.charges import fee_accrual
from settlement.tables.custody import receipt
from settlement.tables.load_outs import load_out
from tests.settlement.load_outs.load_out_steps import LOT_MG, completed, push_back, released, sheet, signed
from tests.settlement.small_exchange import (
    CODE,
    COLLECTOR_ID,
    ONE,
    OTHER,
    SmallExchange,
    begin_day,
    do,
    find_breaks,
    load_out_application,
    refused,
)

HOUR = 3_600_000


@pytest.mark.parametrize("ask_mg", [LOT_MG, LOT_MG + 500])
async def test_a_cancelled_load_out_gives_its_gold_back(exchange: SmallExchange, ask_mg: int) -> None:
    before = exchange.held("A.H", "AU")
    own = await do(exchange, own_stock.amount, "A.H", "AU")
    number = await completed(exchange, "A.H", ask_mg)
    proposal = await do(exchange, cancels.propose, ONE, number)
    await refused(exchange, "ILLEGAL_STEP", handing_over.sign, ONE, number, CODE, COLLECTOR_ID)
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    await do(exchange, movements.decline, OTHER, proposal)
    proposal = await do(exchange, cancels.propose, ONE, number)
    await exchange.approve(proposal)
    await exchange.round_trip()
    assert (await sheet(exchange, number)).status == "CANCELLED"
    assert exchange.held("A.H", "AU") == before - (ask_mg - LOT_MG), "the short weight stays sold"
    assert await do(exchange, own_stock.amount, "A.H", "AU") == own - (ask_mg - LOT_MG)
    assert await find_breaks(exchange) == ()
    async with exchange.engine.connect() as connection:
        live = select(receipt.c.account).where(receipt.c.lot_id == 1, receipt.c.status == "LIVE")
        assert list((await connection.execute(live)).scalars()) == ["A.H"]
        assert (await lots.find(connection, [1]))[1].state == "RECEIPTED"
    assert await completed(exchange, "A.H", LOT_MG) == number + 1, "the lot may be withdrawn again"


async def test_a_load_out_that_nobody_collects_expires(exchange: SmallExchange) -> None:
    number = await completed(exchange, "A.H", LOT_MG)
    today = working_days.today()
    assert await do(exchange, cancels.expire, today + timedelta(days=10)) == []
    assert await do(exchange, cancels.expire, today + timedelta(days=11)) == [number]
    assert await do(exchange, cancels.expire, today + timedelta(days=12)) == []
    assert await find_breaks(exchange) == ()
    await exchange.round_trip()
    assert (await sheet(exchange, number)).status == "EXPIRED"
    assert exchange.held("A.H", "AU") == 4 * LOT_MG
    assert await find_breaks(exchange) == ()


async def charged(exchange: SmallExchange) -> list[str]:
    """Return the fees charged for load-outs."""
    async with exchange.engine.connect() as connection:
        of_load_outs = select(fee_accrual.c.kind).where(fee_accrual.c.subject.startswith("load_out"))
        return sorted((await connection.execute(of_load_outs)).scalars())


@pytest.mark.parametrize(("days", "fees"), [(0, []), (1, ["FREIGHT_INSURANCE"])])
async def test_a_cancel_is_charged_after_the_day_of_application(
    exchange: SmallExchange, days: int, fees: list[str]
) -> None:
    """Domain sheet 2.3. Nothing else is charged: neither handling nor storage, as nothing has left."""
    number = await completed(exchange, "A.H", LOT_MG)
    await push_back(exchange, number, days)
    await exchange.approve(await do(exchange, cancels.propose, ONE, number))
    await exchange.round_trip()
    assert await charged(exchange) == fees


async def test_a_cancel_costs_what_its_approver_reads(exchange: SmallExchange) -> None:
    """A cancel proposed on the day of application and approved after midnight is free, as the proposal says."""
    number = await completed(exchange, "A.H", LOT_MG)
    proposal = await do(exchange, cancels.propose, ONE, number)
    (waiting,) = await do(exchange, proposals.waiting)
    assert waiting.summary["charged"] is False
    await push_back(exchange, number, 1)
    await exchange.approve(proposal)
    await exchange.round_trip()
    assert await charged(exchange) == []


async def test_bought_title_pays_freight_once_for_leaving_and_once_for_a_late_cancel(exchange: SmallExchange) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 150)
    first = await completed(exchange, "B.H", LOT_MG)
    await push_back(exchange, first, 1)
    await exchange.approve(await do(exchange, cancels.propose, ONE, first))
    await exchange.round_trip()
    await released(exchange, "B.H", LOT_MG)
    assert await charged(exchange) == ["FREIGHT_INSURANCE", "FREIGHT_INSURANCE", "LOAD_OUT", "STORAGE_LOAD_OUT"]


@pytest.mark.parametrize("state", ["SIGNED", "CANCEL_PROPOSED"])
async def test_neither_a_signature_nor_a_proposal_keeps_a_sheet(exchange: SmallExchange, state: str) -> None:
    number = await completed(exchange, "A.H", LOT_MG)
    if state == "SIGNED":
        await signed(exchange, number)
    else:
        await do(exchange, cancels.propose, ONE, number)
    assert (await sheet(exchange, number)).status == state
    today = working_days.today()
    assert await do(exchange, cancels.expire, today + timedelta(days=10)) == []
    assert await do(exchange, cancels.expire, today + timedelta(days=11)) == [number]
    await exchange.round_trip()
    found = await sheet(exchange, number)
    assert (found.status, found.signed_by) == ("EXPIRED", None)
    assert await do(exchange, proposals.waiting) == [], "the proposal has lapsed"
    assert await charged(exchange) == ["FREIGHT_INSURANCE"]
    assert await find_breaks(exchange) == ()


async def test_an_application_that_nobody_approves_gives_its_lots_back(exchange: SmallExchange) -> None:
    proposal = await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG))
    today = working_days.today()
    assert await do(exchange, application.lapse, today + timedelta(days=5)) == []
    assert await do(exchange, application.lapse, today + timedelta(days=6)) == [1]
    assert (await sheet(exchange, 1)).status == "CANCELLED"
    assert (await do(exchange, lots.find, [1]))[1].state == "RECEIPTED"
    assert await do(exchange, proposals.waiting) == []
    await refused(exchange, "ILLEGAL_STEP", movements.approve, OTHER, proposal)
    assert await charged(exchange) == []
    assert await find_breaks(exchange) == ()


async def is_charged(exchange: SmallExchange, number: int) -> Any:
    """Propose to cancel a load-out, and return whether it is charged."""
    found = await do(exchange, cancels.propose, ONE, number)
    async with exchange.engine.connect() as connection:
        summary = await connection.scalar(select(proposal.c.summary).where(proposal.c.proposal_id == found))
    assert summary is not None
    return summary["charged"]


async def test_a_load_out_is_cancelled_free_until_its_trading_day_ends(exchange: SmallExchange) -> None:
    number = await completed(exchange, "A.H", LOT_MG)
    begun_at = await begin_day(exchange, "2099-12-01")
    async with exchange.engine.begin() as connection:
        # It was applied for yesterday evening, when this trading day had begun.
        await connection.execute(trading_day.update().values(begun_at=begun_at - 30 * HOUR))
        await connection.execute(load_out.update().values(applied_at=begun_at - 26 * HOUR))
    assert await is_charged(exchange, number) is False


async def test_a_load_out_of_the_trading_day_before_is_charged_though_the_date_is_the_same(
    exchange: SmallExchange,
) -> None:
    number = await completed(exchange, "A.H", LOT_MG)
    await begin_day(exchange, "2099-12-01")
    assert await is_charged(exchange, number) is True
