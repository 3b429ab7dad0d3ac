"""Money out to members by the bank: ordered, sent in one file, answered, and never paid twice.

An order is money out (``settlement.ledger.cash``) with its payee, approved by a second person; the engine takes the
money out of the holding first. Then the order goes into one payment file. A file whose answer is lost is fetched again
as it is, under the same numbers; no other file can have the order. Only a payment that the bank has rejected, and that
it has not paid by any answer or statement, brings its money back, by a proposal for a second person.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money
from settlement.banking import accounts, payment_files, payment_table, undoing
from settlement.banking.answers import PaymentAnswer
from settlement.banking.payment_files import Debtor, Instruction
from settlement.banking.payment_table import PaymentTable
from settlement.base import audit, proposals
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.spelling import same
from settlement.base.sub_accounts import check_trading_account
from settlement.base.texts import printable
from settlement.documents.ledger import BANK_REFERENCE_USED, CASH_DONE, CASH_PROPOSED
from settlement.ledger import cash, stops
from settlement.tables.banking import (
    PAYMENT_FORMATS,
    bank_match,
    payment_answer,
    payment_file,
    payment_in_file,
    payment_order,
)
from settlement.tables.base import member
from settlement.tables.ledger import cash_transfer
from settlement.tables.withdrawals import withdrawal
from settlement.workbooks.cells import BadFile, RowError

SHANGHAI: Final = timezone(timedelta(hours=8))
MOST: Final = 10_000
"""Payments in one file."""
MESSAGE: Final = "F-"
"""Before the number of a file's first order: the number of the file."""


class Payee(NamedTuple):
    """The account at a bank that gets the money; the bank is its twelve digits of CNAPS, or its name."""

    name: str
    account: str
    bank: str


class Sent(NamedTuple):
    """A payment file: its number, what it holds, and the bytes for the bank; and the orders that are stopped."""

    payment_file_no: int
    format: str
    payments: int
    sum_fen: int
    content: bytes
    stopped: tuple["Stopped", ...] = ()


class Stopped(NamedTuple):
    """An order that is left out of a file, since it may not be paid now, and why."""

    cash_id: int
    account: str
    amount_fen: int
    why: str


class AnswerTaken(NamedTuple):
    """The outcome of one answer of the bank; ``proposal`` brings the money of a rejected payment back."""

    end_to_end: str
    answer: str
    proposal: int | None
    note: str


async def order(
    connection: AsyncConnection,
    by: str,
    account: str,
    amount_fen: int,
    payee: Payee,
    more: Mapping[str, str] | None = None,
) -> int:
    """Propose to pay an account's money to a payee; return the proposal's number.

    The payee must have the name of the account's member. ``more`` is shown to who decides. Raises BadValue, Refused
    (PAYEE_DIFFERS), and what ``settlement.ledger.cash.propose`` raises.
    """
    if amount_fen <= 0:
        raise BadValue("amount", format_money(amount_fen), "more than zero")
    printable("payee name", payee.name, 140)
    number = printable("payee account", "".join(payee.account.split()), 34, 4)
    printable("payee bank", payee.bank, 140)
    await audit.lock(connection)
    await check_name(connection, await check_trading_account(connection, account), payee.name)
    end_to_end = f"W-{secrets.token_hex(7).upper()}"
    why = f"to {number} of {payee.name} at {payee.bank}"
    proposal = await cash.propose(connection, by, account, -amount_fen, end_to_end, more={**(more or {}), "payee": why})
    cash_id = await connection.scalar(
        select(cash_transfer.c.cash_id).where(cash_transfer.c.bank_reference == end_to_end)
    )
    values = {
        "cash_id": cash_id,
        "end_to_end": end_to_end,
        "payee_name": payee.name,
        "payee_account": number,
        "payee_bank": payee.bank,
        "at": now_ms(),
        "by": by,
    }
    await connection.execute(insert(payment_order).values(values))
    return proposal


async def check_name(connection: AsyncConnection, code: str, name: str) -> None:
    """Raise Refused (PAYEE_DIFFERS) where a payee has another name than the member with this code."""
    known_names = await names(connection, code)
    if not any(same(name, text) for text in known_names):
        known = f"is {' or '.join(known_names)}" if known_names else "has no name in the register"
        raise Refused("PAYEE_DIFFERS", f"money of member {code} goes to itself alone, which {known}, not to {name}")


async def names(connection: AsyncConnection, code: str) -> list[str]:
    """Return the names that the register has of a member; none if it is not registered."""
    row = (await connection.execute(select(member).where(member.c.member == code))).first()
    return [text for text in (row.name, row.name_zh) if text] if row is not None else []


def _orders() -> Select[Any]:
    return (
        select(
            payment_order,
            cash_transfer.c.account,
            cash_transfer.c.amount,
            cash_transfer.c.status,
            payment_in_file.c.payment_file_no,
            select(payment_answer.c.answer)
            .where(payment_answer.c.cash_id == payment_order.c.cash_id)
            .order_by(payment_answer.c.answer_no.desc())
            .limit(1)
            .scalar_subquery()
            .label("answer"),
        )
        .join(cash_transfer, cash_transfer.c.cash_id == payment_order.c.cash_id)
        .outerjoin(payment_in_file, payment_in_file.c.cash_id == payment_order.c.cash_id)
    )


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the orders by the number of their money out, each with its file and the bank's last answer."""
    return await fetch(connection, _orders(), (payment_order.c.cash_id,), page)


async def send(
    connection: AsyncConnection,
    by: str,
    bank_account: str,
    form: str = "pain.001",
    table: PaymentTable | None = None,
) -> Sent:
    """Put every order whose money is out of its holding, and that is in no file yet, into a new file.

    ``table`` is the one that the bank asks for as CSV, by default the plain one. An order whose member is not active
    by now, or whose payee has ended, is left out and named. Raises BadValue, also where a payment does not fit into the
    table, and Refused (NO_PAYMENTS) where there is none.
    """
    if form not in PAYMENT_FORMATS:
        raise BadValue("format", form, "one of " + ", ".join(PAYMENT_FORMATS))
    if table is not None and form != "CSV":
        raise BadValue("table", table.name, f"none: a file of the format {form} has no table")
    await audit.lock(connection)
    account = await accounts.find(connection, bank_account)
    cancelled = exists().where(withdrawal.c.cash_id == payment_order.c.cash_id, withdrawal.c.status == "CANCELLED")
    ready = _orders().where(cash_transfer.c.status == CASH_DONE, payment_in_file.c.cash_id.is_(None), ~cancelled)
    waiting = list(await connection.execute(ready.order_by(payment_order.c.cash_id)))
    why = await stops.of(connection, [row.cash_id for row in waiting])
    stopped = tuple(
        Stopped(row.cash_id, row.account, -row.amount, str(why[row.cash_id])) for row in waiting if row.cash_id in why
    )
    rows = [row for row in waiting if row.cash_id not in why][:MOST]
    if not rows:
        text = "no order waits: each is in a file, or its money is not out of its holding yet"
        raise Refused("NO_PAYMENTS", "; ".join((text, *(f"cash {one.cash_id}: {one.why}" for one in stopped))))
    payments = [
        Instruction(row.end_to_end, -row.amount, row.payee_name, row.payee_account, row.payee_bank) for row in rows
    ]
    total, now = sum(one.amount_fen for one in payments), now_ms()
    at = datetime.fromtimestamp(now // 1000, SHANGHAI)
    debtor = Debtor(account.holder, account.account_number, account.bank)
    if form == "CSV":
        content = payment_table.write(table or payment_table.find(payment_table.PLAIN), at, debtor, payments)
    else:
        # The first order's own number names the message: the order is in this file alone.
        content = payment_files.pain_001(f"{MESSAGE}{rows[0].end_to_end}", at, debtor, payments)
    values = {
        "account_id": account.account_id,
        "format": form,
        "content": content,
        "payments": len(rows),
        "sum_fen": total,
        "at": now,
        "by": by,
    }
    added = insert(payment_file).values(values).returning(payment_file.c.payment_file_no)
    number = int((await connection.execute(added)).scalar_one())
    placed = [{"cash_id": row.cash_id, "payment_file_no": number} for row in rows]
    await connection.execute(insert(payment_in_file), placed)
    detail = {"payments": len(rows), "sum": format_money(total), "format": form, "account": account.account_number}
    await audit.record(connection, audit.Act(by, "payment_file.send", f"payment_file:{number}", detail))
    return Sent(number, form, len(rows), total, content, stopped)


async def again(connection: AsyncConnection, number: int) -> Sent:
    """Return a file as it was made. Raises BadValue for an unknown number."""
    row = (await connection.execute(select(payment_file).where(payment_file.c.payment_file_no == number))).first()
    if row is None:
        raise BadValue("payment file", number, "the number of a payment file")
    return Sent(row.payment_file_no, row.format, row.payments, row.sum_fen, bytes(row.content))


async def take_answers(connection: AsyncConnection, by: str, answers: Sequence[PaymentAnswer]) -> list[AnswerTaken]:
    """Keep the bank's answers, and propose the money of each rejected payment back; the same answer changes nothing.

    Raises BadFile for a payment that is in no file of ours.
    """
    await audit.lock(connection)
    found = []
    for one in answers:
        rows = await _answered(connection, one)
        if not rows:
            field = "OrgnlEndToEndId" if one.end_to_end else "OrgnlMsgId"
            text = f"{one.end_to_end or one.message_id!r} is a payment of no file of ours"
            raise BadFile([RowError(1, field, text)])
        found += [await _take_answer(connection, by, row, one._replace(end_to_end=row.end_to_end)) for row in rows]
    return found


async def _answered(connection: AsyncConnection, answer: PaymentAnswer) -> Sequence[Row[Any]]:
    """Return the orders that an answer is about, as they stand now: one, or all of a file."""
    in_file = payment_in_file.c.cash_id.is_not(None)
    if answer.end_to_end:
        return list(await connection.execute(_orders().where(in_file, payment_order.c.end_to_end == answer.end_to_end)))
    first = answer.message_id.removeprefix(MESSAGE)
    file_no = (
        select(payment_in_file.c.payment_file_no)
        .join(payment_order, payment_order.c.cash_id == payment_in_file.c.cash_id)
        .where(payment_order.c.end_to_end == first)
        .scalar_subquery()
    )
    query = _orders().where(payment_in_file.c.payment_file_no == file_no).order_by(payment_order.c.cash_id)
    return list(await connection.execute(query))


async def _take_answer(connection: AsyncConnection, by: str, row: Row[Any], answer: PaymentAnswer) -> AnswerTaken:
    proposal, back = None, None
    note = ""
    if answer.answer == "REJECTED":
        if await _comes_back(connection, row.cash_id):
            return AnswerTaken(answer.end_to_end, answer.answer, None, "its money comes back already")
        if await is_paid(connection, row.cash_id):
            note = "an answer or a statement has it paid, so no money comes back: ask the bank"
        else:
            reference = f"{row.end_to_end} rejected"
            more = {"rejected": answer.reason}
            proposal = await cash.propose(connection, by, row.account, -row.amount, reference, more=more)
            query = select(cash_transfer.c.cash_id).where(
                cash_transfer.c.bank_reference == reference, cash_transfer.c.status.in_(BANK_REFERENCE_USED)
            )
            back = await connection.scalar(query)
    elif row.answer == answer.answer:
        return AnswerTaken(answer.end_to_end, answer.answer, None, "known")
    elif answer.answer == "ACCEPTED":
        note = await paid(connection, by, row.cash_id)
    elif answer.of_copy:
        note = "the bank has rejected a second copy alone: what it does with the first one counts"
    values = {"cash_id": row.cash_id, "answer": answer.answer, "reason": answer.reason, "back_cash_id": back}
    await connection.execute(insert(payment_answer).values({**values, "at": now_ms(), "by": by}))
    await audit.record(connection, audit.Act(by, "payment_order.answer", f"cash:{row.cash_id}", values))
    return AnswerTaken(answer.end_to_end, answer.answer, proposal, note)


async def is_paid(connection: AsyncConnection, cash_id: int) -> bool:
    """Return whether any answer of the bank, or a statement, has an order paid."""
    accepted = exists().where(payment_answer.c.cash_id == cash_id, payment_answer.c.answer == "ACCEPTED")
    tied = exists().where(bank_match.c.cash_id == cash_id)
    return bool(await connection.scalar(select(accepted | tied)))


async def _comes_back(connection: AsyncConnection, cash_id: int) -> bool:
    """Return whether the money of an order is back, or a proposal to bring it back waits."""
    return await back_of(connection, cash_id) is not None


async def back_of(connection: AsyncConnection, cash_id: int) -> Row[Any] | None:
    """Return the money that came back, or is proposed to, since the bank rejected an order; None if there is none."""
    query = (
        select(cash_transfer)
        .join(payment_answer, cash_transfer.c.cash_id == payment_answer.c.back_cash_id)
        .where(payment_answer.c.cash_id == cash_id, cash_transfer.c.status.in_(BANK_REFERENCE_USED))
    )
    return (await connection.execute(query)).first()


async def came_back_for(connection: AsyncConnection, cash_id: int) -> int | None:
    """Return the order for which money came back since the bank had rejected it, None for any other money."""
    found = select(payment_answer.c.cash_id).where(payment_answer.c.back_cash_id == cash_id)
    return await connection.scalar(found)


async def paid(connection: AsyncConnection, by: str, cash_id: int) -> str:
    """End the proposal that would bring the money of an order back, which the bank has paid after all.

    Where the money is back already, the account owes it. Return a note where money came back, or would have, else
    nothing.
    """
    back = await back_of(connection, cash_id)
    if back is None:
        return ""
    if back.status != CASH_PROPOSED:
        why = f"the bank has paid cash {cash_id} after all, which it had rejected"
        undone = await undoing.undo(connection, by, back.cash_id, "PAID_AFTER_ALL", why)
        return f"the bank had rejected it, and its money is back: {undone}"
    await cash.declined(connection, by, [back.cash_id])
    await proposals.lapse(connection, by, "cash", [back.cash_id])
    return f"the bank had rejected it: the proposal to bring its money back (cash {back.cash_id}) has ended"
