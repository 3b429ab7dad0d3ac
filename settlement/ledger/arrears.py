"""Arrears: an account that could not pay a bill can take out neither metal nor money until the bill is paid."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Select, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money
from settlement.base.refusal import Refused
from settlement.documents.charges import BILL_UNPAID
from settlement.documents.ledger import CASH_DONE
from settlement.tables.banking import bank_item, bank_match, undone_attempt, undone_money
from settlement.tables.charges import fee_bill
from settlement.tables.ledger import cash_transfer


async def check_none(connection: AsyncConnection, account: str) -> None:
    """Raise Refused (ARREAR) for an account that could not pay a bill, if that or its successor is unpaid."""
    unpaid = fee_bill.c.status.in_(BILL_UNPAID)
    query = select(fee_bill).where(fee_bill.c.account == account, fee_bill.c.arrear, unpaid)
    if (row := (await connection.execute(query)).first()) is not None:
        text = f"account {account} has not paid bill {row.bill_no} of {format_money(row.amount_fen)} CNY"
        raise Refused("ARREAR", text)
    if (owed := (await connection.execute(returns().where(cash_transfer.c.account == account))).first()) is not None:
        text = f"account {account} owes {format_money(-owed.amount_fen)} CNY, since the bank took back a payment"
        raise Refused("ARREAR", f"{text} (payment {owed.item_no})")
    if (owed := (await connection.execute(undone().where(cash_transfer.c.account == account))).first()) is not None:
        text = f"account {account} owes {format_money(-owed.amount_fen)} CNY, since {_CAUSES[owed.cause]}"
        raise Refused("ARREAR", f"{text} (cash {owed.of_cash})")


_CAUSES: Final[Mapping[str, str]] = {
    "VOIDED": "the bank's statement that had the payment is voided",
    "PAID_AFTER_ALL": "the bank has paid what it had rejected, after the money had come back",
}


def undone() -> Select[Any]:
    """Return the query of money in that no payment of the bank stands behind, and that is still in its account.

    A row is that money: the number of its record, its own number (``of_cash``), its cause, its account, its amount
    below zero as it goes out, how often money out was proposed for it, and the number of the last such document, None
    without one.
    """
    attempt, against = undone_attempt.alias(), cash_transfer.alias()
    done = (
        select(attempt.c.cash_id)
        .join(against, against.c.cash_id == attempt.c.cash_id)
        .where(attempt.c.undone_no == undone_money.c.undone_no, against.c.status == CASH_DONE)
    )
    return (
        select(
            undone_money.c.undone_no,
            undone_money.c.cash_id.label("of_cash"),
            undone_money.c.cause,
            cash_transfer.c.account,
            (-cash_transfer.c.amount).label("amount_fen"),
            func.count(undone_attempt.c.cash_id).label("attempts"),
            func.max(undone_attempt.c.cash_id).label("cash_id"),
        )
        .join(cash_transfer, cash_transfer.c.cash_id == undone_money.c.cash_id)
        .outerjoin(undone_attempt, undone_attempt.c.undone_no == undone_money.c.undone_no)
        .where(
            undone_money.c.ended.is_(None),
            cash_transfer.c.status == CASH_DONE,
            cash_transfer.c.amount > 0,
            ~exists(done),
        )
        .group_by(undone_money.c.undone_no, cash_transfer.c.cash_id)
    )


def returns() -> Select[Any]:
    """Return the query of what accounts owe, since the bank has taken back payments that they were credited.

    A row is a payment that takes money back: its number and amount, the account, how often money out was proposed for
    it, and the number of the last such document. It is owed until money out for it is done.
    """
    tied, money = bank_match.alias(), cash_transfer.alias()
    done = (
        select(tied.c.match_no)
        .join(money, money.c.cash_id == tied.c.cash_id)
        .where(tied.c.item_no == bank_item.c.item_no, money.c.status == CASH_DONE)
    )
    return (
        select(
            bank_item.c.item_no,
            bank_item.c.amount_fen,
            cash_transfer.c.account,
            func.count().label("attempts"),
            func.max(cash_transfer.c.cash_id).label("cash_id"),
        )
        .join(bank_match, bank_match.c.item_no == bank_item.c.item_no)
        .join(cash_transfer, cash_transfer.c.cash_id == bank_match.c.cash_id)
        .where(bank_match.c.how == "RETURN", bank_item.c.amount_fen < 0, ~exists(done))
        .group_by(bank_item.c.item_no, bank_item.c.amount_fen, cash_transfer.c.account)
    )
