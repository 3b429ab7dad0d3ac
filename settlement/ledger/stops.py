"""Stops of money out: a member that is not active, and a member's account at a bank that has ended.

Either may come about while an order to pay waits. So they are looked at when the order is approved, and once more when
it is put into a file for the bank.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.database import among, now_ms
from settlement.base.refusal import Refused
from settlement.documents.banking import PAYEE_ACCOUNT, PAYEE_LIVE
from settlement.documents.registered import ACTIVE, SUSPENDED
from settlement.tables.banking import bank_match, payment_order, undone_attempt
from settlement.tables.base import member
from settlement.tables.ledger import cash_transfer, trading_account
from settlement.tables.withdrawals import payee_account

_OF_ORDER: Final = (
    payee_account.c.member == trading_account.c.member,
    func.folded(payee_account.c.account_number) == func.folded(payment_order.c.payee_account),
)


def _payee_ended() -> ColumnElement[bool]:
    """Return whether the account at a bank that an order pays to has ended, and is not registered again and usable."""
    usable = (payee_account.c.status == PAYEE_LIVE, payee_account.c.usable_at <= now_ms())
    ended = exists().where(*_OF_ORDER, payee_account.c.status == PAYEE_ACCOUNT.steps["end"].after)
    return ended & ~exists().where(*_OF_ORDER, *usable)


async def of(connection: AsyncConnection, cash_ids: Sequence[int]) -> dict[int, Refused]:
    """Return why money out may not be paid now, by the number of its document: NOT_ACTIVE or PAYEE_ENDED.

    Money out without a payee, which a clerk types from the bank's paper, is stopped by a suspension alone: what an
    ended member still has goes out so. What a statement of the bank has already is not stopped, nor what takes back
    money that should not be there.
    """
    query = (
        select(
            cash_transfer.c.cash_id,
            member.c.member,
            member.c.status,
            payment_order.c.payee_account,
            _payee_ended().label("payee_ended"),
        )
        .join(trading_account, trading_account.c.account == cash_transfer.c.account)
        .outerjoin(member, member.c.member == trading_account.c.member)
        .outerjoin(payment_order, payment_order.c.cash_id == cash_transfer.c.cash_id)
        .where(
            among(cash_transfer.c.cash_id, cash_ids),
            cash_transfer.c.amount < 0,
            ~exists().where(bank_match.c.cash_id == cash_transfer.c.cash_id),
            ~exists().where(undone_attempt.c.cash_id == cash_transfer.c.cash_id),
        )
    )
    found = {}
    for row in await connection.execute(query):
        ordered = row.payee_account is not None
        if row.status == SUSPENDED or (ordered and row.status != ACTIVE):
            found[row.cash_id] = Refused("NOT_ACTIVE", f"member {row.member} is {row.status}: nothing is paid to it")
        elif row.payee_ended:
            text = f"account {row.payee_account} of member {row.member} has ended: nothing is paid to it"
            found[row.cash_id] = Refused("PAYEE_ENDED", text)
    return found


async def check(connection: AsyncConnection, cash_ids: Sequence[int]) -> None:
    """Raise Refused (NOT_ACTIVE, PAYEE_ENDED) where any of this money out may not be paid now."""
    for error in (await of(connection, cash_ids)).values():
        raise error
