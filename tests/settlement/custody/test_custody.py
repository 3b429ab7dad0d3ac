"""Locks on lots and gold under receipt: pledges, legal holds, cancelled receipts, transfers and the customs border."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol import terms
from goldx.protocol.commands import AccountOpen, OrderCancelAll
from goldx.protocol.units import BadValue
from settlement.base import registry
from settlement.custody import encumbrances, legal_holds, pledges, receipt_cancels, receipts
from settlement.load_outs import application, cancels
from settlement.lots import locks, lots
from settlement.service import movements
from tests.settlement.small_exchange import (
    ONE,
    OTHER,
    THIRD,
    SmallExchange,
    do,
    find_breaks,
    load_out_application,
    refused,
)

LOT_MG = 99_900


async def state(exchange: SmallExchange, lot_id: int) -> str:
    async with exchange.engine.connect() as connection:
        return str((await lots.find(connection, [lot_id]))[lot_id].state)


async def steps(exchange: SmallExchange, lot_id: int) -> list[str]:
    async with exchange.engine.connect() as connection:
        return [event.step for event in await lots.history(connection, lot_id)]


async def status(exchange: SmallExchange, kind: encumbrances.EncumbranceKind, number: int) -> str:
    async with exchange.engine.begin() as connection:
        return str((await encumbrances.one(connection, kind, number)).status)


async def ask(connection: AsyncConnection, by: str, account: str, ask_mg: int) -> int:
    return await application.apply(connection, by, load_out_application(account, ask_mg))


async def pledged(exchange: SmallExchange, fine_mg: int, document: str, lot_ids: tuple[int, ...] = ()) -> int:
    """A live pledge of A.H's gold to BANK."""
    number = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0 if lot_ids else fine_mg, document, lot_ids)
    proposal = await do(exchange, pledges.pair, OTHER, number, "BANK", "AU", fine_mg, f"B-{document}")
    await do(exchange, movements.approve, THIRD, proposal)
    await exchange.round_trip()
    return number


async def test_a_pledge_from_declaration_to_release(exchange: SmallExchange) -> None:
    """Both sides declare and a third person approves; grams cannot be sold nor lots allocated until the release."""
    number = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [1, 2])
    pair = (number, "BANK", "AU", 2 * LOT_MG, "B-1")
    await refused(exchange, "SAME_PERSON", pledges.pair, ONE, *pair)
    why = await refused(exchange, "NOT_PAIRED", pledges.pair, OTHER, number, "BANK", "AU", 2 * LOT_MG - 1, "B-1")
    assert why == "pledge 1: the pledgee says weight 199.799, the pledgor 199.8"
    proposal = await do(exchange, pledges.pair, OTHER, *pair)
    await refused(exchange, "SAME_PERSON", movements.approve, OTHER, proposal)
    why = await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    assert why == "pledge 1: clerk-1 has entered one side; to approve it takes a third person"
    assert await find_breaks(exchange) == ()
    await do(exchange, movements.approve, THIRD, proposal)
    assert await find_breaks(exchange) == ()
    await exchange.round_trip()
    assert await find_breaks(exchange) == ()
    assert await status(exchange, encumbrances.PLEDGE, number) == "LIVE"
    assert (exchange.held("A.H", "AU"), exchange.held("A.H.PLEDGE", "AU")) == (LOT_MG, 2 * LOT_MG)

    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.trade("B.H", "A.H", 60_000, 100)
    assert exchange.held("B.H", "AU") == 0, "100 g cannot be sold: 99.9 g are free"
    await refused(exchange, "NO_FITTING_LOTS", ask, ONE, "A.H", 2 * LOT_MG)
    with pytest.raises(BadValue, match="a trading account"):
        await do(exchange, ask, ONE, "A.H.PLEDGE", LOT_MG)
    await refused(exchange, "ILLEGAL_STEP", pledges.withdraw, ONE, number)

    await do(exchange, pledges.enter_release, OTHER, number, "BR-1")
    await refused(exchange, "SAME_PERSON", pledges.pair_release, OTHER, number, "AR-1")
    release = await do(exchange, pledges.pair_release, ONE, number, "AR-1")
    await do(exchange, movements.decline, ONE, release)
    assert await status(exchange, encumbrances.PLEDGE, number) == "LIVE"
    await do(exchange, pledges.enter_release, OTHER, number, "BR-2")
    release = await do(exchange, pledges.pair_release, ONE, number, "AR-2")
    await refused(exchange, "SAME_PERSON", movements.approve, OTHER, release)
    await do(exchange, movements.approve, THIRD, release)
    await exchange.round_trip()
    assert await status(exchange, encumbrances.PLEDGE, number) == "RELEASED"
    assert (exchange.held("A.H", "AU"), exchange.held("A.H.PLEDGE", "AU")) == (3 * LOT_MG, 0)
    assert await find_breaks(exchange) == ()
    await do(exchange, ask, ONE, "A.H", 2 * LOT_MG)


async def test_a_lot_that_was_frozen_meanwhile_is_not_pledged(exchange: SmallExchange) -> None:
    number = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [1])
    proposal = await do(exchange, pledges.pair, OTHER, number, "BANK", "AU", LOT_MG, "P-2")
    await do(exchange, locks.freeze, THIRD, [1], "stamp looks forged")
    await refused(exchange, "LOCKED", movements.approve, THIRD, proposal)
    await do(exchange, locks.unfreeze, ONE, [1], "is genuine")
    await do(exchange, movements.approve, THIRD, proposal)


async def test_a_lot_that_came_back_as_anothers_is_not_pledged(exchange: SmallExchange) -> None:
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.trade("B.H", "A.H", 60_000, 100)
    number = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [1])
    await exchange.approve(await do(exchange, ask, ONE, "B.H", LOT_MG))
    await exchange.round_trip()
    await exchange.approve(await do(exchange, cancels.propose, ONE, 1))
    await exchange.round_trip()
    why = await refused(exchange, "NOT_OWN_LOT", pledges.pair, OTHER, number, "BANK", "AU", LOT_MG, "P-2")
    assert why == "lot 1 has no live receipt of AU in the name of A.H"
    await do(exchange, pledges.withdraw, ONE, number)


async def test_bought_gold_is_pledged_by_weight(exchange: SmallExchange) -> None:
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.trade("B.H", "A.H", 60_000, 150)
    async with exchange.engine.begin() as connection:
        await registry.add_member(connection, "test", "B", "B")
    number = await do(exchange, pledges.enter, ONE, "B.H", "A", "AU", 120_000, "P-1")
    await do(
        exchange, movements.approve, THIRD, await do(exchange, pledges.pair, OTHER, number, "A", "AU", 120_000, "Q-1")
    )
    await exchange.round_trip()
    assert (exchange.held("B.H", "AU"), exchange.held("B.H.PLEDGE", "AU")) == (30_000, 120_000)
    assert await find_breaks(exchange) == ()
    await refused(exchange, "NOT_OWN_LOT", pledges.enter, ONE, "B.H", "A", "AU", 0, "P-2", [3])
    await refused(exchange, "INSUFFICIENT_GOLD", pledges.enter, ONE, "B.H", "A", "AU", 30_001, "P-2")


async def test_a_pledge_that_does_not_come_about(exchange: SmallExchange) -> None:
    """Withdrawn, declined, refused by the engine: lots and grams are free again, and the document may be used anew."""
    first = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [1])
    with pytest.raises(BadValue, match="not entered yet"):
        await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 1_000, "P-1")
    await do(exchange, pledges.withdraw, ONE, first)
    second = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [1])
    await do(
        exchange, movements.decline, ONE, await do(exchange, pledges.pair, OTHER, second, "BANK", "AU", LOT_MG, "B")
    )
    third = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [1])
    proposal = await do(exchange, pledges.pair, OTHER, third, "BANK", "AU", LOT_MG, "B")
    await exchange.engine_runner.order("A.H", terms.SELL, 60_000, 250)
    await do(exchange, movements.approve, THIRD, proposal)
    await exchange.round_trip()
    found = [await status(exchange, encumbrances.PLEDGE, number) for number in (first, second, third)]
    assert found == ["WITHDRAWN", "REFUSED", "REFUSED"]
    assert exchange.held("A.H.PLEDGE", "AU") == 0
    assert await find_breaks(exchange) == ()
    await do(exchange, locks.check_free, [1, 2, 3])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (("X.H", "BANK", "AU", 1_000, "P"), "account"),
        (("A.H", "NOBODY", "AU", 1_000, "P"), "pledgee"),
        (("A.H", "A", "AU", 1_000, "P"), "pledgee"),
        (("A.H", "BANK", "CNY", 1_000, "P"), "symbol"),
        (("A.H", "BANK", "AU", 0, "P"), "weight"),
        (("A.H", "BANK", "AU", LOT_MG + 1, "P", [1]), "weight"),
        (("A.H", "BANK", "AU", 1_000, ""), "document"),
        (("A.H", "BANK", "AU", 0, "P", [99]), "lot"),
    ],
)
async def test_malformed_pledges_are_refused(exchange: SmallExchange, values: tuple[Any, ...], field: str) -> None:
    with pytest.raises(BadValue) as bad:
        await do(exchange, pledges.enter, ONE, *values)
    assert bad.value.field == field


async def test_nobody_can_trade_a_sub_account(exchange: SmallExchange) -> None:
    with pytest.raises(BadValue, match="another code"):
        await do(exchange, registry.add_member, "test", "CUSTODY", "Somebody")
    await exchange.engine_runner.run(AccountOpen("A.H.PLEDGE", "B"))
    await exchange.post()
    with pytest.raises(BadValue, match="it belongs to B"):
        await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 1_000, "P-1")
    await pledged_hold(exchange)
    async with exchange.engine.connect() as connection:
        owner = await connection.scalar(text("SELECT member FROM trading_account WHERE account = 'A.H.HOLD'"))
    assert owner == "CUSTODY"


async def pledged_hold(exchange: SmallExchange) -> int:
    """A live hold of 50 g of A.H and of lot 1."""
    proposal = await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 50_000, "Court of Xiamen", "C-1", [1])
    await do(exchange, movements.approve, OTHER, proposal)
    await exchange.round_trip()
    return 1


async def test_a_legal_hold_and_its_lifting(exchange: SmallExchange) -> None:
    number = await pledged_hold(exchange)
    assert await status(exchange, encumbrances.LEGAL_HOLD, number) == "LIVE"
    assert (exchange.held("A.H", "AU"), exchange.held("A.H.HOLD", "AU")) == (3 * LOT_MG - 50_000, 50_000)
    assert await find_breaks(exchange) == ()
    await refused(exchange, "LOCKED", receipt_cancels.propose, ONE, [1], "mistake")
    await refused(exchange, "NOT_PAIRED", legal_holds.propose_lifting, ONE, number, "C-1")
    proposal = await do(exchange, legal_holds.propose_lifting, ONE, number, "C-2")
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    await do(exchange, movements.approve, OTHER, proposal)
    await exchange.round_trip()
    assert await status(exchange, encumbrances.LEGAL_HOLD, number) == "RELEASED"
    assert exchange.held("A.H", "AU") == 3 * LOT_MG
    assert await find_breaks(exchange) == ()
    await do(exchange, locks.check_free, [1, 2, 3])


async def test_a_hold_of_a_pledged_lot_keeps_it_when_the_pledge_ends(exchange: SmallExchange) -> None:
    pledge = await pledged(exchange, LOT_MG, "P-1", (1,))
    hold = await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 0, "Police", "C-1", [1])
    await do(exchange, movements.approve, OTHER, hold)
    assert await status(exchange, encumbrances.LEGAL_HOLD, 2) == "LIVE", (
        "no gold moves, so nothing waits for the engine"
    )
    await do(exchange, pledges.enter_release, OTHER, pledge, "BR-1")
    release = await do(exchange, pledges.pair_release, ONE, pledge, "AR-1")
    why = await refused(exchange, "LOCKED", movements.approve, THIRD, release)
    assert "lot 1 is under LEGAL_HOLD: order C-1 of Police" in why
    await do(exchange, movements.approve, OTHER, await do(exchange, legal_holds.propose_lifting, ONE, 2, "C-2"))
    await do(exchange, movements.approve, THIRD, release)
    await exchange.round_trip()
    assert exchange.held("A.H", "AU") == 3 * LOT_MG
    assert await find_breaks(exchange) == ()


async def test_a_receipt_is_taken_back(exchange: SmallExchange) -> None:
    proposal = await do(exchange, receipt_cancels.propose, ONE, [1, 2], "wrong account")
    await refused(exchange, "LOCKED", receipt_cancels.propose, ONE, [1], "again")
    await refused(exchange, "NO_FITTING_LOTS", ask, ONE, "A.H", 2 * LOT_MG)
    await do(exchange, movements.approve, OTHER, proposal)
    assert await find_breaks(exchange) == ()
    await exchange.round_trip()
    assert exchange.held("A.H", "AU") == LOT_MG
    assert [await state(exchange, number) for number in (1, 2, 3)] == ["REGISTERED", "REGISTERED", "RECEIPTED"]
    assert await find_breaks(exchange) == ()
    await refused(exchange, "NO_RECEIPT", receipt_cancels.propose, ONE, [1], "again")
    again = await do(exchange, receipts.propose_issue, ONE, [1])
    await do(exchange, movements.approve, OTHER, again)
    await exchange.round_trip()
    assert exchange.held("A.H", "AU") == 2 * LOT_MG
    assert await find_breaks(exchange) == ()


async def test_a_receipt_whose_gold_is_sold_stays(exchange: SmallExchange) -> None:
    proposal = await do(exchange, receipt_cancels.propose, ONE, [1, 2, 3], "wrong account")
    await exchange.engine_runner.order("A.H", terms.SELL, 60_000, 10)
    await do(exchange, movements.approve, OTHER, proposal)
    await exchange.round_trip()
    assert [await state(exchange, number) for number in (1, 2, 3)] == ["REGISTERED", "REGISTERED", "RECEIPTED"]
    await do(exchange, locks.check_free, [3])
    await refused(exchange, "INSUFFICIENT_GOLD", receipt_cancels.propose, ONE, [3], "wrong account")
    assert await find_breaks(exchange) == ()


async def test_a_movement_that_the_engine_has_refused_may_be_tried_again(exchange: SmallExchange) -> None:
    """A receipt whose gold was in an order is taken back once the order has ended, under a new reference."""
    proposal = await do(exchange, receipt_cancels.propose, ONE, [1, 2, 3], "wrong account")
    await exchange.engine_runner.order("A.H", terms.SELL, 60_000, 250)
    await do(exchange, movements.approve, OTHER, proposal)
    await exchange.round_trip()
    assert [await state(exchange, number) for number in (1, 2, 3)] == ["RECEIPTED"] * 3
    await exchange.engine_runner.run(OrderCancelAll("A.H"))
    await exchange.post()
    for again in (1, 2, 3):
        proposal = await do(exchange, receipt_cancels.propose, ONE, [again], "wrong account")
        await do(exchange, movements.approve, OTHER, proposal)
        await exchange.round_trip()
        assert await state(exchange, again) == "REGISTERED"
    assert exchange.held("A.H", "AU") == 0
    assert await find_breaks(exchange) == ()
