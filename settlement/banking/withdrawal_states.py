"""The state of each withdrawal, as it follows from its own steps, the money behind it, its file, and the bank's word.

===========  =========================================================================
state        the withdrawal
===========  =========================================================================
ASKED        waits for a clerk
DECLINED     was declined by the venue; ``reason`` is the clerk's, if a clerk gave one
ACCEPTED     was checked by a clerk, and waits for a second person
APPROVED     is on its way to the engine, which takes the money out of the holding
REFUSED      was refused by the engine; ``reason`` is the engine's
HELD         has its money out of the holding, and is in no payment file yet
SENT         is in a payment file for the bank
PAID         was paid, by the bank's answer or its statement, also if the bank had rejected it before
REJECTED     was rejected by the bank; ``reason`` is the bank's
RETURNED     was paid and came back
CANCELLED    was cancelled by the member, or stopped by the venue; ``reason`` says why it was stopped
===========  =========================================================================

``money_back`` says whether the amount is in the holding: it never left, or it is back. ``owed``: it was cancelled after
the engine had taken the money out, and nobody has proposed to give that back.
"""

from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base.filters import check_known
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.documents.banking import WITHDRAWAL_SEEN, WITHDRAWAL_STATES
from settlement.documents.ledger import BANK_REFERENCE_USED, CASH_DONE, CASH_PROPOSED, CASH_SENDING, CASH_TRANSFER
from settlement.tables.banking import (
    bank_match,
    payment_answer,
    payment_in_file,
    payment_order,
    undone_attempt,
    undone_money,
)
from settlement.tables.ledger import cash_transfer
from settlement.tables.withdrawals import payee_account, withdrawal


def _came_back(*statuses: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return whether money in of these statuses came back: since the bank rejected the payment, and as a return.

    Money that is owed, as the bank has paid what it had rejected, came back only as long as it is not out again.
    """
    money, again, tied = cash_transfer.alias(), bank_match.alias(), bank_match.alias()
    out_again = cash_transfer.alias()
    undoing = (
        exists()
        .select_from(
            undone_money.outerjoin(undone_attempt, undone_attempt.c.undone_no == undone_money.c.undone_no).outerjoin(
                out_again, out_again.c.cash_id == undone_attempt.c.cash_id
            )
        )
        .where(
            undone_money.c.cash_id == money.c.cash_id,
            undone_money.c.ended.is_(None),
            *((out_again.c.status == CASH_DONE,) if statuses == (CASH_DONE,) else ()),
        )
    )
    rejected = (
        exists()
        .select_from(payment_answer.join(money, money.c.cash_id == payment_answer.c.back_cash_id))
        .where(payment_answer.c.cash_id == withdrawal.c.cash_id, money.c.status.in_(statuses), ~undoing)
    )
    joined = again.join(money, money.c.cash_id == again.c.cash_id).join(tied, tied.c.item_no == again.c.against_item)
    returned = (
        exists()
        .select_from(joined)
        .where(tied.c.cash_id == withdrawal.c.cash_id, again.c.how == "RETURN", money.c.status.in_(statuses))
    )
    return rejected, returned


def _after(step: str) -> str:
    return WITHDRAWAL_SEEN.steps[step].after


def query() -> Select[Any]:
    """Return the query of all withdrawals, each with its state, its payee, its file and the reason of its end."""
    back = cash_transfer.alias()
    rejected, returned = _came_back(*BANK_REFERENCE_USED)
    rejection_done, return_done = _came_back(CASH_DONE)
    tied = exists().where(bank_match.c.cash_id == withdrawal.c.cash_id)
    accepted = exists().where(payment_answer.c.cash_id == withdrawal.c.cash_id, payment_answer.c.answer == "ACCEPTED")
    status, money = withdrawal.c.status, cash_transfer.c.status
    state = case(
        (status != _after("accept"), status),
        (money == CASH_PROPOSED, status),
        (money == CASH_SENDING, _after("approve")),
        (money != CASH_DONE, money),
        (returned, _after("return")),
        (rejected, _after("reject")),
        (or_(tied, accepted), _after("pay")),
        (payment_in_file.c.cash_id.is_not(None), _after("send")),
        else_=_after("complete"),
    )
    answer = (
        select(payment_answer.c.reason)
        .where(payment_answer.c.cash_id == withdrawal.c.cash_id)
        .order_by(payment_answer.c.answer_no.desc())
        .limit(1)
        .scalar_subquery()
    )
    reason = case(
        (rejected, answer),
        (money == CASH_TRANSFER.steps["refuse"].after, cash_transfer.c.reason),
        else_=withdrawal.c.reason,
    )
    never_left = or_(money.is_(None), money != CASH_DONE)
    returned_to_holding = or_(rejection_done, return_done, back.c.status == CASH_DONE)
    return (
        select(
            *(column for column in withdrawal.c if column.name != "reason"),
            payee_account.c.name.label("payee_name"),
            payee_account.c.account_number.label("payee_account"),
            payee_account.c.bank.label("payee_bank"),
            payment_order.c.end_to_end,
            payment_in_file.c.payment_file_no,
            state.label("state"),
            reason.label("reason"),
            func.coalesce(or_(never_left, returned_to_holding), False).label("money_back"),
            func.coalesce(and_(status == _after("cancel"), money == CASH_DONE, back.c.cash_id.is_(None)), False).label(
                "owed"
            ),
        )
        .join(payee_account, payee_account.c.payee_no == withdrawal.c.payee_no)
        .outerjoin(cash_transfer, cash_transfer.c.cash_id == withdrawal.c.cash_id)
        .outerjoin(payment_order, payment_order.c.cash_id == withdrawal.c.cash_id)
        .outerjoin(payment_in_file, payment_in_file.c.cash_id == withdrawal.c.cash_id)
        .outerjoin(back, (back.c.cash_id == withdrawal.c.back_cash_id) & back.c.status.in_(BANK_REFERENCE_USED))
    )


async def listing(
    connection: AsyncConnection, page: PageRequest = ALL, *, member: str | None = None, state: str | None = None
) -> Page[Row[Any]]:
    """Return the withdrawals by number; those of one member, or of one state.

    Raises BadValue for an unknown member or state.
    """
    await check_known(connection, member=member)
    wanted = query().subquery()
    found = select(wanted)
    if member is not None:
        found = found.where(wanted.c.member == member)
    if state is not None:
        if state not in WITHDRAWAL_STATES:
            raise BadValue("state", state, "one of " + ", ".join(WITHDRAWAL_STATES))
        found = found.where(wanted.c.state == state)
    return await fetch(connection, found, (wanted.c.withdrawal_no,), page)


async def find(connection: AsyncConnection, number: int, member: str | None = None) -> Row[Any]:
    """Return one withdrawal; ``member``: only if it is one of this member. Raises BadValue for an unknown number."""
    wanted = query().where(withdrawal.c.withdrawal_no == number)
    if member is not None:
        wanted = wanted.where(withdrawal.c.member == member)
    row: Row[Any] | None = (await connection.execute(wanted)).first()
    if row is None:
        raise BadValue("withdrawal", number, "the number of a withdrawal")
    return row
