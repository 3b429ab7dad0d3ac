"""Bills: the accrued fees of an account, added up, rounded once and paid through the journal.

A bill is rounded half up to the fen. An account without the money for it is in arrear, as no balance goes below zero:
the next bill includes the amount, and until it is paid the account takes out neither metal nor money
(``settlement.ledger.arrears``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, format_money, half_up
from settlement.base import audit, proposals
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.steps import advance
from settlement.charges.accruals import UFEN
from settlement.documents.charges import BILL_REPLACEABLE, BILL_UNDER_WAY, FEE_BILL
from settlement.ledger import outbox
from settlement.tables.charges import fee_accrual, fee_bill


async def propose(connection: AsyncConnection, by: str) -> int | None:
    """Propose a bill for every account, of all it owes, arrears included.

    An account with a bill under way gets no other one. Less than half a fen waits for the next bill. Returns the number
    of the proposal, None if nobody owes anything.
    """
    await audit.lock(connection)
    under_way = select(fee_bill.c.account).where(fee_bill.c.status.in_(BILL_UNDER_WAY))
    replaceable = select(fee_bill.c.bill_no).where(fee_bill.c.status.in_(BILL_REPLACEABLE))
    owed = or_(fee_accrual.c.bill_no.is_(None), fee_accrual.c.bill_no.in_(replaceable))
    sums = select(fee_accrual.c.account, func.sum(fee_accrual.c.amount_ufen).label("ufen"))
    sums = sums.where(owed, fee_accrual.c.account.not_in(under_way)).group_by(fee_accrual.c.account)
    numbers, total = [], 0
    for account, ufen in (await connection.execute(sums.order_by(fee_accrual.c.account))).all():
        fen = half_up(int(ufen), UFEN)
        if fen > 0:
            numbers.append(await _write(connection, by, account, int(ufen), fen))
            total += fen
    if not numbers:
        return None
    summary = {"bills": len(numbers), "amount": format_money(total)}
    return await proposals.propose(connection, by, "fee", numbers, summary)


async def _write(connection: AsyncConnection, by: str, account: str, ufen: int, fen: int) -> int:
    """Write the bill of an account in place of those that it could not pay or that were declined."""
    old = select(fee_bill.c.bill_no, fee_bill.c.arrear).where(
        fee_bill.c.account == account, fee_bill.c.status.in_(BILL_REPLACEABLE)
    )
    arrears = {row.bill_no: row.arrear for row in await connection.execute(old)}
    replaced = sorted(arrears)
    await advance(connection, fee_bill, FEE_BILL, by, "replace", replaced)
    values = {
        "account": account,
        "exact_ufen": ufen,
        "amount_fen": fen,
        "status": FEE_BILL.steps["propose"].after,
        "arrear": any(arrears.values()),
        "made_at": now_ms(),
    }
    added = insert(fee_bill).values(values).returning(fee_bill.c.bill_no)
    number = int((await connection.execute(added)).scalar_one())
    billed = update(fee_accrual).where(fee_accrual.c.account == account)
    billed = billed.where(or_(fee_accrual.c.bill_no.is_(None), among(fee_accrual.c.bill_no, replaced)))
    await connection.execute(billed.values(bill_no=number))
    return number


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Send the bills to the engine."""
    rows = await advance(connection, fee_bill, FEE_BILL, by, "approve", subjects)
    moves = [(number, ((row.account, CASH, -row.amount_fen),)) for number, row in rows.items()]
    await outbox.put(connection, "fee", by, moves)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Decline the bills; the next ones contain what they were about."""
    await advance(connection, fee_bill, FEE_BILL, by, "decline", subjects)


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Record that the bills are paid."""
    await advance(connection, fee_bill, FEE_BILL, by, "pay", subjects)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """Record an arrear for each bill that its account has not the money for."""
    for number, reason in reasons.items():
        await advance(connection, fee_bill, FEE_BILL, by, "refuse", [number], {"reason": reason, "arrear": True})


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, status: str | None = None) -> Page[Row[Any]]:
    """Return bills, oldest first; of one ``status`` if it is given."""
    query = select(fee_bill)
    if status is not None:
        query = query.where(fee_bill.c.status == status)
    return await fetch(connection, query, (fee_bill.c.bill_no,), page)
