"""Load-outs that end without a collector."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from settlement.base import working_days
from settlement.ledger import own_stock
from settlement.load_outs import cancels, handing_over
from settlement.lots import lots
from settlement.service import movements
from settlement.tables.charges import fee_accrual
from settlement.tables.custody import receipt
from tests.settlement.load_outs.load_out_steps import LOT_MG, completed, push_back, sheet
from tests.settlement.small_exchange import (
    CODE,
    COLLECTOR_ID,
    ONE,
    OTHER,
    SmallExchange,
    do,
    find_breaks,
    refused,
)


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


@pytest.mark.parametrize(("days", "charged"), [(0, []), (1, ["FREIGHT_INSURANCE"])])
async def test_a_cancel_is_charged_after_the_day_of_application(
    exchange: SmallExchange, days: int, charged: list[str]
) -> None:
    """Domain sheet 2.3."""
    number = await completed(exchange, "A.H", LOT_MG)
    await push_back(exchange, number, days)
    await exchange.approve(await do(exchange, cancels.propose, ONE, number))
    async with exchange.engine.connect() as connection:
        fees = select(fee_accrual.c.kind).where(fee_accrual.c.subject == f"load_out_cancel:{number}")
        assert list((await connection.execute(fees)).scalars()) == charged
