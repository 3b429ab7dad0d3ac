"""The recycling counter (旧金回收): a member buys old gold from a person, and it becomes lots.

A ticket has one seller, whose identity is checked and screened first, and items, each weighed and screened by X-ray.
The offer follows from the posted two-way price and is kept with all it was computed from; a screening sets the price at
the counter and never a lot's fineness. Whoever made the offer does not pay it out. Cash has rules of its own
(``settlement.recycling.aml``).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.terms import FORMS
from goldx.protocol.units import FINENESS_ONE, BadValue, parse_identifier
from settlement.base import audit, working_days
from settlement.base.arithmetic import fine_weight, format_cg, payable_weight, value_fen
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import allow, authorize, check_another
from settlement.base.texts import printable
from settlement.documents.recycling import COUNTER_TICKET
from settlement.intake import pre_advice
from settlement.intake.bar_list import Declared
from settlement.intake.bar_rows import BarKey
from settlement.lots import warehouses
from settlement.lots.provenance import Record
from settlement.recycling import aml, sellers, two_way
from settlement.recycling.sellers import Identity
from settlement.tables.base import member
from settlement.tables.ledger import trading_account
from settlement.tables.recycling import counter, counter_item, counter_ticket

MAX_ITEMS: Final = 200
METHODS: Final = ("CASH", "TRANSFER")


class Item(NamedTuple):
    """What lies on the scale: weight in 0.01 g, the marks on it, and where the seller says it is from."""

    description: str
    marks: str
    form: str
    gross_cg: int
    stated_origin: str


async def add_counter(
    connection: AsyncConnection, by: str, code: str, member_code: str, account: str, place: str, name: str
) -> None:
    """Registers a member's counter: it buys for ``account`` and delivers to warehouse ``place``. Raises BadValue."""
    owner = select(trading_account.c.member).where(trading_account.c.account == account)
    if await connection.scalar(select(member.c.member).where(member.c.member == member_code)) is None:
        raise BadValue("member", member_code, "the code of a member")
    if await connection.scalar(owner) != member_code:
        raise BadValue("account", account, f"a trading account of {member_code}")
    await warehouses.customs_of(connection, place)
    row = {"counter": parse_identifier(code, "counter"), "member": member_code, "account": account}
    row |= {"warehouse": place, "name": printable("name", name, 64)}
    added = insert_or(counter).values(row).on_conflict_do_nothing().returning(counter.c.counter)
    if await connection.scalar(added) is None:
        raise BadValue("counter", code, "a code that is not taken")
    await audit.record(connection, audit.Act(by, "counter.add", code, row))


async def _counter(connection: AsyncConnection, code: str) -> Row[Any]:
    row = (await connection.execute(select(counter).where(counter.c.counter == code))).first()
    if row is None:
        raise BadValue("counter", code, "the code of a counter")
    return row


async def open_ticket(
    connection: AsyncConnection, by: str, code: str, identity: Identity, id_copy: str, screening: str, lists: str
) -> int:
    """Opens a ticket for a seller who was identified; returns its number.

    ``id_copy`` is the member's reference of the copy of the document, ``screening`` CLEAR or HIT against the ``lists``
    named. A hit ends the ticket at once and is reported (domain sheet 5.5). Raises BadValue.
    """
    await authorize(connection, COUNTER_TICKET, "open", by, [])
    await _counter(connection, code)
    if screening not in ("CLEAR", "HIT"):
        raise BadValue("screening", screening, "CLEAR or HIT")
    papers = {"id_copy": printable("id_copy", id_copy, 64), "screening": screening}
    papers["screening_list"] = printable("screening_list", lists, 64)
    found = await sellers.known(connection, by, identity)
    about = {"counter": code, "seller_id": found.seller_id, **papers}
    if screening == "CLEAR":
        return await _new(connection, by, "OPENED", about)
    number = await _new(connection, by, "REFUSED", about | {"reason": "LIST_HIT"})
    await aml.suspect(connection, by, found.seller_id, [number], 0, "LIST_HIT", f"screening against {lists}")
    return number


async def turn_away(connection: AsyncConnection, by: str, code: str, description: str) -> int:
    """Somebody who shows no identity document: nothing is bought, and it is reported. Returns the ticket's number."""
    await authorize(connection, COUNTER_TICKET, "refuse", by, [])
    await _counter(connection, code)
    about = {"counter": code, "id_copy": "", "screening": "NOT_DONE", "screening_list": "", "reason": "ID_REFUSED"}
    number = await _new(connection, by, "REFUSED", about)
    await aml.suspect(connection, by, None, [number], 0, "ID_REFUSED", printable("description", description, 500))
    return number


async def _new(connection: AsyncConnection, by: str, status: str, values: Mapping[str, Any]) -> int:
    row = {**values, "status": status, "opened_at": now_ms(), "opened_by": by}
    added = insert(counter_ticket).values(row).returning(counter_ticket.c.ticket_no)
    number = int((await connection.execute(added)).scalar_one())
    await audit.record(connection, audit.Act(by, "counter_ticket.open", f"counter_ticket:{number}", {**values}))
    return number


async def add_item(connection: AsyncConnection, by: str, ticket_no: int, item: Item) -> int:
    """Puts an item on an open ticket; returns its line. Raises BadValue, and Refused where the ticket is further on."""
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
    """X-ray results of all items, by line, in e5. Raises BadValue where one is missing, unknown or out of range."""
    lines = {row.line for row in await items_of(connection, ticket_no)}
    if not lines or lines != results_e5.keys():
        raise BadValue("lines", sorted(results_e5), f"the lines of all items, {sorted(lines)}")
    for line, e5 in results_e5.items():
        if not 0 < e5 <= FINENESS_ONE or e5 % 100:
            raise BadValue(f"xrf of line {line}", e5, "a screening in whole per mille, in e5")
    await _step(connection, by, "screen", ticket_no, {})
    for line, e5 in results_e5.items():
        await _set_item(connection, ticket_no, line, {"xrf_e5": e5})


async def offer(connection: AsyncConnection, by: str, ticket_no: int) -> int:
    """Computes the offer from today's posted prices; returns it in fen.

    Per item: fine = weight x screening, payable = fine x ratio, both rounded down to the mg; value = payable x (bid +
    adjustment), half up to the fen (domain sheet 3.2, 4.3). Raises Refused (NO_PRICE).
    """
    row = await find(connection, ticket_no, lock=True)
    place = await _counter(connection, row.counter)
    allow(COUNTER_TICKET, "offer", ticket_no, row.status)
    total = 0
    for item in await items_of(connection, ticket_no):
        price = await two_way.current(connection, place.member, item.form)
        fine = fine_weight(item.gross_cg, item.xrf_e5).mg
        payable = payable_weight(fine, price.payable_e5)
        value = value_fen(payable, price.bid + price.adjustment)
        figures = {"price_no": price.price_no, "fine_mg": fine, "payable_mg": payable, "value_fen": value}
        await _set_item(connection, ticket_no, item.line, figures)
        total += value
    if total == 0:
        raise Refused("NO_GOLD", f"the items of ticket {ticket_no} are worth less than a fen")
    await _step(connection, by, "offer", ticket_no, {"offered_by": by, "offered_fen": total})
    return total


async def accept(connection: AsyncConnection, by: str, ticket_no: int) -> None:
    """The seller agrees to the offer and signs."""
    await _step(connection, by, "accept", ticket_no, {})


async def decline(connection: AsyncConnection, by: str, ticket_no: int, reason: str) -> None:
    """The seller does not sell and takes the items back."""
    await _step(connection, by, "decline", ticket_no, {"reason": printable("reason", reason, 200)})


async def refuse(connection: AsyncConnection, by: str, ticket_no: int, reason: str, description: str) -> int:
    """The counter does not buy, and reports why (``aml.REASONS``); returns the report's number."""
    row = await find(connection, ticket_no)
    await _step(connection, by, "refuse", ticket_no, {"reason": reason})
    return await aml.suspect(connection, by, row.seller_id, [ticket_no], row.offered_fen or 0, reason, description)


class Payment(NamedTuple):
    """What was paid out, in fen, and the reports that follow from it."""

    fen: int
    reports: tuple[int, ...]


async def pay(connection: AsyncConnection, by: str, ticket_no: int, method: str, reference: str) -> Payment:
    """Pays an accepted offer out, in cash or by transfer; another person than the one who made the offer.

    Raises BadValue, and Refused: SAME_PERSON, DUE_DILIGENCE where cash of the day reaches the amount of the measure and
    nobody has looked into the seller, CALENDAR_UNKNOWN where the report's due date is not known.
    """
    if method not in METHODS:
        raise BadValue("method", method, " or ".join(METHODS))
    printable("payment_reference", reference, 64)
    row = await find(connection, ticket_no, lock=True)
    allow(COUNTER_TICKET, "pay", ticket_no, row.status)
    check_another(COUNTER_TICKET, "pay", ticket_no, by, row.offered_by)
    day = working_days.today()
    if method == "CASH":
        await aml.before_cash(connection, row.seller_id, row.offered_fen, day)
    paid = {"method": method, "payment_reference": reference, "paid_by": by, "paid_at": now_ms(), "paid_day": day}
    await _step(connection, by, "pay", ticket_no, paid)
    reports = await aml.after_cash(connection, by, row.seller_id, day) if method == "CASH" else []
    return Payment(row.offered_fen, tuple(reports))


async def deliver(
    connection: AsyncConnection, by: str, tickets: Sequence[int], symbols: Mapping[str, str]
) -> dict[int, list[int]]:
    """The items of paid tickets become lots of the counter's account, by their screened fineness; ticket -> lots.

    ``symbols``: the class for each form. A lot's mark is the counter, its number ticket and line; its origin is a
    consumer's gold, and the document that proves it is the ticket. Raises BadFile with every item that does not fit.
    """
    rows: list[Declared] = []
    places: list[tuple[int, int]] = []
    for ticket_no in tickets:
        row = await find(connection, ticket_no, lock=True)
        allow(COUNTER_TICKET, "deliver", ticket_no, row.status)
        place = await _counter(connection, row.counter)
        for item in await items_of(connection, ticket_no):
            if item.form not in symbols:
                raise BadValue("symbol", item.form, f"given: ticket {ticket_no} has an item of that form")
            key = BarKey(row.counter, f"T{ticket_no}-{item.line}", 0)
            where = (symbols[item.form], item.form, place.account, place.warehouse)
            weight = (item.gross_cg, item.xrf_e5)
            documents = (f"TICKET-{ticket_no}",)
            checked = f"SELLER-{row.seller_id}"
            origin = Record("RECYCLED_CONSUMER", "CN", seller_check=checked, documents=documents)
            rows.append(Declared(len(rows) + 1, key, *where, *weight, origin))
            places.append((ticket_no, item.line))
    lots: dict[int, list[int]] = {}
    for (ticket_no, line), lot_id in zip(places, await pre_advice.pre_advise(connection, by, rows), strict=True):
        await _set_item(connection, ticket_no, line, {"lot_id": lot_id})
        lots.setdefault(ticket_no, []).append(lot_id)
    for ticket_no in tickets:
        await _step(connection, by, "deliver", ticket_no, {})
    return lots


async def _step(connection: AsyncConnection, by: str, step: str, ticket_no: int, values: Mapping[str, Any]) -> None:
    row = await find(connection, ticket_no, lock=True)
    rule = allow(COUNTER_TICKET, step, ticket_no, row.status)
    await authorize(connection, COUNTER_TICKET, step, by, [ticket_no])
    changed = update(counter_ticket).where(counter_ticket.c.ticket_no == ticket_no)
    await connection.execute(changed.values(status=rule.after, **values))
    shown = {key: value.isoformat() if isinstance(value, date) else value for key, value in values.items()}
    await audit.record(connection, audit.Act(by, f"counter_ticket.{step}", f"counter_ticket:{ticket_no}", shown))


async def _set_item(connection: AsyncConnection, ticket_no: int, line: int, values: Mapping[str, Any]) -> None:
    mine = update(counter_item).where(counter_item.c.ticket_no == ticket_no, counter_item.c.line == line)
    await connection.execute(mine.values(**values))


async def find(connection: AsyncConnection, ticket_no: int, *, lock: bool = False) -> Row[Any]:
    """A ticket. Raises BadValue for an unknown number."""
    query = select(counter_ticket).where(counter_ticket.c.ticket_no == ticket_no)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise BadValue("ticket", ticket_no, "the number of a ticket")
    return row


async def items_of(connection: AsyncConnection, ticket_no: int) -> list[Row[Any]]:
    """The items of a ticket, by line."""
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
