"""The list of what stays open when a day is closed, and why: documents that wait for somebody, and breaks.

Most of it follows from records that only grow (``settlement.closing.as_of``): the audit log has the states of
proposals, bills, load-outs, claims, transfers and counts, the custody events those of lots, and breaks and runs have
histories of their own. These are read up to where they had come at the close. KEPT are the kinds whose states are in no
such record: they are read when the step first runs, and kept as its facts.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money
from settlement.banking import bank_reconciliation, claims, deposits, withdrawal_states
from settlement.banking.bank_reconciliation import KnownNumbers
from settlement.base import working_days
from settlement.closing import as_of
from settlement.closing.as_of import EVERYTHING, RecordPosition
from settlement.closing.canonical import canonical
from settlement.closing.day import Day
from settlement.documents.banking import WITHDRAWAL_UNDECIDED
from settlement.documents.charges import BILL_UNPAID, FEE_BILL
from settlement.documents.counts import COUNT_OPEN, INVENTORY_COUNT
from settlement.documents.custody import TRANSFER
from settlement.documents.kinds import PROPOSED
from settlement.documents.ledger import CASH_DONE, OUTBOX_OPEN
from settlement.documents.load_outs import LOAD_OUT, QUALITY_CLAIM, UNCOLLECTED
from settlement.documents.lots import AT_WAREHOUSE, GONE, IN_POOL, LOT
from settlement.documents.reconciliation import BREAK_LISTED
from settlement.documents.statements import CORRECTION_PROPOSED
from settlement.reconciliation import break_states, breaks, three_way
from settlement.tables.banking import bank_match, payment_answer, payment_in_file, payment_order
from settlement.tables.charges import fee_bill
from settlement.tables.counts import inventory_count
from settlement.tables.custody import transfer
from settlement.tables.ledger import cash_transfer, outbox
from settlement.tables.load_outs import load_out, quality_claim
from settlement.tables.papers import account_statement, invoice
from settlement.tables.reconciliation import recon_run
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


Part = Callable[[AsyncConnection], Awaitable[list[Open]]]
PartThen = Callable[[AsyncConnection, RecordPosition], Awaitable[list[Open]]]


async def facts(connection: AsyncConnection, day: Day) -> bytes:  # noqa: ARG001
    """Return how far the records have come, what is known of the bank, and by kind what is kept."""
    position = await as_of.now(connection)
    known = await bank_reconciliation.known(connection)
    kept: dict[str, list[dict[str, str]]] = {kind: [] for kind in KEPT}
    for part in _KEPT_PARTS:
        for found in await part(connection):
            kept[found.kind].append(found._asdict())
    return canonical({"seen": position._asdict(), "bank": known._asdict(), "kept": kept})


async def work(connection: AsyncConnection, day: Day, kept: bytes) -> bytes:
    """Return what was open."""
    known = json.loads(kept)
    if "seen" not in known:
        return kept
    position, bank = RecordPosition(**known["seen"]), KnownNumbers(**known["bank"])
    still = {kind: [Open(**one) for one in found] for kind, found in known["kept"].items()}
    return canonical([found._asdict() for found in await _all(connection, day.day, position, bank, still)])


def kept_facts(kept: bytes) -> Sequence[str]:
    """Return which facts the step does not compute anew; of a day that an older program has closed, all."""
    return KEPT if "seen" in json.loads(kept) else EVERYTHING


async def listing(connection: AsyncConnection, day: date) -> list[Open]:
    """Return what is open now, kind by kind and in the order of the numbers; of the bank, what is of a day."""
    still: dict[str, list[Open]] = {kind: [] for kind in KEPT}
    for part in _KEPT_PARTS:
        for found in await part(connection):
            still[found.kind].append(found)
    return await _all(connection, day, RecordPosition.latest(), await bank_reconciliation.known(connection), still)


async def _all(
    connection: AsyncConnection,
    day: date,
    position: RecordPosition,
    bank: KnownNumbers,
    still: Mapping[str, Iterable[Open]],
) -> list[Open]:
    """Return all that was open at a position, in the order of ORDER; ``still``: what is kept, by kind."""
    found: list[Open] = [one for kind in KEPT for one in still[kind]]
    for part in _PARTS:
        found += await part(connection, position)
    found += await _silent(connection, day, bank)
    return sorted(found, key=lambda one: ORDER.index(one.kind))


async def _proposals(connection: AsyncConnection, position: RecordPosition) -> list[Open]:
    return [
        Open("proposal", str(row.proposal_id), PROPOSED, f"{row.kind} of {row.proposed_by} waits for another person")
        for row in await as_of.proposals(connection, position)
    ]


async def _outbox(connection: AsyncConnection) -> list[Open]:
    """Return the items that the engine has not answered."""
    sent = select(outbox).where(outbox.c.status.in_(OUTBOX_OPEN)).order_by(outbox.c.number)
    return [
        Open("outbox", row.reference, row.status, "the engine has not answered")
        for row in await connection.execute(sent)
    ]


async def _breaks(connection: AsyncConnection, position: RecordPosition) -> list[Open]:
    return [
        Open("break", str(row.break_id), row.status, f"{row.kind} {row.subject}: {row.explanation or 'not explained'}")
        for row in await connection.execute(break_states.as_of(position.breaks))
        if row.status in BREAK_LISTED
    ]


async def _comparison(connection: AsyncConnection, position: RecordPosition) -> list[Open]:
    """Return the newest run that compared everything, if it is too old: a close compares what was written since."""
    run = await three_way.last_run(connection, whole=True, newest=position.runs)
    compared = None if run is None else working_days.day_of(run.at)
    if compared is not None and _days_since(compared, position) < WHOLE_DAYS:
        return []
    when = "never" if compared is None else f"last on {compared}"
    return [Open("comparison", "books", "OLD", f"all books were compared {when}: a clerk runs `goldx clerk reconcile`")]


def _days_since(day: date, position: RecordPosition) -> int:
    return (date.fromisoformat(position.day) - day).days


async def _warehouses(connection: AsyncConnection, position: RecordPosition) -> list[Open]:
    """Return the warehouses with metal of which no statement has been compared for too long."""
    scopes = select(recon_run.c.scope, func.max(recon_run.c.at).label("at")).where(recon_run.c.run_id <= position.runs)
    newest = {row.scope: row.at for row in await connection.execute(scopes.group_by(recon_run.c.scope))}
    found = []
    for row in await as_of.lots_by(connection, position, "warehouse", AT_WAREHOUSE):
        at = newest.get(breaks.statement_scope(row.warehouse))
        stated = None if at is None else working_days.day_of(at)
        if stated is None or _days_since(stated, position) >= WHOLE_DAYS:
            when = "has come" if stated is None else f"has come since {stated}"
            found.append(Open("warehouse", row.warehouse, "SILENT", f"no statement {when}; lots there: {row.lots}"))
    return found


async def _bills(connection: AsyncConnection, position: RecordPosition) -> list[Open]:
    """Return bills that are not paid."""
    return [
        Open("fee", str(row.bill_no), row.then, f"{row.account} owes {format_money(row.amount_fen)} CNY")
        for row in await as_of.documents(connection, position, FEE_BILL, fee_bill, BILL_UNPAID)
    ]


async def _papers(connection: AsyncConnection) -> list[Open]:
    """Return statements with an objection, and corrections of invoices that wait."""
    columns = account_statement.c
    disputed = select(columns.statement_no, columns.status, columns.member, columns.account, columns.objection)
    disputed = disputed.where(columns.status == "DISPUTED").order_by(columns.statement_no)
    found = [
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
            f"{row.account} owes {format_money(-row.amount_fen)} CNY to the venue",
        )
        for row in await claims.listing(connection)
    ]


async def _metal(connection: AsyncConnection, position: RecordPosition) -> list[Open]:
    """Return load-outs, claims, transfers and counts that are under way, and lots by their state."""
    found = [
        Open("load_out", str(row.load_out_no), row.then, f"waits for its collector until {row.until_day}")
        for row in await as_of.documents(connection, position, LOAD_OUT, load_out, UNCOLLECTED)
    ]
    found += [
        Open("claim", str(row.claim_no), row.then, row.reason)
        for row in await as_of.documents(connection, position, QUALITY_CLAIM, quality_claim, QUALITY_CLAIM.open)
    ]
    found += [
        Open("transfer", str(row.transfer_no), row.then, f"from {row.from_warehouse} to {row.to_warehouse}")
        for row in await as_of.documents(connection, position, TRANSFER, transfer, TRANSFER.open)
    ]
    found += [
        Open("count", str(row.count_no), row.then, f"custody in {row.warehouse} is frozen")
        for row in await as_of.documents(connection, position, INVENTORY_COUNT, inventory_count, COUNT_OPEN)
    ]
    coming = [state for state in LOT.states if state not in (*IN_POOL, *GONE)]
    return found + [
        Open("lots", row.state, row.state, f"{row.lots} lots are on their way in or out")
        for row in await as_of.lots_by(connection, position, "state", coming)
    ]


async def _suspense(connection: AsyncConnection) -> list[Open]:
    """Return payments without an account."""
    return [
        Open(
            "payment", str(row.item_no), "SUSPENSE", f"{format_money(row.amount_fen)} CNY of {row.day} have no account"
        )
        for row in await deposits.suspense(connection)
    ]


async def _silent(connection: AsyncConnection, day: date, known: KnownNumbers) -> list[Open]:
    """Return the accounts at banks of which no statement reaches the day."""
    unproved = "so the bank is not proved against the ledger"
    if not known.account_id:
        return [Open("bank", "no account", "SILENT", f"no account at a bank is registered, {unproved}")]
    return [
        Open("bank", account, "SILENT", f"no statement reaches {day}, {unproved}")
        for account in await bank_reconciliation.silent(connection, day, known)
    ]


_PARTS: Final[tuple[PartThen, ...]] = (_proposals, _breaks, _comparison, _warehouses, _bills, _metal)
_KEPT_PARTS: Final[tuple[Part, ...]] = (_outbox, _papers, _payments, _suspense)
KEPT: Final = ("outbox", "statement", "invoice", "withdrawal", "payment_order", "owed", "payment")
"""The kinds that are kept: how far an item was sent, the states of papers and of withdrawals, what is owed, and which
payments had an account, are in no record that only grows."""
ORDER: Final = (
    "proposal",
    "outbox",
    "break",
    "comparison",
    "warehouse",
    "fee",
    "statement",
    "invoice",
    "withdrawal",
    "payment_order",
    "owed",
    "load_out",
    "claim",
    "transfer",
    "count",
    "lots",
    "payment",
    "bank",
)
