"""Warehouse receipts (仓单): one live receipt per registered lot; the register is the title.

A receipt changes to and from LIVE in the transaction that posts the engine's event, so that live receipts, ledger and
engine agree at every sequence.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, insert, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_weight
from settlement.base import proposals
from settlement.base.database import among
from settlement.base.filters import check_known
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.charges import accruals
from settlement.documents.custody import RECEIPT, RECEIPT_LIVE, RECEIPT_OPEN, RECEIPT_UNDER_WAY
from settlement.ledger import balances, outbox
from settlement.lots import acceptance, locks, lots
from settlement.tables.custody import receipt
from settlement.tables.ledger import outbox as outbox_table
from settlement.tables.ledger import trading_account
from settlement.tables.lots import lot, lot_lock


async def propose_issue(connection: AsyncConnection, by: str, lot_ids: Sequence[int]) -> int:
    """Propose receipts for registered lots, in their owners' names; return the proposal's number.

    Raises BadValue for an unknown lot or no lot; Refused for a lot that is not registered, has a receipt or is locked,
    and if all accounts together would have too much of a class (SUM_TOO_LARGE).
    """
    if not lot_ids:
        raise BadValue("lots", list(lot_ids), "at least one registered lot")
    found = await lots.find(connection, lot_ids, lock=True)
    fine: defaultdict[str, int] = defaultdict(int)
    for row in found.values():
        if row.state != "REGISTERED":
            raise Refused("ILLEGAL_STEP", f"lot {row.lot_id} is {row.state}; for a receipt it must be REGISTERED")
        fine[row.symbol] += row.fine_mg
    await acceptance.check(connection, list(found.values()))
    await locks.check_free(connection, list(found))
    rows = [
        {
            "lot_id": row.lot_id,
            "account": row.account,
            "symbol": row.symbol,
            "fine_mg": row.fine_mg,
            "status": RECEIPT.steps["propose"].after,
        }
        for row in found.values()
    ]
    try:
        added = await connection.execute(insert(receipt).returning(receipt.c.receipt_no), rows)
    except IntegrityError as error:
        raise Refused("RECEIPT_EXISTS", "one of the lots has a receipt already, proposed or live") from error
    numbers = sorted(int(row.receipt_no) for row in added)
    for symbol in sorted(fine):
        coming = select(func.sum(receipt.c.fine_mg)).where(
            receipt.c.symbol == symbol, receipt.c.status.in_(RECEIPT_UNDER_WAY)
        )
        await balances.check_room(connection, symbol, int(await connection.scalar(coming) or 0))
    summary = {"lots": len(rows), "fine_g": {symbol: format_weight(mg) for symbol, mg in sorted(fine.items())}}
    return await proposals.propose(connection, by, "receipt", numbers, summary)


async def issuable(connection: AsyncConnection) -> list[int]:
    """Return the registered lots that have no receipt, neither proposed nor live, and no lock."""
    taken = select(receipt.c.lot_id).where(receipt.c.status.in_(RECEIPT_OPEN))
    query = select(lot.c.lot_id).where(lot.c.state == "REGISTERED", lot.c.lot_id.not_in(taken), locks.is_free())
    return sorted((await connection.execute(query)).scalars())


async def open_of(connection: AsyncConnection, lot_ids: Sequence[int]) -> list[Row[Any]]:
    """Return the receipts of lots that are proposed or live, by lot."""
    query = select(receipt).where(among(receipt.c.lot_id, lot_ids), receipt.c.status.in_(RECEIPT_OPEN))
    return list(await connection.execute(query.order_by(receipt.c.lot_id)))


async def check_none(connection: AsyncConnection, lot_ids: Sequence[int]) -> None:
    """Refuse (RECEIPT_EXISTS) a lot that has a receipt, proposed or live."""
    for row in await open_of(connection, lot_ids):
        raise Refused("RECEIPT_EXISTS", f"lot {row.lot_id} has receipt {row.receipt_no}, which is {row.status}")


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Queue the fine gold for the engine, and charge the load-in of the lots.

    Raises Refused (LOCKED) where a lot was frozen or held meanwhile.
    """
    rows = await advance(connection, receipt, RECEIPT, by, "approve", subjects)
    ids = [row.lot_id for row in rows.values()]
    held = await lots.find(connection, ids, lock=True)
    await locks.check_not_held(connection, ids)
    moves = [(number, ((row.account, row.symbol, row.fine_mg),)) for number, row in rows.items()]
    await outbox.put(connection, "receipt", by, moves)
    weights: defaultdict[tuple[str, str], int] = defaultdict(int)
    before = await _approved_before(connection, ids, subjects)
    for one in held.values():
        if one.lot_id not in before:
            weights[one.account, one.symbol] += one.melt_cg or one.gross_cg
    await accruals.charge_load_in(connection, weights, f"receipts:{min(subjects)}-{max(subjects)}")


async def _approved_before(connection: AsyncConnection, lot_ids: Sequence[int], but: Sequence[int]) -> set[int]:
    """Return the lots for which another receipt was approved before, so that their load-in was charged.

    What was approved is in the outbox, whatever the engine answered and whatever became of the receipt.
    """
    query = select(receipt.c.lot_id).where(among(receipt.c.lot_id, lot_ids), receipt.c.receipt_no.not_in(but))
    queued = (outbox_table.c.kind == "receipt") & (outbox_table.c.subject == receipt.c.receipt_no)
    return set(await connection.scalars(query.join(outbox_table, queued)))


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Void the receipts; the lots stay registered."""
    await advance(connection, receipt, RECEIPT, by, "decline", subjects, {"reason": "DECLINED"})


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Issue the receipts: the engine has credited the gold."""
    rows = await advance(connection, receipt, RECEIPT, by, "issue", subjects)
    numbers = {row.lot_id: {"receipt": number} for number, row in rows.items()}
    await lots.take(connection, by, "issue", list(numbers), details=numbers)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """Void the receipts: the engine has refused. The lots stay registered."""
    for number, reason in reasons.items():
        await advance(connection, receipt, RECEIPT, by, "refuse", [number], {"reason": reason})


async def cancel(connection: AsyncConnection, by: str, lot_ids: Sequence[int]) -> None:
    """Cancel the live receipts of lots whose gold the engine has taken out."""
    live = select(receipt.c.receipt_no).where(among(receipt.c.lot_id, lot_ids), receipt.c.status == RECEIPT_LIVE)
    numbers = sorted((await connection.execute(live)).scalars())
    await advance(connection, receipt, RECEIPT, by, "cancel", numbers)


async def listing(
    connection: AsyncConnection, page: PageRequest = ALL, *, account: str | None = None
) -> Page[Row[Any]]:
    """Return receipts by number, each with its lot's ``warehouse`` and the kinds of its ``locks``.

    Raises BadValue for an unknown account.
    """
    await check_known(connection, account=account)
    locked = select(func.string_agg(lot_lock.c.kind, literal(" "))).where(
        lot_lock.c.lot_id == receipt.c.lot_id, lot_lock.c.lifted_at.is_(None)
    )
    query = select(receipt, lot.c.warehouse, locked.scalar_subquery().label("locks")).join(
        lot, lot.c.lot_id == receipt.c.lot_id
    )
    if account is not None:
        query = query.where(receipt.c.account == account)
    return await fetch(connection, query, (receipt.c.receipt_no,), page)


async def of_member(connection: AsyncConnection, member: str, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the live receipts of a member's accounts by number, each with what its lot is and where it lies.

    ``free`` is whether the lot is bound by nothing, so that it can be named in a deal.
    """
    of_lot = (lot.c.refiner, lot.c.serial, lot.c.year, lot.c.form, lot.c.warehouse)
    free = ((lot.c.state == "RECEIPTED") & locks.is_free()).label("free")
    query = select(receipt, *of_lot, free).join(lot, lot.c.lot_id == receipt.c.lot_id)
    query = query.join(trading_account, trading_account.c.account == receipt.c.account)
    query = query.where(trading_account.c.member == member, receipt.c.status == RECEIPT_LIVE)
    return await fetch(connection, query, (receipt.c.receipt_no,), page)
