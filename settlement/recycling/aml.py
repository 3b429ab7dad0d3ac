"""Anti-money-laundering duties of a counter (domain sheet 5.5, the measure of 2025).

- Cash of 100,000 CNY or more to one seller, in one sale or in all of a day, at whichever members' counters: due
  diligence before the money is paid, and a large-value report within five working days.
- Anything suspicious, at any amount: a report the same day.
- Sales just below the amount, or that reach it only together, are noticed automatically; a person confirms or dismisses
  the notice.
"""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money
from settlement.base import audit, working_days
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import allow, authorize, check_another
from settlement.base.texts import printable
from settlement.documents.recycling import AML_REPORT, REPORT_WAITING
from settlement.recycling import sellers
from settlement.tables.recycling import aml_report, counter_ticket, seller
from settlement.workbooks import limits, writing

LARGE_FEN: Final = 10_000_000
"""100,000 CNY in cash."""
REPORT_WORKING_DAYS: Final = 5
NEAR_PERCENT: Final = 90
"""A day's cash from 90% of the amount on counts as just below it (our own figure)."""
SPLIT_DAYS: Final = 7
"""Days whose cash together may be one sale in parts (our own figure)."""
LARGE, SUSPICIOUS = "LARGE_VALUE", "SUSPICIOUS"
REASONS: Final = (
    "LARGE_CASH",
    "ID_REFUSED",
    "CONFLICTING_STORY",
    "MIXED_QUANTITY",
    "PRICE_FAR_BELOW_MARKET",
    "LIST_HIT",
    "SPLITTING",
    "OTHER",
)
"""Reasons of a report; most of the suspicions are those that a trade body names (domain sheet 3.6)."""
SUSPICIONS: Final = tuple(reason for reason in REASONS if reason != "LARGE_CASH")
"""Reasons that a person may report."""
STEPS: Final = ("confirm", "dismiss", "file")
"""Steps that a person takes with a report."""


async def cash_on(connection: AsyncConnection, seller_id: int, first: date, last: date) -> list[Row[Any]]:
    """Return number, day and amount of a seller's tickets paid in cash from one day to another, at all counters."""
    columns = counter_ticket.c
    query = select(columns.ticket_no, columns.paid_day, columns.offered_fen)
    query = query.where(columns.seller_id == seller_id, columns.method == "CASH", columns.paid_day.between(first, last))
    return list(await connection.execute(query.order_by(columns.ticket_no)))


async def before_cash(connection: AsyncConnection, by: str, seller_id: int, fen: int, day: date) -> None:
    """Raise Refused (DUE_DILIGENCE) unless ``by`` may pay this amount of cash to a seller now.

    Due diligence must be done by another person than the payer. Locks the seller to the end of the transaction, so that
    two counters cannot pay at once.
    """
    await sellers.find(connection, seller_id, lock=True)
    total = fen + sum(row.offered_fen for row in await cash_on(connection, seller_id, day, day))
    if total >= LARGE_FEN and not await sellers.has_due_diligence(connection, seller_id, by):
        text = (
            f"seller {seller_id} would have {format_money(total)} CNY in cash today, at all counters; "
            f"{format_money(LARGE_FEN)} or more needs due diligence first, by another person than {by}"
        )
        raise Refused("DUE_DILIGENCE", text)


async def after_cash(connection: AsyncConnection, by: str, seller_id: int, day: date) -> list[int]:
    """Report or notice cash that was just paid where it must be, and return the numbers of the reports.

    The large-value report of a day grows with the day's sales until it is filed.
    """
    recent = await cash_on(connection, seller_id, day - timedelta(days=SPLIT_DAYS - 1), day)
    today = [row for row in recent if row.paid_day == day]
    total = sum(row.offered_fen for row in today)
    if total >= LARGE_FEN:
        due = await working_days.after(connection, day, REPORT_WORKING_DAYS)
        tickets = [row.ticket_no for row in today]
        return [await _report(connection, by, "raise", LARGE, seller_id, tickets, day, total, "LARGE_CASH", due)]
    by_day: dict[date, int] = {}
    for row in recent:
        by_day[row.paid_day] = by_day.get(row.paid_day, 0) + row.offered_fen
    together = sum(fen for fen in by_day.values() if fen < LARGE_FEN)
    if total * 100 >= LARGE_FEN * NEAR_PERCENT or (len(recent) > 1 and together >= LARGE_FEN):
        tickets = [row.ticket_no for row in recent]
        return [
            await _report(connection, by, "notice", SUSPICIOUS, seller_id, tickets, day, together, "SPLITTING", day)
        ]
    return []


async def suspect(
    connection: AsyncConnection,
    by: str,
    seller_id: int | None,
    tickets: Sequence[int],
    fen: int,
    reason: str,
    text: str,
) -> int:
    """Report a suspicion, due today, and return its number; ``seller_id`` is None where nobody showed a document.

    Raises BadValue for an unknown reason.
    """
    if reason not in SUSPICIONS:
        raise BadValue("reason", reason, "one of " + ", ".join(SUSPICIONS))
    printable("description", text, 500, 0)
    day = working_days.today()
    return await _report(connection, by, "raise", SUSPICIOUS, seller_id, tickets, day, fen, reason, day, text)


async def _report(
    connection: AsyncConnection,
    by: str,
    step: str,
    kind: str,
    seller_id: int | None,
    tickets: Sequence[int],
    day: date,
    fen: int,
    reason: str,
    due: date,
    text: str = "",
) -> int:
    columns = aml_report.c
    values = {"tickets": list(tickets), "amount_fen": fen}
    state = AML_REPORT.steps[step].after
    same = (columns.kind == kind, columns.seller_id == seller_id, columns.day == day, columns.reason == reason)
    grown = update(aml_report).where(*same, columns.status == state, columns.description == text).values(values)
    number = None
    if (seller_id is not None and kind == LARGE) or reason == "SPLITTING":
        number = await connection.scalar(grown.returning(columns.report_no))
    if number is None:
        new = {"kind": kind, "seller_id": seller_id, "day": day, "reason": reason, "due_on": due, "status": state}
        added = insert(aml_report).values(**values, **new, description=text, made_at=now_ms(), made_by=by)
        number = (await connection.execute(added.returning(columns.report_no))).scalar_one()
    about = {"kind": kind, "reason": reason, "amount": format_money(fen), "tickets": list(tickets), "due": str(due)}
    await audit.record(connection, audit.Act(by, f"aml_report.{step}", f"aml_report:{number}", about))
    return int(number)


async def decide(connection: AsyncConnection, by: str, report_no: int, step: str, reference: str = "") -> None:
    """Take a step with a report: ``confirm`` or ``dismiss`` a notice, or ``file`` a report that is due.

    ``reference`` is the reason, or the authority's number. The person who paid when the sale was noticed may not
    dismiss the notice. Raises BadValue, and Refused (ILLEGAL_STEP, SAME_PERSON).
    """
    if step not in STEPS:
        raise BadValue("step", step, "one of " + ", ".join(STEPS))
    printable("reference", reference, 200)
    await audit.lock(connection)
    query = select(aml_report).where(aml_report.c.report_no == report_no).with_for_update(key_share=True)
    row = (await connection.execute(query)).first()
    if row is None:
        raise BadValue("report", report_no, "the number of a report")
    await authorize(connection, AML_REPORT, step, by, [report_no])
    rule = allow(AML_REPORT, step, report_no, row.status)
    if step == "dismiss":
        check_another(AML_REPORT, step, report_no, by, row.made_by)
    values = {"status": rule.after, "decided_by": by, "decided_at": now_ms(), "reference": reference}
    await connection.execute(update(aml_report).where(aml_report.c.report_no == report_no).values(values))
    about = {"reference": reference}
    await audit.record(connection, audit.Act(by, f"aml_report.{step}", f"aml_report:{report_no}", about))


async def listing(
    connection: AsyncConnection, page: PageRequest = ALL, *, status: str | None = None, overdue: bool = False
) -> Page[Row[Any]]:
    """Return reports by number, with their sellers; ``overdue``: only what was due before today and is not filed.

    Raises BadValue for an unknown status.
    """
    if status is not None and status not in AML_REPORT.states:
        raise BadValue("status", status, "one of " + ", ".join(AML_REPORT.states))
    columns = aml_report.c
    join = aml_report.outerjoin(seller, seller.c.seller_id == columns.seller_id)
    query = select(aml_report, seller.c.id_type, seller.c.masked_number, seller.c.masked_name).select_from(join)
    if status is not None:
        query = query.where(columns.status == status)
    if overdue:
        query = query.where(columns.status.in_(REPORT_WAITING), columns.due_on < working_days.today())
    return await fetch(connection, query, (columns.report_no,), page)


EXPORT: Final = (
    "report_no",
    "kind",
    "reason",
    "day",
    "due_on",
    "status",
    "amount_cny",
    "seller",
    "id_type",
    "masked_number",
    "masked_name",
    "tickets",
    "description",
    "reference",
)


async def export(connection: AsyncConnection, kind: str) -> bytes:
    """Return all reports as csv or xlsx. Raises BadValue for another format."""
    rows = [
        (
            row.report_no,
            row.kind,
            row.reason,
            str(row.day),
            str(row.due_on),
            row.status,
            writing.scaled(row.amount_fen, 2),
            None if row.seller_id is None else str(row.seller_id),
            row.id_type,
            row.masked_number,
            row.masked_name,
            " ".join(map(str, row.tickets)),
            row.description,
            row.reference,
        )
        for row in await listing(connection, PageRequest(limit=limits.MAX_ROWS))
    ]
    return await asyncio.to_thread(writing.write, kind, "Reports", EXPORT, rows)
