"""Money that no payment of the bank stands behind any more, and that goes back: recorded, proposed, and ended.

===============  ==========================================================================================
cause            the money
===============  ==========================================================================================
VOIDED           its payment is in a statement that was voided (``settlement.banking.voids``)
PAID_AFTER_ALL   it came back for a payment that the bank had rejected, and the bank has paid that after all
===============  ==========================================================================================

The opposite movement is proposed, for a second person to approve. Until that is done, money in is owed by its account
(``settlement.ledger.arrears``), also where the engine refuses to take it out. It is owed no more if a payment is found
to stand behind it after all.
"""

from typing import Any, NamedTuple

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money
from settlement.base import audit, proposals
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.documents.ledger import BANK_REFERENCE_USED
from settlement.ledger import cash
from settlement.tables.banking import undone_attempt, undone_money
from settlement.tables.ledger import cash_transfer


class Undone(NamedTuple):
    """Money that is to be undone; ``proposal`` moves it the other way, ``why`` says why there is none."""

    undone_no: int
    cash_id: int
    proposal: int | None
    why: str

    def __str__(self) -> str:
        """Return what comes of it, for a clerk."""
        return f"cash {self.cash_id} goes back: " + (self.why or f"proposal {self.proposal}")


async def undo(connection: AsyncConnection, by: str, cash_id: int, cause: str, why: str) -> Undone:
    """Record that money is to be undone, once, and propose the opposite movement.

    Where that cannot be proposed, the money is still to be undone.
    """
    known = await find(connection, cash_id)
    if known is not None:
        return Undone(known.undone_no, cash_id, None, "it is to be undone already")
    number = await _record(connection, by, cash_id, cause, why)
    try:
        async with connection.begin_nested():
            return Undone(number, cash_id, await propose(connection, by, number), "")
    except (Refused, BadValue) as error:
        return Undone(number, cash_id, None, str(error))


async def _record(connection: AsyncConnection, by: str, cash_id: int, cause: str, why: str) -> int:
    values = {"cash_id": cash_id, "cause": cause, "why": why, "at": now_ms(), "by": by}
    added = insert(undone_money).values(values).returning(undone_money.c.undone_no)
    number = int((await connection.execute(added)).scalar_one())
    detail = {"cash": cash_id, "cause": cause, "why": why}
    await audit.record(connection, audit.Act(by, "undone_money.record", f"undone_money:{number}", detail))
    return number


async def pair(connection: AsyncConnection, by: str, cash_id: int, against: int, cause: str, why: str) -> None:
    """Record that money was undone by other money that has moved already."""
    number = await _record(connection, by, cash_id, cause, why)
    await connection.execute(insert(undone_attempt).values(cash_id=against, undone_no=number))


async def propose(connection: AsyncConnection, by: str, undone_no: int) -> int:
    """Propose the opposite movement of money that is to be undone; return the proposal's number.

    Raises what ``settlement.ledger.cash.propose`` raises.
    """
    query = (
        select(undone_money, cash_transfer.c.account, cash_transfer.c.amount)
        .join(cash_transfer, cash_transfer.c.cash_id == undone_money.c.cash_id)
        .where(undone_money.c.undone_no == undone_no)
    )
    row = (await connection.execute(query)).one()
    more = {"undoes": f"cash {row.cash_id} of {format_money(row.amount)}", "why": row.why}
    reference = f"cash {row.cash_id} undone"
    return await cash.propose(connection, by, row.account, -row.amount, reference, more=more, undoes=undone_no)


async def find(connection: AsyncConnection, cash_id: int) -> Row[Any] | None:
    """Return the record of money that is to be undone, or is, with its last attempt; None if it stands.

    ``attempt`` and ``status`` are None where no opposite movement was proposed.
    """
    query = (
        select(undone_money, undone_attempt.c.cash_id.label("attempt"), cash_transfer.c.status)
        .outerjoin(undone_attempt, undone_attempt.c.undone_no == undone_money.c.undone_no)
        .outerjoin(cash_transfer, cash_transfer.c.cash_id == undone_attempt.c.cash_id)
        .where(undone_money.c.cash_id == cash_id, undone_money.c.ended.is_(None))
        .order_by(undone_attempt.c.cash_id.desc())
        .limit(1)
    )
    return (await connection.execute(query)).first()


async def end(connection: AsyncConnection, by: str, cash_id: int, why: str) -> str:
    """End what would undo money that stands after all; return a note, nothing where nothing was to be undone.

    A proposal that waits is declined. The caller has made sure that it is not moving.
    """
    row = await find(connection, cash_id)
    if row is None:
        return ""
    if row.status in BANK_REFERENCE_USED:
        await cash.declined(connection, by, [row.attempt])
        await proposals.lapse(connection, by, "cash", [row.attempt])
    ending = update(undone_money).where(undone_money.c.undone_no == row.undone_no)
    await connection.execute(ending.values(ended=why))
    act = audit.Act(by, "undone_money.end", f"undone_money:{row.undone_no}", {"cash": cash_id, "why": why})
    await audit.record(connection, act)
    return f"cash {cash_id} stands after all"
