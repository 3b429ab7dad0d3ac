"""Claims on accounts: the bank has taken a payment back, or no payment of the bank stands behind money any more."""

from typing import Any

from sqlalchemy import BigInteger, Row, Select, func, literal, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money
from settlement.banking import deposits, undoing
from settlement.base import audit
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.documents.ledger import BANK_REFERENCE_USED
from settlement.ledger import arrears, cash, payment_claims
from settlement.tables.banking import bank_item, bank_match, undone_money
from settlement.tables.ledger import cash_transfer


def _query() -> Select[Any]:
    """Return the query of all claims: ``item_no`` is the payment that took money back, or ``of_cash`` the money."""
    taken_back, undone = arrears.returns().subquery("taken_back"), arrears.undone().subquery("undone")
    of_payments = select(
        literal(0).label("source"),
        taken_back.c.item_no.label("number"),
        taken_back.c.item_no,
        null().cast(BigInteger).label("of_cash"),
        *(taken_back.c[name] for name in ("account", "amount_fen", "attempts", "cash_id")),
    )
    of_money = select(
        literal(1),
        undone.c.of_cash,
        null().cast(BigInteger),
        undone.c.of_cash,
        *(undone.c[name] for name in ("account", "amount_fen", "attempts", "cash_id")),
    )
    owed = of_payments.union_all(of_money).subquery("owed")
    status = func.coalesce(cash_transfer.c.status, "OWED").label("status")
    return select(owed, status, cash_transfer.c.reason).outerjoin(
        cash_transfer, cash_transfer.c.cash_id == owed.c.cash_id
    )


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the claims, each with the status of the last attempt to take the money out, OWED before there is one."""
    query = _query()
    key = (query.selected_columns.source, query.selected_columns.number)
    return await fetch(connection, query, key, page)


async def collect(connection: AsyncConnection, by: str, item_no: int) -> int:
    """Propose once more to take out what an account owes for a payment that the bank took back.

    Return the proposal's number. Raises BadValue where nothing is owed, and Refused (ILLEGAL_STEP) while an attempt is
    under way, the payment is another account's money, or the engine has not answered the claim.
    """
    await audit.lock(connection)
    owed = (await connection.execute(arrears.returns().where(bank_item.c.item_no == item_no))).first()
    if owed is None:
        raise BadValue("payment", item_no, "the number of a payment that is owed")
    await _check_none_under_way(connection, owed)
    row = (await connection.execute(deposits.open_payments().where(bank_item.c.item_no == item_no))).first()
    if row is None:
        raise Refused("ILLEGAL_STEP", f"payment {item_no} is matched with other money, so that it is not in suspense")
    last = select(bank_match).where(bank_match.c.cash_id == owed.cash_id)
    before = (await connection.execute(last)).one()
    payment = cash.StatedPayment(item_no, "RETURN", before.why, before.against_item)
    reference = await deposits.reference_of(connection, row)
    return await cash.propose(connection, by, owed.account, row.amount_fen, reference, payment)


async def collect_money(connection: AsyncConnection, by: str, cash_id: int) -> int:
    """Propose once more to take out money that no payment stands behind; return the proposal's number.

    Raises as ``collect`` does.
    """
    await audit.lock(connection)
    owed = (await connection.execute(arrears.undone().where(undone_money.c.cash_id == cash_id))).first()
    if owed is None:
        raise BadValue("money", cash_id, "the number of money that is owed")
    await _check_none_under_way(connection, owed)
    return await undoing.propose(connection, by, owed.undone_no)


async def _check_none_under_way(connection: AsyncConnection, owed: Row[Any]) -> None:
    status = await connection.scalar(select(cash_transfer.c.status).where(cash_transfer.c.cash_id == owed.cash_id))
    if status in BANK_REFERENCE_USED:
        raise Refused("ILLEGAL_STEP", f"cash {owed.cash_id} of {format_money(owed.amount_fen)} is {status} already")
    if owed.cash_id is not None:
        await payment_claims.check_none_coming(connection, [owed.cash_id])
