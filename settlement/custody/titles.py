"""Title to named lots: what the engine's events about deals of named lots change in the register.

All of it happens in the transaction that posts the events (``settlement.service.writer``): a proposal opens the
reservation of its lots, its end frees them, and the trade moves the receipts to the buyer. A receipt keeps its number,
by which the events name it. Its gold moves with it: the seller gives what it has deposited itself as own stock, and the
buyer holds bought title (``settlement.ledger.own_stock``); storage is charged accordingly.
"""

from collections.abc import Container, Sequence
from typing import Any, Final

from sqlalchemy import Row, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.deal_events import DealAccepted, DealEnded, DealProposed
from goldx.protocol.events import AnyEvent, Trade, TradeBusted
from settlement.base import audit
from settlement.base.database import among
from settlement.base.steps import SERVICE, advance
from settlement.custody import reservations
from settlement.custody.reservations import Move, UnfitLots
from settlement.documents.custody import LOT_RESERVATION
from settlement.lots import lots
from settlement.tables.custody import lot_reservation, receipt
from settlement.tables.ledger import trade_bust

STEP: Final = "title"
"""The step in a lot's history by which its title moves."""


class WrongLots(Exception):
    """The engine has dealt in lots that are not reserved for it, and cannot be: settlement must stop."""


async def follow(connection: AsyncConnection, events: Sequence[AnyEvent]) -> None:
    """Follow events about deals of named lots, and about annulments of their trades, in their order.

    Raises WrongLots for lots that are not reserved as the event says: no gateway sends such a command.
    """
    if not events:
        return
    opened = select(lot_reservation.c.deal_id).where(lot_reservation.c.status == "OPEN")
    deals = set(await connection.scalars(opened))
    accepted: dict[int, Row[Any]] = {}
    for event in events:
        if isinstance(event, DealProposed):
            if event.lot_reservation is not None:  # else a purchase: the seller has bound nothing yet
                await _open(connection, event)
                deals.add(event.deal_id)
        elif isinstance(event, DealAccepted):
            row = await _of_acceptance(connection, event, deals)
            if row is not None:
                accepted[event.trade_id] = row
        elif isinstance(event, DealEnded) and event.deal_id in deals:
            row = await _of_deal(connection, event.deal_id)
            await reservations.free(connection, row.reservation_no, "end", reason=event.reason)
        elif isinstance(event, Trade):
            parties = (event.sell_account, event.buy_account)
            row = accepted.pop(event.trade_id, None)
            await _move(connection, await _reserved(connection, event, row, *parties), event.trade_id)
        elif isinstance(event, TradeBusted) and not event.lots:
            await _check_of_grams(connection, event)
        elif isinstance(event, TradeBusted):
            await _follow_annulment(connection, event)


async def _follow_annulment(connection: AsyncConnection, event: TradeBusted) -> None:
    parties = (event.buy_account, event.sell_account)
    row = await _numbered(connection, event.lot_reservation)
    await _give_back(connection, await _reserved(connection, event, row, *parties, event.trade_id))


async def _open(connection: AsyncConnection, event: DealProposed) -> None:
    parties = (event.account, event.counter_account)
    kept = await _reserved(connection, event, await _numbered(connection, event.lot_reservation), *parties)
    values = {"deal_id": event.deal_id}
    await advance(connection, lot_reservation, LOT_RESERVATION, SERVICE, "open", [kept.reservation_no], values)


async def _reserved(
    connection: AsyncConnection,
    event: DealProposed | Trade | TradeBusted,
    row: Row[Any] | None,
    giver: str,
    taker: str,
    trade_id: int | None = None,
) -> Row[Any]:
    """Return the reservation of an event's lots: the row, if it is one of just these lots and parties, or a new one.

    A new one is made where the database was restored from a backup that is older than the reservation: the engine's
    events come again, what gateways wrote into the register does not. Another reservation may have its number then.
    Raises WrongLots if the lots are not free for it.
    """
    status = "OPEN" if isinstance(event, Trade) and row is not None and row.deal_id is not None else "RESERVED"
    said = (event.symbol, list(event.lots or ()), event.quantity, giver, taker, trade_id, status)
    if row is not None:
        kept = (row.symbol, row.receipts, row.fine_mg, row.from_account, row.to_account, row.trade_id, row.status)
        if kept == said:
            return row
    move = Move(giver, taker, event.symbol, event.lots or (), event.quantity, trade_id)
    try:
        number = await reservations.reserve(connection, move, event.at)
    except UnfitLots as unfit:
        text = f"event {event.sequence} deals in lots {list(move.receipts)}, which are not reserved for it: {unfit}"
        raise WrongLots(text) from unfit
    query = select(lot_reservation).where(lot_reservation.c.reservation_no == number)
    return (await connection.execute(query)).one()


async def _of_acceptance(connection: AsyncConnection, event: DealAccepted, deals: Container[int]) -> Row[Any] | None:
    if event.lot_reservation is not None:
        return await _numbered(connection, event.lot_reservation)
    return await _of_deal(connection, event.deal_id) if event.deal_id in deals else None


async def _of_deal(connection: AsyncConnection, deal_id: int) -> Row[Any]:
    query = select(lot_reservation).where(lot_reservation.c.deal_id == deal_id, lot_reservation.c.status == "OPEN")
    return (await connection.execute(query)).one()


async def _numbered(connection: AsyncConnection, number: int | None) -> Row[Any] | None:
    query = select(lot_reservation).where(lot_reservation.c.reservation_no == number)
    return (await connection.execute(query)).first()


async def _check_of_grams(connection: AsyncConnection, event: TradeBusted) -> None:
    """Raise WrongLots if an annulment without lots is of a trade that moved some: the buyer would keep them."""
    query = select(lot_reservation.c.receipts).where(
        lot_reservation.c.trade_id == event.trade_id, lot_reservation.c.purpose == "DEAL"
    )
    named = await connection.scalar(query)
    if named is not None:
        text = f"event {event.sequence} annuls trade {event.trade_id} and does not give back its lots {named}"
        raise WrongLots(text)


async def _move(connection: AsyncConnection, sale: Row[Any], trade_id: int) -> None:
    """Give the title of reserved lots to the buyer."""
    before = await _held(connection, sale)
    deposited = sum(row.fine_mg for row in before if row.trade_id is None)
    issued_to = func.coalesce(receipt.c.issued_to, receipt.c.account)
    moved = update(receipt).where(among(receipt.c.receipt_no, sale.receipts))
    await connection.execute(moved.values(account=sale.to_account, issued_to=issued_to, trade_id=trade_id))
    await _record(connection, sale, before, {"trade": trade_id})
    values = {"trade_id": trade_id, "deposited_mg": deposited}
    await reservations.free(connection, sale.reservation_no, "move", **values)


async def _give_back(connection: AsyncConnection, back: Row[Any]) -> None:
    """Give the title of reserved lots back to the seller of a trade that was annulled.

    Each receipt is then as it was before: bought by the trade before, or its holder's own deposit.
    """
    before = await _held(connection, back)
    earlier = await _earlier_trades(connection, back.receipts, back.trade_id)
    for row in before:
        trade_id = earlier.get(row.receipt_no)
        issued_to = None if trade_id is None else row.issued_to
        given = update(receipt).where(receipt.c.receipt_no == row.receipt_no)
        await connection.execute(given.values(account=back.to_account, issued_to=issued_to, trade_id=trade_id))
    await _record(connection, back, before, {"annulled": back.trade_id})
    deposited = sum(row.fine_mg for row in before if row.receipt_no not in earlier)
    await reservations.free(connection, back.reservation_no, "move", deposited_mg=deposited)


async def _held(connection: AsyncConnection, reserved: Row[Any]) -> list[Row[Any]]:
    """Return the receipts of a reservation. Raises WrongLots if one is not live in the name of who gives it."""
    await audit.lock(connection)
    query = select(receipt).where(among(receipt.c.receipt_no, reserved.receipts)).order_by(receipt.c.receipt_no)
    rows = list(await connection.execute(query.with_for_update(key_share=True)))
    if len(rows) != len(reserved.receipts) or any(
        (row.status, row.account) != ("LIVE", reserved.from_account) for row in rows
    ):
        text = f"reservation {reserved.reservation_no} has receipts that {reserved.from_account} does not hold"
        raise WrongLots(text)
    return rows


async def _earlier_trades(connection: AsyncConnection, receipts: Sequence[int], but: int) -> dict[int, int]:
    """Return by receipt the newest trade, but for one, that stands and moved its title."""
    columns = lot_reservation.c
    moved = select(columns.receipts, columns.trade_id).where(
        columns.purpose == "DEAL",
        columns.status == "MOVED",
        columns.receipts.op("&&")(literal(list(receipts), columns.receipts.type)),
        columns.trade_id != but,
        columns.trade_id.not_in(select(trade_bust.c.trade_id)),
    )
    found: dict[int, int] = {}
    for row in await connection.execute(moved.order_by(columns.trade_id)):
        found |= dict.fromkeys(set(row.receipts) & set(receipts), row.trade_id)
    return found


async def _record(connection: AsyncConnection, moved: Row[Any], before: Sequence[Row[Any]], by: dict[str, int]) -> None:
    """Write the change of title into the histories of the lots."""
    details = {
        row.lot_id: {"receipt": row.receipt_no, "from": moved.from_account, "to": moved.to_account, **by}
        for row in before
    }
    await lots.record_events(connection, SERVICE, STEP, details)
