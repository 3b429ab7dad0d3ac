"""Title to named lots compared with its history: who holds a receipt, by which trade, and what is kept for deals.

====================  =========================================================================================
compared              with
====================  =========================================================================================
holder of a receipt   the last change of title in the history of its lot, or the account that it was issued to
trade of a receipt    the newest trade of named lots that stands and moved it, or none
own stock sold        the part of a trade of named lots that its lots make own stock, by the order of these trades
locks for deals       the reservations that are open
====================  =========================================================================================

Differences are breaks of the kind HISTORY (``settlement.reconciliation.histories``). Receipts that no reservation has
named, which are nearly all, are compared in one query.
"""

from sqlalchemy import cast, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.database import among
from settlement.custody.reservations import LOCK
from settlement.custody.titles import STEP
from settlement.documents.custody import RESERVATION_OPEN
from settlement.reconciliation.histories import Facts
from settlement.tables.custody import lot_reservation, receipt
from settlement.tables.ledger import trade, trade_bust
from settlement.tables.lots import custody_event, lot_lock


async def compare(connection: AsyncConnection, facts: Facts) -> None:
    """Compare all titles that named deals have moved, and all locks for deals, in the caller's snapshot."""
    await _holders(connection, facts)
    await _trades(connection, facts)
    await _locks(connection, facts)


async def _holders(connection: AsyncConnection, facts: Facts) -> None:
    """Compare the holder of each receipt that has another one than at its issue, or had, with its lot's history."""
    number = cast(custody_event.c.detail["receipt"].astext, receipt.c.receipt_no.type)
    said = select(number.label("receipt_no"), custody_event.c.detail["to"].astext.label("holder"))
    said = said.where(custody_event.c.step == STEP).ext(distinct_on(number))
    said = said.order_by(number, custody_event.c.event_id.desc())
    last = {row.receipt_no: row.holder for row in await connection.execute(said)}
    columns = (receipt.c.receipt_no, receipt.c.account, receipt.c.issued_to, receipt.c.lot_id)
    query = select(*columns).where(or_(receipt.c.issued_to.is_not(None), among(receipt.c.receipt_no, last)))
    for row in await connection.execute(query.order_by(receipt.c.receipt_no)):
        expected = last.get(row.receipt_no, row.issued_to)
        facts.same(f"receipt:{row.receipt_no} holder", expected, row.account, row.lot_id)


async def _trades(connection: AsyncConnection, facts: Facts) -> None:
    """Follow the trades of named lots and their annulments in the order of their events."""
    columns = lot_reservation.c
    moved = select(columns.receipts, columns.trade_id, columns.purpose, columns.deposited_mg, columns.reservation_no)
    moved = moved.add_columns(func.coalesce(trade_bust.c.sequence, trade.c.sequence).label("sequence"))
    moved = moved.join(trade, trade.c.trade_id == columns.trade_id)
    busted = (trade_bust.c.trade_id == columns.trade_id) & (columns.purpose == "BUST")
    moved = moved.outerjoin(trade_bust, busted).where(columns.status == "MOVED").order_by("sequence")
    moves = (await connection.execute(moved)).all()
    named = {number for one in moves for number in one.receipts}
    query = select(receipt.c.receipt_no, receipt.c.trade_id, receipt.c.lot_id, receipt.c.fine_mg)
    query = query.where(or_(receipt.c.trade_id.is_not(None), among(receipt.c.receipt_no, named)))
    rows = {row.receipt_no: row for row in await connection.execute(query.order_by(receipt.c.receipt_no))}
    by: dict[int, list[int]] = {number: [] for number in rows}
    """By receipt: the trades that stand and moved its title, oldest first."""
    for one in moves:
        there = [number for number in one.receipts if number in rows]
        if one.purpose == "BUST":
            for number in there:
                by[number] = [trade_id for trade_id in by[number] if trade_id != one.trade_id]
        own = sum(rows[number].fine_mg for number in there if not by[number])
        facts.same(f"lot_reservation:{one.reservation_no} own stock", own, one.deposited_mg)
        if one.purpose == "DEAL":
            for number in there:
                by[number].append(one.trade_id)
    for number, row in rows.items():
        expected = by[number][-1] if by[number] else None
        facts.same(f"receipt:{number} trade", expected, row.trade_id, row.lot_id)


async def _locks(connection: AsyncConnection, facts: Facts) -> None:
    columns = lot_reservation.c
    kept = select(func.unnest(columns.lots).label("lot_id"), columns.reservation_no)
    kept = kept.where(columns.status.in_(RESERVATION_OPEN))
    expected = {tuple(row) for row in await connection.execute(kept)}
    live = select(lot_lock.c.lot_id, lot_lock.c.subject)
    live = live.where(lot_lock.c.kind == LOCK, lot_lock.c.lifted_at.is_(None))
    there = {tuple(row) for row in await connection.execute(live)}
    words = {True: "kept", False: "free"}
    for lot_id, number in sorted(expected | there):
        key = (lot_id, number)
        facts.same(f"lot_reservation:{number} lot:{lot_id}", words[key in expected], words[key in there], lot_id)
