"""Title to named lots: reserved before the command, moved with the trade, given back by its annulment; races."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Row, func, select

from goldx.protocol import terms
from goldx.protocol.bases import LotsFound
from goldx.protocol.commands import (
    AnyCommand,
    MarketCancelOrders,
    MarketEndDay,
    MarketSetPhase,
    OrderCancel,
    TradeTerms,
)
from goldx.protocol.deal_commands import DealAccept, DealCancel, DealDecline, DealPropose
from settlement.charges import accruals
from settlement.custody import legal_holds, pledges, receipt_cancels, receipts, reservations, transfers
from settlement.custody.reservations import UnfitLots
from settlement.custody.titles import WrongLots
from settlement.ledger import own_stock
from settlement.lots import locks, lots
from settlement.tables.custody import lot_reservation, receipt
from settlement.tables.ledger import trade
from settlement.tables.load_outs import load_out_lot
from tests.settlement.custody.test_custody import ask, pledged
from tests.settlement.named_lots.deals import (
    FAR,
    LOT_MG,
    PRICE,
    annul,
    keep,
    move,
    purchase,
    sale,
    sell,
)
from tests.settlement.small_exchange import (
    ONE,
    OTHER,
    SmallExchange,
    do,
    find_breaks,
    refused,
)

OPEN = ("RESERVED", "OPEN")


async def holders(exchange: SmallExchange) -> list[str]:
    async with exchange.engine.connect() as connection:
        query = select(receipt.c.account).where(receipt.c.status == "LIVE")
        return list(await connection.scalars(query.order_by(receipt.c.receipt_no)))


async def of_receipt(exchange: SmallExchange, number: int) -> Row[Any]:
    async with exchange.engine.connect() as connection:
        return (await connection.execute(select(receipt).where(receipt.c.receipt_no == number))).one()


async def states(exchange: SmallExchange) -> list[str]:
    async with exchange.engine.connect() as connection:
        query = select(lot_reservation.c.status).order_by(lot_reservation.c.reservation_no)
        return list(await connection.scalars(query))


async def locked(exchange: SmallExchange) -> list[int]:
    found = await do(exchange, locks.listing)
    return sorted(row.lot_id for row in found if row.kind == "DEAL")


async def own(exchange: SmallExchange, account: str) -> int:
    return await do(exchange, own_stock.amount, account, "AU")


async def terms_of(exchange: SmallExchange, trade_id: int) -> TradeTerms:
    async with exchange.engine.connect() as connection:
        row = (await connection.execute(select(trade).where(trade.c.trade_id == trade_id))).one()
    names = [name for name in TradeTerms.__struct_fields__ if hasattr(row, name)]
    day = exchange.engine_runner.engine.state.trading_day
    return TradeTerms(
        **{name: getattr(row, name) for name in names}, trading_day=day, maker_order_id=0, taker_order_id=0
    )


async def unfit(exchange: SmallExchange, *numbers: int, **more: Any) -> tuple[str, str, Any]:
    with pytest.raises(UnfitLots) as found:
        await do(exchange, reservations.reserve, move(*numbers, **more), FAR)
    return found.value.reason, found.value.field, found.value.value


async def test_a_sale_of_named_lots_from_the_reservation_to_the_buyers_title(exchange: SmallExchange) -> None:
    found = await keep(exchange, move(2, 1))
    assert await locked(exchange) == [1, 2], "before the engine knows of it"
    await exchange.engine_runner.run(sale(found))
    await exchange.post()
    assert await states(exchange) == ["OPEN"]
    assert await find_breaks(exchange) == ()
    await exchange.engine_runner.run(DealAccept("B.H", 1))
    assert await holders(exchange) == ["A.H"] * 3, "the title moves with the posting, not with the trade"
    await exchange.post()
    assert await holders(exchange) == ["B.H", "B.H", "A.H"]
    assert (await states(exchange), await locked(exchange)) == (["MOVED"], [])
    row = await of_receipt(exchange, 1)
    assert (row.issued_to, row.trade_id) == ("A.H", 1)
    history = await do(exchange, lots.history, 1)
    assert [event.step for event in history][-3:] == ["lock_deal", "title", "unlock_deal"]
    assert history[-2].detail == {"receipt": 1, "from": "A.H", "to": "B.H", "trade": 1}
    assert exchange.held("B.H", "AU") == 2 * LOT_MG
    assert await find_breaks(exchange) == ()
    assert await do(exchange, own_stock.differences) == []


async def test_a_purchase_reserves_the_lots_when_the_seller_accepts(exchange: SmallExchange) -> None:
    await exchange.engine_runner.run(purchase(3))
    await exchange.post()
    assert (await states(exchange), await locked(exchange)) == ([], []), "a buyer binds nobody's lots"
    await exchange.engine_runner.run(DealAccept("A.H", 1, await keep(exchange, move(3))))
    await exchange.post()
    assert await holders(exchange) == ["A.H", "A.H", "B.H"]
    assert await states(exchange) == ["MOVED"]
    assert await find_breaks(exchange) == ()


async def test_own_stock_and_storage_follow_the_lots(exchange: SmallExchange) -> None:
    """A.H has bought gold besides its lots: in the book it would sell that first, by name it sells what it names."""
    await exchange.trade("B.H", "A.H", PRICE, 40)
    await exchange.pay_in("A.H", 10_000_000_000, "bank-a")
    await exchange.trade("A.H", "B.H", PRICE, 40)
    before = await own(exchange, "A.H")
    assert before == 3 * LOT_MG - 40_000
    await sell(exchange, 1)
    assert await own(exchange, "A.H") == before - LOT_MG
    assert await own(exchange, "B.H") == 0, "the buyer holds bought title"
    await sell(exchange, 1, seller="B.H", buyer="A.H")
    assert await own(exchange, "A.H") == before - LOT_MG, "what it has bought back is bought title as well"
    await sell(exchange, 1, 2, buyer="C.H")
    assert await own(exchange, "A.H") == before - 2 * LOT_MG
    assert await find_breaks(exchange) == ()
    assert await do(exchange, own_stock.differences) == []
    rates = await do(exchange, accruals.catch_up)
    assert rates >= 0


async def test_the_end_of_a_proposal_frees_its_lots(exchange: SmallExchange) -> None:
    closed = (MarketSetPhase("AU", terms.CLOSED), MarketEndDay("2030-01-02"))
    ends: dict[str, Callable[[int], tuple[AnyCommand, ...]]] = {
        "DECLINED": lambda number: (DealDecline("B.H", number),),
        "USER": lambda number: (DealCancel("A.H", number),),
        "VENUE": lambda _: (MarketCancelOrders("AU", "a new tick"),),
        "EXPIRED": lambda _: closed,
    }
    for number, (reason, end) in enumerate(ends.items(), 1):
        await exchange.engine_runner.run(sale(await keep(exchange, move(1, 3)), f"d{number}"))
        await exchange.post()
        assert await locked(exchange) == [1, 3]
        await exchange.engine_runner.run(*end(number))
        await exchange.post()
        assert (await states(exchange), await locked(exchange)) == (["ENDED"] * number, [])
        async with exchange.engine.connect() as connection:
            newest = select(lot_reservation.c.reason).order_by(lot_reservation.c.reservation_no.desc())
            assert await connection.scalar(newest) == reason
    assert await holders(exchange) == ["A.H"] * 3
    assert await find_breaks(exchange) == ()


async def test_what_binds_a_lot_keeps_it_out_of_deals(exchange: SmallExchange) -> None:
    """Each is refused with the receipt that is unfit, before anything is locked or sent."""
    assert await unfit(exchange, 1, 9) == ("UNKNOWN_LOT", "lots", 9)
    assert await unfit(exchange, 1, seller="C.H") == ("UNKNOWN_LOT", "lots", 1)
    wrong = move(1, 2)._replace(fine_mg=2 * LOT_MG + 1)
    with pytest.raises(UnfitLots) as found:
        await do(exchange, reservations.reserve, wrong, FAR)
    assert (found.value.reason, found.value.field) == ("BAD_QUANTITY", "quantity")
    assert found.value.allowed.startswith("199.8,"), found.value.allowed
    await pledged(exchange, LOT_MG, "P-1", (1,))
    assert await unfit(exchange, 2, 1) == ("LOT_BOUND", "lots", 1)
    await do(exchange, locks.freeze, ONE, [2], "doubt")
    assert await unfit(exchange, 2) == ("LOT_BOUND", "lots", 2)
    await do(exchange, ask, ONE, "A.H", LOT_MG)
    assert await unfit(exchange, 3) == ("LOT_BOUND", "lots", 3)
    assert (await states(exchange), await locked(exchange)) == ([], [])


async def test_a_lot_that_is_kept_for_a_deal_is_kept_from_everything_else(exchange: SmallExchange) -> None:
    """The race of a deal: what comes between the gateway's check and the engine's event finds the lots locked."""
    found = await keep(exchange, move(1, 2, 3))
    assert await unfit(exchange, 1) == ("LOT_BOUND", "lots", 1)
    await refused(exchange, "NO_FITTING_LOTS", ask, ONE, "A.H", LOT_MG)
    await refused(exchange, "LOCKED", receipt_cancels.propose, ONE, [1], "wrong")
    await refused(exchange, "LOCKED", pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [2])
    await refused(exchange, "LOCKED", transfers.propose, ONE, [3], "XM2", "shortage")
    text = await refused(exchange, "LOCKED", legal_holds.propose, ONE, "A.H", "AU", 0, "COURT", "C-1", [3])
    assert "market.cancel_orders" in text
    await exchange.engine_runner.run(sale(found), DealAccept("B.H", 1))
    await exchange.post()
    assert await holders(exchange) == ["B.H"] * 3
    assert await find_breaks(exchange) == ()


async def test_a_load_out_by_others_gets_a_lot_that_was_bought_by_name_last(exchange: SmallExchange) -> None:
    """All three weigh the same, and the first would be taken as the oldest."""
    await sell(exchange, 1)
    given = select(load_out_lot.c.lot_id).order_by(load_out_lot.c.load_out_no)
    await do(exchange, ask, ONE, "A.H", LOT_MG)
    async with exchange.engine.connect() as connection:
        assert list(await connection.scalars(given)) == [2]
    await do(exchange, locks.freeze, ONE, [3], "doubt")
    await do(exchange, ask, ONE, "A.H", LOT_MG)
    async with exchange.engine.connect() as connection:
        assert list(await connection.scalars(given)) == [2, 1], "no other fits"


async def test_a_freeze_over_a_deal_stays_on_the_lot_under_its_new_holder(exchange: SmallExchange) -> None:
    found = await keep(exchange, move(1))
    await do(exchange, locks.freeze, ONE, [1], "stamp looks forged")
    await exchange.engine_runner.run(sale(found), DealAccept("B.H", 1))
    await exchange.post()
    assert await holders(exchange) == ["B.H", "A.H", "A.H"]
    assert [row.kind for row in await do(exchange, locks.listing)] == ["FREEZE"]
    await do(exchange, locks.unfreeze, OTHER, [1], "is genuine")
    assert await find_breaks(exchange) == ()


async def test_a_command_that_is_lost_does_not_keep_its_lots_for_ever(exchange: SmallExchange) -> None:
    """The gateway ended between the reservation and the journal. A later event proves that the command cannot come."""
    now = exchange.engine_runner.engine.state.now
    found = await keep(exchange, move(1), until=now)
    kept = await keep(exchange, move(2))
    await exchange.engine_runner.run(OrderCancel("-"))
    assert await reservations.lapse(exchange.engine) == [], "the event is not posted yet"
    await exchange.post()
    assert await reservations.lapse(exchange.engine) == [found.reservation]
    assert (await states(exchange), await locked(exchange)) == (["RELEASED", "RESERVED"], [2])
    await exchange.engine_runner.run(sale(found), sale(kept, "d2"))
    await exchange.post()
    assert [deal.lots for deal in exchange.engine_runner.engine.state.deals.values()] == [(2,)], "the first came late"
    assert await states(exchange) == ["RELEASED", "OPEN"]
    assert not await do(exchange, reservations.release, kept.reservation), "the engine has taken it"
    assert await find_breaks(exchange) == ()


async def test_a_command_that_is_refused_frees_its_lots_at_once(exchange: SmallExchange) -> None:
    found = await keep(exchange, move(1))
    assert await do(exchange, reservations.release, found.reservation)
    assert not await do(exchange, reservations.release, found.reservation)
    assert (await states(exchange), await locked(exchange)) == (["RELEASED"], [])
    assert await find_breaks(exchange) == ()


async def test_an_annulled_trade_gives_the_title_back(exchange: SmallExchange) -> None:
    first = await sell(exchange, 1, 2)
    before = await of_receipt(exchange, 1)
    second = await sell(exchange, 1, seller="B.H", buyer="C.H")
    back = await keep(exchange, move(1, seller="C.H", buyer="B.H", trade_id=second))
    await annul(exchange, await terms_of(exchange, second), second, back)
    assert await holders(exchange) == ["B.H", "B.H", "A.H"]
    assert await of_receipt(exchange, 1) == before, "B.H has it by the first trade again"
    back = await keep(exchange, move(1, 2, seller="B.H", buyer="A.H", trade_id=first))
    await annul(exchange, await terms_of(exchange, first), first, back)
    row = await of_receipt(exchange, 1)
    assert (row.account, row.issued_to, row.trade_id) == ("A.H", None, None), "and A.H by its own deposit"
    assert await own(exchange, "A.H") == 3 * LOT_MG
    assert await find_breaks(exchange) == ()
    assert await do(exchange, own_stock.differences) == []
    await sell(exchange, 1, buyer="C.H")
    assert await own(exchange, "A.H") == 2 * LOT_MG
    assert await find_breaks(exchange) == ()


async def test_an_annulment_that_leaves_the_lots_with_the_buyer_stops_settlement(exchange: SmallExchange) -> None:
    """No gateway sends such a command; the money must not go back without the lots."""
    first = await sell(exchange, 1)
    with pytest.raises(WrongLots):
        await annul(exchange, await terms_of(exchange, first), first, None)
    assert await holders(exchange) == ["B.H", "A.H", "A.H"]


async def test_lots_that_were_sold_on_or_bound_cannot_go_back(exchange: SmallExchange) -> None:
    first = await sell(exchange, 1, 2)
    await sell(exchange, 1, seller="B.H", buyer="C.H")
    assert await unfit(exchange, 2, 1, seller="B.H", buyer="A.H", trade_id=first) == ("UNKNOWN_LOT", "lots", 1)
    await sell(exchange, 1, seller="C.H", buyer="B.H")
    assert await unfit(exchange, 2, 1, seller="B.H", buyer="A.H", trade_id=first) == ("LOT_BOUND", "lots", 1)
    await do(exchange, locks.freeze, ONE, [2], "doubt")
    assert await unfit(exchange, 2, seller="B.H", buyer="A.H", trade_id=first) == ("LOT_BOUND", "lots", 2)


async def test_a_receipt_that_is_taken_back_is_issued_again_to_its_last_holder(exchange: SmallExchange) -> None:
    await sell(exchange, 1)
    number = await do(exchange, receipt_cancels.propose, ONE, [1], "new paper")
    await exchange.approve(number)
    await exchange.round_trip()
    assert exchange.held("B.H", "AU") == 0
    assert (await do(exchange, lots.find, [1]))[1].account == "B.H", "whoever melts it, returns it or looks it up"
    assert await find_breaks(exchange) == ()
    await exchange.approve(await do(exchange, receipts.propose_issue, ONE, [1]))
    await exchange.round_trip()
    assert exchange.held("B.H", "AU") == LOT_MG, "A.H has sold the lot and has its money"
    assert await holders(exchange) == ["A.H", "A.H", "B.H"]
    assert await find_breaks(exchange) == ()


Wrong = Callable[[SmallExchange], Awaitable[DealPropose]]


async def _unknown(exchange: SmallExchange) -> DealPropose:
    await do(exchange, locks.freeze, ONE, [1], "doubt")
    return sale(LotsFound((1,), LOT_MG, 77, FAR))


async def _of_others(exchange: SmallExchange) -> DealPropose:
    found = await keep(exchange, move(1))
    await do(exchange, locks.freeze, ONE, [2], "doubt")
    return sale(LotsFound((2,), LOT_MG, found.reservation, FAR))


async def _to_another(exchange: SmallExchange) -> DealPropose:
    return sale(await keep(exchange, move(1)), buyer="C.H")


@pytest.mark.parametrize("wrong", [_unknown, _of_others, _to_another])
async def test_lots_that_are_not_reserved_for_their_deal_stop_settlement(exchange: SmallExchange, wrong: Wrong) -> None:
    """No gateway sends such a command; a title that nobody keeps must not seem to move."""
    await exchange.engine_runner.run(await wrong(exchange))
    with pytest.raises(WrongLots):
        await exchange.post()
    async with exchange.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).where(lot_reservation.c.status == "OPEN")) == 0


async def test_many_deals_in_one_batch_follow_each_other(exchange: SmallExchange) -> None:
    """One posting of three deals in a row over the same lot, each of which goes by what the one before has left."""
    first = await keep(exchange, move(1))
    await exchange.engine_runner.run(sale(first), DealAccept("B.H", 1))
    other = await keep(exchange, move(2, 3))
    await exchange.engine_runner.run(sale(other, "d2"), DealAccept("B.H", 2), purchase(1), DealDecline("A.H", 3))
    await exchange.post()
    assert await holders(exchange) == ["B.H"] * 3
    assert await own(exchange, "A.H") == 0
    assert await states(exchange) == ["MOVED", "MOVED"]
    assert await find_breaks(exchange) == ()
    assert await do(exchange, own_stock.differences) == []
