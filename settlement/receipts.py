"""Warehouse receipts (仓单): one live receipt per registered lot; the register is the title.

============  ==================================  ===========
state         what happens                        next
============  ==================================  ===========
PROPOSED      the second person approves          ISSUING
PROPOSED      somebody declines                   VOID
ISSUING       the engine credits the fine gold    LIVE
ISSUING       the engine refuses                  VOID
LIVE          the lot is withdrawn                CANCELLED
============  ==================================  ===========

A receipt changes to and from LIVE in the transaction that posts the engine's event, so that live receipts, ledger and
engine agree at every sequence.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.units import BadValue, format_weight
from settlement import lots, outbox, proposals
from settlement.database import among
from settlement.refusal import Refused
from settlement.schema import lot, receipt


async def propose_issue(connection: AsyncConnection, by: str, lot_ids: Sequence[int]) -> int:
    """Proposes receipts for registered lots, in the depositors' names; returns the proposal's number.

    Raises BadValue for an unknown lot or none at all, Refused for one that is not registered or has a receipt.
    """
    if not lot_ids:
        raise BadValue("lots", list(lot_ids), "at least one registered lot")
    found = await lots.find(connection, lot_ids, lock=True)
    fine: defaultdict[str, int] = defaultdict(int)
    for row in found.values():
        if row.state != "REGISTERED":
            raise Refused("ILLEGAL_STEP", f"lot {row.lot_id} is {row.state}; for a receipt it must be REGISTERED")
        fine[row.symbol] += row.fine_mg
    rows = [
        {
            **{"lot_id": row.lot_id, "account": row.account, "symbol": row.symbol, "fine_mg": row.fine_mg},
            "status": "PROPOSED",
        }
        for row in found.values()
    ]
    try:
        added = await connection.execute(insert(receipt).returning(receipt.c.receipt_no), rows)
    except IntegrityError as error:
        raise Refused("RECEIPT_EXISTS", "one of the lots has a receipt already, proposed or live") from error
    numbers = sorted(int(row.receipt_no) for row in added)
    summary = {"lots": len(rows), "fine_g": {symbol: format_weight(mg) for symbol, mg in sorted(fine.items())}}
    return await proposals.propose(connection, by, "receipt", numbers, summary)


async def issuable(connection: AsyncConnection) -> list[int]:
    """Registered lots that have no receipt, neither proposed nor live."""
    taken = select(receipt.c.lot_id).where(receipt.c.status.in_(("PROPOSED", "ISSUING", "LIVE")))
    query = select(lot.c.lot_id).where(lot.c.state == "REGISTERED", lot.c.lot_id.not_in(taken))
    return sorted((await connection.execute(query)).scalars())


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Sends the fine gold to the engine."""
    await _set(connection, subjects, "ISSUING")
    query = select(receipt).where(among(receipt.c.receipt_no, subjects)).order_by(receipt.c.receipt_no)
    rows = await connection.execute(query)
    moves = [(row.receipt_no, ((row.account, row.symbol, row.fine_mg),)) for row in rows]
    await outbox.put(connection, "receipt", by, moves)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:  # noqa: ARG001
    """The lots stay registered."""
    await _set(connection, subjects, "VOID", "DECLINED")


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """The engine has credited the gold: receipts are live, lots are receipted."""
    await _set(connection, subjects, "LIVE")
    query = select(receipt.c.lot_id, receipt.c.receipt_no).where(among(receipt.c.receipt_no, subjects))
    numbers = {row.lot_id: {"receipt": row.receipt_no} for row in await connection.execute(query)}
    await lots.take(connection, by, "issue", list(numbers), details=numbers)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:  # noqa: ARG001
    """The engine has refused; the lots stay registered."""
    for number, reason in reasons.items():
        await _set(connection, [number], "VOID", reason)


async def cancel(connection: AsyncConnection, lot_ids: Sequence[int]) -> None:
    """Cancels the live receipts of lots whose gold the engine has taken out."""
    live = update(receipt).where(among(receipt.c.lot_id, lot_ids), receipt.c.status == "LIVE")
    await connection.execute(live.values(status="CANCELLED"))


async def _set(connection: AsyncConnection, subjects: Sequence[int], status: str, reason: str | None = None) -> None:
    changed = update(receipt).where(among(receipt.c.receipt_no, subjects))
    await connection.execute(changed.values(status=status, reason=reason))
