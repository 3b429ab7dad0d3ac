"""Corrections of invoices by red ones (红字发票): of a whole invoice, or of lines and parts of their amounts.

A person proposes and another approves; then a red invoice with the next number and negative amounts takes back all
that is left of the invoice, or the parts that were proposed. An invoice can be corrected in part several times, never
by more than is left of each line (``settlement.closing.invoice_parts``, and a trigger of the database); once nothing is
left it is CORRECTED. If it is cancelled out whole and that was asked for, a new invoice for what was left names the
buyer that holds by then.

Both are of the present trading day; the close of that day names them, and so do the member's statement and the
bulletin. Money of a fee that should not have been taken goes back by a correction in the ledger
(``settlement.ledger.corrections``), of which the red invoice is the document.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Row, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money
from settlement.base import audit, trading_days, working_days
from settlement.base.paging import ALL, Page, PageRequest, cut_in_order, parse_number
from settlement.base.steps import advance
from settlement.base.texts import printable
from settlement.closing import invoice_parts, invoices, tax_profiles
from settlement.closing.canonical import canonical
from settlement.closing.invoice_parts import Part
from settlement.closing.invoices import Invoice
from settlement.closing.tax_profiles import Buyer
from settlement.documents.statements import CORRECTION_PROPOSED, INVOICE
from settlement.tables.papers import invoice

LONGEST_REASON: Final = 500
_CLEARED: Final = {name: null() for name in ("reason", "again", "parts", "correction_by")}


class LineLeft(NamedTuple):
    """A line of an invoice with what is left of it."""

    number: int
    line: Mapping[str, Any]
    remaining_fen: int


async def lines_left(connection: AsyncConnection, found: Invoice, page: PageRequest = ALL) -> Page[LineLeft]:
    """Return the lines of an invoice, or a page of them, with what is left of each; of a red invoice nothing is."""
    lines = found.content["lines"]
    left = await _left(connection, found.number, lines) if found.status in INVOICE.open else [0] * len(lines)
    numbered = [LineLeft(number, line, rest) for number, (line, rest) in enumerate(zip(lines, left, strict=True), 1)]
    return cut_in_order(numbered, lambda one: str(one.number), parse_number, page)


async def _left(connection: AsyncConnection, number: int, lines: Sequence[Mapping[str, Any]]) -> list[int]:
    rows = await connection.scalars(select(invoice.c.content).where(invoice.c.corrects == number))
    return invoice_parts.remaining(lines, [msgspec.json.decode(text)["lines"] for text in rows])


async def propose(
    connection: AsyncConnection, by: str, number: int, reason: str, *, again: bool = False, parts: Sequence[Part] = ()
) -> None:
    """Propose to cancel an invoice out, or only ``parts`` of it.

    With ``again`` what is left of it is issued anew, to the buyer that holds when it is approved. Raises BadValue for
    parts that are not there, and for ``again`` with parts.
    """
    printable("reason", reason, LONGEST_REASON)
    if parts and again:
        raise BadValue("again", True, "false with parts, since the rest of the invoice stands")
    await audit.lock(connection)
    values: dict[str, Any] = {"reason": reason, "again": again, "correction_by": by}
    if parts:
        found = await invoices.find(connection, number)
        if found.status in INVOICE.before("propose_correction"):
            # For an invoice in any other state, the state machine refuses the proposal and gives the reason.
            lines = found.content["lines"]
            values["parts"] = _written(invoice_parts.checked(parts, await _left(connection, number, lines)))
    await advance(connection, invoice, INVOICE, by, "propose_correction", [number], values)


def _written(parts: Sequence[Part]) -> str:
    return canonical([[part.line, part.amount_fen] for part in parts]).decode()


def parts_of(row: Any) -> list[Part]:
    """Return the parts that are proposed to be taken back; none if it is the whole invoice."""
    return [] if row.parts is None else [Part(*part) for part in msgspec.json.decode(row.parts)]


def described(row: Any) -> str:
    """Return what is proposed to be done with an invoice, for who is to approve it."""
    parts = ", ".join(f"{format_money(part.amount_fen or 0)} CNY of line {part.line}" for part in parts_of(row))
    what = f"take back {parts}" if parts else "cancel it out"
    return f"{what}{' and issue it again' if row.again else ''}: {row.reason}"


async def decline(connection: AsyncConnection, by: str, number: int) -> None:
    """Let the invoice stand as it is."""
    await audit.lock(connection)
    await advance(connection, invoice, INVOICE, by, "decline_correction", [number])
    await connection.execute(update(invoice).where(invoice.c.invoice_no == number).values(_CLEARED))


async def approve(connection: AsyncConnection, by: str, number: int) -> list[int]:
    """Take back what was proposed; return the number of the red invoice and, if it is issued again, of the new one.

    Raises Refused: SAME_PERSON for who proposed it, ILLEGAL_STEP if nothing is proposed.
    """
    await audit.lock(connection)
    asked = await _asked(connection, number)
    lines, left, parts = asked
    rest = sum(left) - sum(part.amount_fen or 0 for part in parts)
    step, values = ("approve_part", {}) if rest else ("approve_correction", {"corrected_by": by})
    row = (await advance(connection, invoice, INVOICE, by, step, [number], values))[number]
    if rest:
        await connection.execute(update(invoice).where(invoice.c.invoice_no == number).values(_CLEARED))
    before, day = msgspec.json.decode(row.content), await trading_days.present(connection)
    red_lines = invoice_parts.take_back(lines, left, parts)
    made = [await _write_red(connection, by, row, before, (day, red_lines, rest))]
    if row.again:
        made.append(await _issue_anew(connection, row, day, invoice_parts.anew(lines, left)))
    return made


class _Asked(NamedTuple):
    """The lines of an invoice, what is left of each, and the parts that are proposed to be taken back."""

    lines: Sequence[Mapping[str, Any]]
    left: Sequence[int]
    parts: Sequence[Part]


async def _asked(connection: AsyncConnection, number: int) -> _Asked:
    columns = invoice.c
    query = select(columns.content, columns.status, columns.parts).where(columns.invoice_no == number)
    row = (await connection.execute(query)).first()
    if row is None or row.status != CORRECTION_PROPOSED:
        # Which the machine refuses.
        return _Asked((), (), ())
    lines = msgspec.json.decode(row.content)["lines"]
    left = await _left(connection, number, lines)
    return _Asked(lines, left, parts_of(row) or invoice_parts.whole(left))


async def _write_red(
    connection: AsyncConnection,
    by: str,
    row: Row[Any],
    before: Mapping[str, Any],
    taken: tuple[date, Sequence[Mapping[str, Any]], int],
) -> int:
    """Write the red invoice of a day with its lines; the content has what is left of the invoice, if anything is."""
    day, lines, rest = taken
    buyer = Buyer(before["title"], before["tax_number"], row.kind, "")
    events = (row.first_sequence, row.last_sequence)
    more = {"seller": before["seller"]} if "seller" in before else {}
    more |= {"corrects": row.invoice_no, "reason": row.reason, **({"remaining_fen": rest} if rest else {})}
    number = await invoices.next_number(connection)
    content = invoices.content_of(number, day, row.member, buyer, events, lines, **more)
    people = {"reason": row.reason, "correction_by": row.correction_by, "corrected_by": by}
    return await invoices.write(connection, content, status="RED", **people)


async def _issue_anew(connection: AsyncConnection, row: Row[Any], day: date, lines: Sequence[Mapping[str, Any]]) -> int:
    """Write the invoice of a day that takes the place of another."""
    # From any day on that has begun, so that a change of today is used.
    buyer = (await tax_profiles.on(connection, working_days.LAST_DAY))[row.member]
    seller = await tax_profiles.seller(connection, working_days.LAST_DAY)
    more = {} if seller is None else {"seller": seller}
    number, events = await invoices.next_number(connection), (row.first_sequence, row.last_sequence)
    content = invoices.content_of(number, day, row.member, buyer, events, lines, **more, replaces=row.invoice_no)
    return await invoices.write(connection, content)
