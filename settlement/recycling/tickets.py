"""Tickets of the recycling counter (旧金回收): from the seller's identity to the screened items, or to a refusal.

A ticket has one seller, whose identity is checked and screened first, and items, each weighed and screened by X-ray.
Offer, payment and delivery of the items as lots are in ``settlement.recycling.offers``.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.terms import FORMS
from goldx.protocol.units import FINENESS_ONE, BadValue
from settlement.base import audit
from settlement.base.arithmetic import format_cg
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.steps import allow, authorize
from settlement.base.texts import printable
from settlement.documents.recycling import COUNTER_TICKET
from settlement.recycling import aml, counters, sellers
from settlement.recycling.sellers import Identity
from settlement.tables.recycling import SCREENINGS, counter_item, counter_ticket

MAX_ITEMS: Final = 200


class TicketItem(NamedTuple):
    """An item on the scale: weight in 0.01 g, the marks on it, and its origin as the seller states it."""

    description: str
    marks: str
    form: str
    gross_cg: int
    stated_origin: str


async def open_ticket(
    connection: AsyncConnection, by: str, code: str, identity: Identity, id_copy: str, screening: str, lists: str
) -> int:
    """Open a ticket for a seller who was identified and return its number.

    ``id_copy`` is the member's reference of the copy of the document, ``screening`` CLEAR or HIT against the ``lists``
    named. A hit ends the ticket at once and is reported (domain sheet 5.5). Raises BadValue.
    """
    await authorize(connection, COUNTER_TICKET, "open", by, [])
    await counters.find(connection, code)
    if screening not in SCREENINGS:
        raise BadValue("screening", screening, " or ".join(SCREENINGS))
    papers = {"id_copy": printable("id_copy", id_copy, 64), "screening": screening}
    papers["screening_list"] = printable("screening_list", lists, 64)
    found = await sellers.recognize(connection, by, identity)
    about = {"counter": code, "seller_id": found.seller_id, **papers}
    if screening == "CLEAR":
        return await _new(connection, by, "OPENED", about)
    number = await _new(connection, by, "REFUSED", about | {"reason": "LIST_HIT"})
    await aml.suspect(connection, by, found.seller_id, [number], 0, "LIST_HIT", f"screening against {lists}")
    return number


async def turn_away(connection: AsyncConnection, by: str, code: str, description: str) -> int:
    """Refuse and report somebody who shows no identity document; return the ticket's number."""
    await authorize(connection, COUNTER_TICKET, "refuse", by, [])
    await counters.find(connection, code)
    about = {"counter": code, "id_copy": "", "screening": "NOT_DONE", "screening_list": "", "reason": "ID_REFUSED"}
    number = await _new(connection, by, "REFUSED", about)
    await aml.suspect(connection, by, None, [number], 0, "ID_REFUSED", printable("description", description, 500))
    return number


async def _new(connection: AsyncConnection, by: str, status: str, values: Mapping[str, Any]) -> int:
    row = {**values, "status": status, "opened_at": now_ms(), "opened_by": by}
    added = insert(counter_ticket).values(row).returning(counter_ticket.c.ticket_no)
    number = int((await connection.execute(added)).scalar_one())
    step = "refuse" if status == "REFUSED" else "open"
    await audit.record(connection, audit.Act(by, f"counter_ticket.{step}", f"counter_ticket:{number}", {**values}))
    return number


async def add_item(connection: AsyncConnection, by: str, ticket_no: int, item: TicketItem) -> int:
    """Put an item on an open ticket and return its line. Raises BadValue, and Refused (ILLEGAL_STEP)."""
    row = await find(connection, ticket_no, lock=True)
    await authorize(connection, COUNTER_TICKET, "screen", by, [ticket_no])
    allow(COUNTER_TICKET, "screen", ticket_no, row.status)
    if item.form not in FORMS:
        raise BadValue("form", item.form, "one of " + ", ".join(FORMS))
    if item.gross_cg <= 0:
        raise BadValue("gross_g", format_cg(item.gross_cg), "more than zero")
    values = {
        "description": printable("description", item.description, 200),
        "marks": printable("marks", item.marks, 64, 0),
        "form": item.form,
        "gross_cg": item.gross_cg,
        "stated_origin": printable("stated_origin", item.stated_origin, 200),
    }
    line = len(await items_of(connection, ticket_no)) + 1
    if line > MAX_ITEMS:
        raise BadValue("item", line, f"one of at most {MAX_ITEMS} on a ticket")
    await connection.execute(insert(counter_item).values(ticket_no=ticket_no, line=line, **values))
    await audit.record(connection, audit.Act(by, "counter_ticket.item", f"counter_ticket:{ticket_no}", values))
    return line


async def screen(connection: AsyncConnection, by: str, ticket_no: int, results_e5: Mapping[int, int]) -> None:
    """Record the X-ray results of all items, in e5 by line.

    Raises BadValue where one is missing, unknown or out of range.
    """
    lines = {row.line for row in await items_of(connection, ticket_no)}
    if not lines or lines != results_e5.keys():
        raise BadValue("lines", sorted(results_e5), f"the lines of all items, {sorted(lines)}")
    for line, e5 in results_e5.items():
        if not 0 < e5 <= FINENESS_ONE or e5 % 100:
            raise BadValue(f"xrf of line {line}", e5, "a screening in whole per mille, in e5")
    await take_step(connection, by, "screen", ticket_no, {})
    for line, e5 in results_e5.items():
        await set_item(connection, ticket_no, line, {"xrf_e5": e5})


async def decline(connection: AsyncConnection, by: str, ticket_no: int, reason: str) -> None:
    """End a ticket whose seller takes the items back."""
    await take_step(connection, by, "decline", ticket_no, {"reason": printable("reason", reason, 200)})


async def refuse(connection: AsyncConnection, by: str, ticket_no: int, reason: str, description: str) -> int:
    """End a ticket that the counter refuses, report why (``aml.SUSPICIONS``) and return the report's number."""
    row = await find(connection, ticket_no)
    await take_step(connection, by, "refuse", ticket_no, {"reason": reason})
    return await aml.suspect(connection, by, row.seller_id, [ticket_no], row.offered_fen or 0, reason, description)


async def take_step(connection: AsyncConnection, by: str, step: str, ticket_no: int, values: Mapping[str, Any]) -> None:
    """Take one step with a ticket. Raises Refused as its state machine does."""
    row = await find(connection, ticket_no, lock=True)
    rule = allow(COUNTER_TICKET, step, ticket_no, row.status)
    await authorize(connection, COUNTER_TICKET, step, by, [ticket_no])
    changed = update(counter_ticket).where(counter_ticket.c.ticket_no == ticket_no)
    await connection.execute(changed.values(status=rule.after, **values))
    shown = {key: value.isoformat() if isinstance(value, date) else value for key, value in values.items()}
    await audit.record(connection, audit.Act(by, f"counter_ticket.{step}", f"counter_ticket:{ticket_no}", shown))


async def set_item(connection: AsyncConnection, ticket_no: int, line: int, values: Mapping[str, Any]) -> None:
    """Set columns of an item."""
    item = update(counter_item).where(counter_item.c.ticket_no == ticket_no, counter_item.c.line == line)
    await connection.execute(item.values(**values))


async def find(connection: AsyncConnection, ticket_no: int, *, lock: bool = False) -> Row[Any]:
    """Return a ticket. Raises BadValue for an unknown number."""
    query = select(counter_ticket).where(counter_ticket.c.ticket_no == ticket_no)
    if lock:
        await audit.lock(connection)
        query = query.with_for_update(key_share=True)
    row = (await connection.execute(query)).first()
    if row is None:
        raise BadValue("ticket", ticket_no, "the number of a ticket")
    return row


async def items_of(connection: AsyncConnection, ticket_no: int) -> list[Row[Any]]:
    """Return the items of a ticket, by line."""
    query = select(counter_item).where(counter_item.c.ticket_no == ticket_no).order_by(counter_item.c.line)
    return list(await connection.execute(query))


async def listing(
    connection: AsyncConnection,
    page: PageRequest = ALL,
    *,
    code: str | None = None,
    status: str | None = None,
    seller_id: int | None = None,
) -> Page[Row[Any]]:
    """Return tickets by number. Raises BadValue for an unknown status."""
    if status is not None and status not in COUNTER_TICKET.states:
        raise BadValue("status", status, "one of " + ", ".join(COUNTER_TICKET.states))
    columns = counter_ticket.c
    query = select(counter_ticket)
    for column, value in ((columns.counter, code), (columns.status, status), (columns.seller_id, seller_id)):
        if value is not None:
            query = query.where(column == value)
    return await fetch(connection, query, (columns.ticket_no,), page)
