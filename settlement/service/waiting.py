"""The list of all that waits for one of the staff: what they may decide, sign, deal with or answer, with the commands.

What a person has proposed waits for somebody else and is left out, and so is what takes a permission that they lack.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money
from settlement.banking import deposits, near_ties, withdrawal_states
from settlement.base import registry
from settlement.base.database import now_ms
from settlement.base.paging import ALL, SEPARATOR, Page, PageRequest, bad_cursor, cut_in_order
from settlement.closing import close, red_invoices, signing
from settlement.documents.banking import WITHDRAWAL
from settlement.documents.closing import CAPACITIES, CLOSED
from settlement.documents.kinds import KINDS, PROPOSED
from settlement.documents.ledger import CASH_DONE
from settlement.documents.machine import CLERK, OPERATOR
from settlement.documents.reconciliation import BREAK, BREAK_WAITS
from settlement.documents.statements import ACCOUNT_STATEMENT, INVOICE
from settlement.ledger import market_proposals
from settlement.reconciliation import break_limits
from settlement.reconciliation.break_areas import area_of
from settlement.reconciliation.breaks import days_old
from settlement.tables.banking import payment_in_file, payment_order
from settlement.tables.base import proposal
from settlement.tables.closing import business_day, day_record
from settlement.tables.ledger import cash_transfer
from settlement.tables.papers import account_statement, invoice
from settlement.tables.reconciliation import recon_break

_DAY_MS: Final = 86_400_000
_UNEXPLAINED: Final = BREAK.steps["find"].after
_PASSED_ON: Final = frozenset(break_limits.DESKS[name] for name in ("OPERATIONS", "RISK", "SUPERVISOR"))
"""The desks of those who operate the market; they give the regulator its notice, too."""


class Waiting(NamedTuple):
    """One thing that waits: its kind and number, what it is, for how many days, and the command that goes on with it.

    ``days`` counts working days for breaks and whole days otherwise; it is None where no time is known. ``capacity`` is
    that in which a day waits to be signed, None for all else.
    """

    kind: str
    subject: str
    what: str
    days: int | None
    command: str
    capacity: str | None = None


_ORDER: Final = {
    "market_proposal": 0,
    "proposal": 1,
    "close": 2,
    "sign": 3,
    "break": 4,
    "withdrawal": 5,
    "payment_order": 6,
    "payment": 7,
    "near_tie": 7,
    "statement": 8,
    "invoice": 9,
}
"""The order of the kinds; a payment stays in its place if what else it may be becomes known."""


def _key(one: Waiting) -> str:
    """Return what identifies a thing that waits: kind and number; for a signature the capacity too."""
    return SEPARATOR.join(part for part in (one.kind, one.subject, one.capacity) if part is not None)


def _order(key: str) -> Any:
    """Return the place of a thing that waits: by kind, then by number, day or capacity. Raises BadValue."""
    kind, *parts = key.split(SEPARATOR)
    if kind not in _ORDER or len(parts) != (2 if kind == "sign" else 1):
        raise bad_cursor(key)
    capacity = parts[1:]
    if not set(capacity) <= set(CAPACITIES):
        raise bad_cursor(key)
    return _ORDER[kind], len(parts[0]), parts[0], [list(CAPACITIES).index(one) for one in capacity]


async def listing(connection: AsyncConnection, by: str, page: PageRequest = ALL) -> Page[Waiting]:
    """Return what waits for one of the staff, kind by kind, oldest first. Raises BadValue for an unknown one."""
    held = await registry.staff_permissions(connection, by)
    found = await _market(connection, by) if OPERATOR in held else []
    found += [*await _proposals(connection, by, held), *await _days(connection, by, held)]
    found += await _breaks(connection, by, held)
    if CLERK in held:
        found += [*await _payments(connection), *await _bank(connection), *await _papers(connection, by)]
    return part(found, page)


def part(found: Iterable[Waiting], page: PageRequest) -> Page[Waiting]:
    """Return one page of what waits, kind by kind, oldest first. Raises BadValue for an unknown ``after``."""
    return cut_in_order(found, _key, _order, page)


def _days_since(at: int) -> int:
    return max(0, now_ms() - at) // _DAY_MS


async def _market(connection: AsyncConnection, by: str) -> list[Waiting]:
    """Return what other operators have proposed in the market: it is in force when a second one confirms it."""
    return [
        Waiting(
            "market_proposal",
            str(one.number),
            f"{one.does} (proposed by {one.proposed_by}, void with the end of {one.lapses})",
            _days_since(one.proposed_at),
            one.command,
        )
        for one in await market_proposals.listing(connection)
        if one.proposed_by != by
    ]


async def _proposals(connection: AsyncConnection, by: str, held: Iterable[str]) -> list[Waiting]:
    """Return the proposals of others that a person may decide."""
    columns = proposal.c
    query = select(columns.proposal_id, columns.kind, columns.proposed_by, columns.proposed_at)
    query = query.where(columns.status == PROPOSED, columns.proposed_by != by).order_by(columns.proposal_id)
    found = []
    for row in await connection.execute(query):
        kind = KINDS[row.kind]
        if kind.permission in held:
            what = f"{row.kind} of {row.proposed_by}"
            days = _days_since(row.proposed_at)
            found.append(Waiting("proposal", str(row.proposal_id), what, days, f"{kind.approve} {row.proposal_id}"))
    return found


async def _days(connection: AsyncConnection, by: str, held: Iterable[str]) -> list[Waiting]:
    """Return the days to close, and those that a person may sign: the oldest one that has no record."""
    unclosed = await close.unclosed(connection) if CLERK in held else []
    found = [Waiting("close", str(each.day), "it is over and not closed", None, "goldx day close") for each in unclosed]
    columns = business_day.c
    query = select(columns.day, columns.closed_at).outerjoin(day_record, day_record.c.day == columns.day)
    query = query.where(day_record.c.day.is_(None), columns.state == CLOSED).order_by(columns.last_sequence).limit(1)
    row = (await connection.execute(query)).first()
    if row is None:
        return found
    given = {one.capacity: one.signed_by for one in await signing.signatures(connection, row.day)}
    if by in given.values():
        return found
    days = _days_since(row.closed_at)
    return found + [
        Waiting("sign", str(row.day), f"for {capacity}", days, f"goldx day sign {row.day} --for {capacity}", capacity)
        for capacity, permission in CAPACITIES.items()
        if capacity not in given and permission in held
    ]


async def _breaks(connection: AsyncConnection, by: str, held: Iterable[str]) -> list[Waiting]:
    """Return the breaks that a person owns, and the unexplained ones that have come to be passed on to them by age.

    The age is in working days. Domain sheet 8.4: whom a break is passed on to as it grows older.
    """
    limits = await break_limits.by_area(connection)
    passed_on = _PASSED_ON if OPERATOR in held else frozenset()
    columns = recon_break.c
    query = select(recon_break, days_old()).where(columns.status.in_(BREAK_WAITS))
    found = []
    for row in await connection.execute(query.order_by(columns.break_id)):
        what = f"{row.kind} {row.subject} is {row.status}"
        desk = break_limits.desk(row.days, limits[area_of(row.scope, row.kind)])
        if row.owner != by:
            if row.status != _UNEXPLAINED or desk not in passed_on:
                continue
            what += f"; its owner is {row.owner}, and by its age it is for: {desk}"
        found.append(Waiting("break", str(row.break_id), what, row.days, f"goldx clerk break show {row.break_id}"))
    return found


async def _payments(connection: AsyncConnection) -> list[Waiting]:
    """Return the withdrawals that are asked for, and the orders that are approved and in no payment file."""
    asked = await withdrawal_states.listing(connection, state=WITHDRAWAL.steps["ask"].after)
    found = [
        Waiting(
            "withdrawal",
            str(row.withdrawal_no),
            f"{format_money(row.amount_fen)} CNY of {row.account}",
            _days_since(row.asked_at),
            f"goldx clerk withdrawal accept {row.withdrawal_no}",
        )
        for row in asked
    ]
    order = payment_order.c
    query = select(order.end_to_end, cash_transfer.c.account, cash_transfer.c.amount)
    query = query.join(cash_transfer, cash_transfer.c.cash_id == order.cash_id)
    query = query.outerjoin(payment_in_file, payment_in_file.c.cash_id == order.cash_id)
    query = query.where(payment_in_file.c.cash_id.is_(None), cash_transfer.c.status == CASH_DONE)
    return found + [
        Waiting(
            "payment_order",
            row.end_to_end,
            f"{format_money(-row.amount)} CNY of {row.account} are in no payment file",
            None,
            "goldx clerk bank pay-file",
        )
        for row in await connection.execute(query.order_by(order.cash_id))
    ]


async def _bank(connection: AsyncConnection) -> list[Waiting]:
    """Return the payments in suspense: those with near ties are tied, the others are assigned to an account."""
    near = {row.item_no for row in await near_ties.listing(connection)}
    return [
        Waiting(
            "near_tie" if row.item_no in near else "payment",
            str(row.item_no),
            f"{format_money(row.amount_fen)} CNY of {row.day} have no account",
            None,
            f"goldx clerk bank {'tie' if row.item_no in near else 'assign'} {row.item_no}",
        )
        for row in await deposits.suspense(connection)
    ]


async def _papers(connection: AsyncConnection, by: str) -> list[Waiting]:
    """Return the statements with an objection to answer, and the corrections of invoices that others have proposed."""
    columns = account_statement.c
    query = select(columns.statement_no, columns.member, columns.account, columns.objection)
    query = query.where(columns.status.in_(ACCOUNT_STATEMENT.before("answer"))).order_by(columns.statement_no)
    found = [
        Waiting(
            "statement",
            str(row.statement_no),
            f"{row.account or row.member} objects: {row.objection}",
            None,
            f"goldx clerk account-statements answer {row.statement_no}",
        )
        for row in await connection.execute(query)
    ]
    about = (invoice.c.reason, invoice.c.again, invoice.c.parts)
    asked = select(invoice.c.invoice_no, invoice.c.correction_by, *about)
    asked = asked.where(invoice.c.status.in_(INVOICE.before("approve_correction")), invoice.c.correction_by != by)
    return found + [
        Waiting(
            "invoice",
            str(row.invoice_no),
            f"{row.correction_by} proposes to {red_invoices.described(row)}",
            None,
            f"goldx clerk invoice approve-correction {row.invoice_no}",
        )
        for row in await connection.execute(asked.order_by(invoice.c.invoice_no))
    ]
