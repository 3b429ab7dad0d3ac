"""The list of what stays open when a day is closed, and why: documents that wait for somebody, and breaks."""

from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import exists, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money
from settlement.banking import accounts, bank_reconciliation, claims, deposits, withdrawal_states
from settlement.base import working_days
from settlement.closing.canonical import canonical
from settlement.closing.day import Day
from settlement.documents.banking import WITHDRAWAL_UNDECIDED
from settlement.documents.charges import BILL_UNPAID
from settlement.documents.counts import COUNT_OPEN
from settlement.documents.custody import TRANSFER
from settlement.documents.kinds import PROPOSED
from settlement.documents.ledger import CASH_DONE, OUTBOX_OPEN
from settlement.documents.load_outs import CLAIM, UNCOLLECTED
from settlement.documents.lots import AT_WAREHOUSE, GONE, IN_POOL
from settlement.documents.reconciliation import BREAK_LISTED
from settlement.documents.statements import CORRECTION_PROPOSED
from settlement.reconciliation import breaks, three_way
from settlement.tables.banking import bank_match, payment_answer, payment_in_file, payment_order
from settlement.tables.base import proposal
from settlement.tables.charges import fee_bill
from settlement.tables.counts import inventory_count
from settlement.tables.custody import transfer
from settlement.tables.ledger import cash_transfer, outbox
from settlement.tables.load_outs import claim, load_out
from settlement.tables.lots import lot
from settlement.tables.papers import account_statement, invoice
from settlement.tables.reconciliation import recon_break, recon_run
from settlement.tables.withdrawals import withdrawal

NAME: Final = "left_open"
WHOLE_DAYS: Final = 7
"""Calendar days after which all books are compared again, and a warehouse states its bars again (a house rule)."""


class Open(NamedTuple):
    """One thing that stays open: its kind and number, its state, and why."""

    kind: str
    subject: str
    state: str
    why: str


async def facts(connection: AsyncConnection, day: Day) -> bytes:
    """Return what is open now."""
    return canonical([found._asdict() for found in await listing(connection, day.day)])


async def work(connection: AsyncConnection, day: Day, kept: bytes) -> bytes:  # noqa: ARG001
    """Return what was open."""
    return kept


async def listing(connection: AsyncConnection, day: date) -> list[Open]:
    """Return what is open now, kind by kind and in the order of the numbers; of the bank, what is of a day."""
    found = []
    for part in (_movements, _comparison, _warehouses, _papers, _payments, _metal):
        found += await part(connection)
    return found + await _bank(connection, day)


async def _movements(connection: AsyncConnection) -> list[Open]:
    """Return proposals, items that the engine has not answered, and breaks."""
    waiting = select(proposal).where(proposal.c.status == PROPOSED).order_by(proposal.c.proposal_id)
    found = [
        Open("proposal", str(row.proposal_id), row.status, f"{row.kind} of {row.proposed_by} waits for another person")
        for row in await connection.execute(waiting)
    ]
    sent = select(outbox).where(outbox.c.status.in_(OUTBOX_OPEN)).order_by(outbox.c.number)
    found += [
        Open("outbox", row.reference, row.status, "the engine has not answered")
        for row in await connection.execute(sent)
    ]
    differing = select(recon_break).where(recon_break.c.status.in_(BREAK_LISTED)).order_by(recon_break.c.break_id)
    return found + [
        Open("break", str(row.break_id), row.status, f"{row.kind} {row.subject}: {row.explanation or 'not explained'}")
        for row in await connection.execute(differing)
    ]


async def _comparison(connection: AsyncConnection) -> list[Open]:
    """Return the newest run that compared everything, if it is too old: a close compares what was written since."""
    run = await three_way.last_run(connection, whole=True)
    compared = None if run is None else working_days.day_of(run.at)
    if compared is not None and (working_days.today() - compared).days < WHOLE_DAYS:
        return []
    when = "never" if compared is None else f"last on {compared}"
    return [Open("comparison", "books", "OLD", f"all books were compared {when}: a clerk runs `goldx clerk reconcile`")]


async def _warehouses(connection: AsyncConnection) -> list[Open]:
    """Return the warehouses with metal of which no statement has been compared for too long."""
    newest = select(func.max(recon_run.c.at)).where(
        recon_run.c.scope == literal(breaks.statement_scope("")) + lot.c.warehouse
    )
    held = select(lot.c.warehouse, func.count().label("lots"), newest.scalar_subquery().label("at"))
    held = held.where(lot.c.state.in_(AT_WAREHOUSE)).group_by(lot.c.warehouse).order_by(lot.c.warehouse)
    found = []
    for row in await connection.execute(held):
        stated = None if row.at is None else working_days.day_of(row.at)
        if stated is None or (working_days.today() - stated).days >= WHOLE_DAYS:
            when = "has come" if stated is None else f"has come since {stated}"
            found.append(Open("warehouse", row.warehouse, "SILENT", f"no statement {when}; lots there: {row.lots}"))
    return found


async def _papers(connection: AsyncConnection) -> list[Open]:
    """Return bills that are not paid, statements with an objection, and corrections of invoices that wait."""
    unpaid = select(fee_bill).where(fee_bill.c.status.in_(BILL_UNPAID)).order_by(fee_bill.c.bill_no)
    found = [
        Open("fee", str(row.bill_no), row.status, f"{row.account} owes {format_money(row.amount_fen)} CNY")
        for row in await connection.execute(unpaid)
    ]
    columns = account_statement.c
    disputed = select(columns.statement_no, columns.status, columns.member, columns.account, columns.objection)
    disputed = disputed.where(columns.status == "DISPUTED").order_by(columns.statement_no)
    found += [
        Open("statement", str(row.statement_no), row.status, f"{row.account or row.member} objects: {row.objection}")
        for row in await connection.execute(disputed)
    ]
    asked = select(invoice.c.invoice_no, invoice.c.status, invoice.c.correction_by)
    asked = asked.where(invoice.c.status == CORRECTION_PROPOSED).order_by(invoice.c.invoice_no)
    return found + [
        Open(
            "invoice", str(row.invoice_no), row.status, f"a correction of {row.correction_by} waits for another person"
        )
        for row in await connection.execute(asked)
    ]


async def _payments(connection: AsyncConnection) -> list[Open]:
    """Return withdrawals that are not at their end, payments to members on their way, and money that is owed."""
    asked = withdrawal_states.query().subquery()
    state, columns = asked.c.state, asked.c
    under_way = or_(state.in_(WITHDRAWAL_UNDECIDED), (state != "PAID") & ~columns.money_back)
    found = [
        Open(
            "withdrawal",
            str(row.withdrawal_no),
            row.state,
            f"{format_money(row.amount_fen)} CNY of {row.account}" + (" are owed to it" if row.owed else ""),
        )
        for row in await connection.execute(select(asked).where(under_way).order_by(columns.withdrawal_no))
    ]
    order, at_bank = payment_order.c, payment_in_file.c.payment_file_no
    ordered = select(order.cash_id, order.end_to_end, at_bank, cash_transfer.c.account, cash_transfer.c.amount)
    ordered = ordered.join(cash_transfer, cash_transfer.c.cash_id == order.cash_id)
    ordered = ordered.outerjoin(payment_in_file, payment_in_file.c.cash_id == order.cash_id).where(
        cash_transfer.c.status == CASH_DONE,
        ~exists().where(payment_answer.c.cash_id == order.cash_id),
        ~exists().where(bank_match.c.cash_id == order.cash_id),
        ~exists().where(withdrawal.c.cash_id == order.cash_id, withdrawal.c.status == "CANCELLED"),
    )
    found += [
        Open(
            "payment_order",
            row.end_to_end,
            "HELD" if row.payment_file_no is None else "SENT",
            f"{format_money(-row.amount)} CNY of {row.account}: "
            + ("in no payment file" if row.payment_file_no is None else f"no answer to file {row.payment_file_no}"),
        )
        for row in await connection.execute(ordered.order_by(order.cash_id))
    ]
    return found + [
        Open(
            "owed",
            str(row.item_no or f"cash {row.of_cash}"),
            row.status,
            f"{row.account} owes {format_money(-row.amount_fen)} CNY to the bank",
        )
        for row in await claims.listing(connection)
    ]


async def _metal(connection: AsyncConnection) -> list[Open]:
    """Return load-outs, claims, transfers and counts that are under way, and lots by their state."""
    waiting = select(load_out).where(load_out.c.status.in_(UNCOLLECTED)).order_by(load_out.c.load_out_no)
    found = [
        Open("load_out", str(row.load_out_no), row.status, f"waits for its collector until {row.until_day}")
        for row in await connection.execute(waiting)
    ]
    disputed = select(claim).where(claim.c.status.in_(CLAIM.open)).order_by(claim.c.claim_no)
    found += [Open("claim", str(row.claim_no), row.status, row.reason) for row in await connection.execute(disputed)]
    moving = select(transfer).where(transfer.c.status.in_(TRANSFER.open)).order_by(transfer.c.transfer_no)
    found += [
        Open("transfer", str(row.transfer_no), row.status, f"from {row.from_warehouse} to {row.to_warehouse}")
        for row in await connection.execute(moving)
    ]
    counted = select(inventory_count).where(inventory_count.c.status.in_(COUNT_OPEN))
    found += [
        Open("count", str(row.count_no), row.status, f"custody in {row.warehouse} is frozen")
        for row in await connection.execute(counted.order_by(inventory_count.c.count_no))
    ]
    coming = lot.c.state.not_in((*IN_POOL, *GONE))
    by_state = select(lot.c.state, func.count().label("lots")).where(coming).group_by(lot.c.state)
    return found + [
        Open("lots", row.state, row.state, f"{row.lots} lots are on their way in or out")
        for row in await connection.execute(by_state.order_by(lot.c.state))
    ]


async def _bank(connection: AsyncConnection, day: date) -> list[Open]:
    """Return payments without an account, and the accounts at banks of which no statement reaches the day."""
    found = [
        Open(
            "payment", str(row.item_no), "SUSPENSE", f"{format_money(row.amount_fen)} CNY of {row.day} have no account"
        )
        for row in await deposits.suspense(connection)
    ]
    unproved = "so the bank is not proved against the ledger"
    if not await accounts.listing(connection):
        return [*found, Open("bank", "no account", "SILENT", f"no account at a bank is registered, {unproved}")]
    return found + [
        Open("bank", account, "SILENT", f"no statement reaches {day}, {unproved}")
        for account in await bank_reconciliation.silent(connection, day)
    ]
