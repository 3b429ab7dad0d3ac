"""Offers for the items of a ticket: priced, paid, and delivered to the warehouse as lots.

An offer follows from the posted two-way price and is kept with all the figures behind it; a screening sets the price at
the counter and never a lot's fineness. It is valid on its day only, like the price; on a later day it must be made
again. The person who made an offer may not pay it out. Cash has rules of its own (``settlement.recycling.aml``).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import working_days
from settlement.base.arithmetic import fine_weight, payable_weight, value_fen
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import allow, check_another
from settlement.base.texts import printable
from settlement.documents.recycling import COUNTER_TICKET
from settlement.intake import pre_advice
from settlement.intake.bar_list import Declared
from settlement.intake.bar_rows import BarKey
from settlement.lots import acceptance, customs, warehouses
from settlement.lots.provenance import ProvenanceRecord
from settlement.recycling import aml, counters, tickets, two_way
from settlement.tables.recycling import PAYMENT_METHODS, counter_item, posted_price


async def make(connection: AsyncConnection, by: str, ticket_no: int) -> int:
    """Compute the offer from today's posted prices and return it in fen.

    Per item: fine = weight x screening, payable = fine x ratio, both rounded down to the mg; value = payable x (bid +
    adjustment), half up to the fen (domain sheet 3.2, 4.3). An offer that has not been paid is replaced. Raises Refused
    (NO_PRICE, NO_GOLD).
    """
    row = await tickets.find(connection, ticket_no, lock=True)
    place = await counters.find(connection, row.counter)
    allow(COUNTER_TICKET, "offer", ticket_no, row.status)
    await check_taken(connection, ticket_no, place.warehouse)
    total = 0
    for item in await tickets.items_of(connection, ticket_no):
        price = await two_way.current(connection, place.member, item.form)
        fine = fine_weight(item.gross_cg, item.xrf_e5).mg
        payable = payable_weight(fine, price.payable_e5)
        value = value_fen(payable, price.bid + price.adjustment)
        figures = {"price_no": price.price_no, "fine_mg": fine, "payable_mg": payable, "value_fen": value}
        await tickets.set_item(connection, ticket_no, item.line, figures)
        total += value
    if total == 0:
        raise Refused("NO_GOLD", f"the items of ticket {ticket_no} are worth less than a fen")
    await tickets.take_step(connection, by, "offer", ticket_no, {"offered_by": by, "offered_fen": total})
    return total


async def check_taken(connection: AsyncConnection, ticket_no: int, place: str) -> None:
    """Raise Refused (NOT_ACCEPTED) for an item that no class would take as a lot, as it must not be paid for.

    A class takes it by its form, its screened fineness and its weight, in the counter's warehouse ``place``.
    """
    classes = await acceptance.terms(connection)
    takes = await customs.of_classes(connection, classes)
    status = await warehouses.customs_of(connection, place)
    there = [terms for symbol, terms in classes.items() if takes[symbol] == status]
    for item in await tickets.items_of(connection, ticket_no):
        about = (item.form, place, item.gross_cg, item.xrf_e5)
        against = [acceptance.declared_problems(terms, *about) for terms in there]
        if all(against):
            nearest = min(against, key=len, default={"": f"no class takes {status} metal"})
            why = "; ".join(nearest.values())
            raise Refused("NOT_ACCEPTED", f"ticket {ticket_no}, line {item.line}: no class takes this item: {why}")


async def accept(connection: AsyncConnection, by: str, ticket_no: int) -> None:
    """Record that the seller agrees to the offer and signs. Raises Refused (OFFER_EXPIRED) after its day."""
    row = await tickets.find(connection, ticket_no, lock=True)
    allow(COUNTER_TICKET, "accept", ticket_no, row.status)
    await _check_of_today(connection, ticket_no)
    await tickets.take_step(connection, by, "accept", ticket_no, {})


async def _check_of_today(connection: AsyncConnection, ticket_no: int) -> None:
    """Raise Refused (OFFER_EXPIRED) for an offer of another day: it was made at that day's prices."""
    prices = select(func.max(posted_price.c.at)).join(counter_item, counter_item.c.price_no == posted_price.c.price_no)
    at = await connection.scalar(prices.where(counter_item.c.ticket_no == ticket_no))
    day = working_days.day_of(int(at or 0))
    if day != working_days.today():
        text = f"the offer of ticket {ticket_no} was of {day.isoformat()}; it must be made again at today's price"
        raise Refused("OFFER_EXPIRED", text)


class CounterPayment(NamedTuple):
    """The amount paid out, in fen, and the numbers of the reports that follow from it."""

    fen: int
    reports: tuple[int, ...]


async def pay(connection: AsyncConnection, by: str, ticket_no: int, method: str, reference: str) -> CounterPayment:
    """Pay an accepted offer out, in cash or by transfer. The person who made the offer may not.

    Raises BadValue, and Refused: SAME_PERSON, OFFER_EXPIRED after the day of the offer, DUE_DILIGENCE if the day's cash
    reaches the amount of the measure and nobody else has done due diligence on the seller, CALENDAR_UNKNOWN if the
    report's due date is not known.
    """
    if method not in PAYMENT_METHODS:
        raise BadValue("method", method, " or ".join(PAYMENT_METHODS))
    printable("payment_reference", reference, 64)
    row = await tickets.find(connection, ticket_no, lock=True)
    allow(COUNTER_TICKET, "pay", ticket_no, row.status)
    check_another(COUNTER_TICKET, "pay", ticket_no, by, row.offered_by)
    await _check_of_today(connection, ticket_no)
    await check_taken(connection, ticket_no, (await counters.find(connection, row.counter)).warehouse)
    day = working_days.today()
    if method == "CASH":
        await aml.before_cash(connection, by, row.seller_id, row.offered_fen, day)
    paid = {"method": method, "payment_reference": reference, "paid_by": by, "paid_at": now_ms(), "paid_day": day}
    try:
        await tickets.take_step(connection, by, "pay", ticket_no, paid)
    except IntegrityError as error:
        allowed = "the bank's number of a transfer that has paid no other ticket"
        raise BadValue("payment_reference", reference, allowed) from error
    reports = await aml.after_cash(connection, by, row.seller_id, day) if method == "CASH" else []
    return CounterPayment(row.offered_fen, tuple(reports))


async def deliver(
    connection: AsyncConnection, by: str, ticket_nos: Sequence[int], symbols: Mapping[str, str]
) -> dict[int, list[int]]:
    """Pre-advise the items of paid tickets as lots of the counter's account, by their screened fineness.

    ``symbols`` has the class for each form. A lot's mark is the counter, its number ticket and line; its origin is a
    consumer's gold, and the document that proves it is the ticket. Returns the lots by ticket. Raises BadFile with
    every item that its class does not take.
    """
    if not ticket_nos:
        raise BadValue("tickets", [], "at least one ticket")
    rows: list[Declared] = []
    lines: list[tuple[int, int]] = []
    for ticket_no in ticket_nos:
        row = await tickets.find(connection, ticket_no, lock=True)
        allow(COUNTER_TICKET, "deliver", ticket_no, row.status)
        counter = await counters.find(connection, row.counter)
        provenance = ProvenanceRecord(
            origin="RECYCLED_CONSUMER",
            country="CN",
            seller_check=f"SELLER-{row.seller_id}",
            documents=(f"TICKET-{ticket_no}",),
        )
        for item in await tickets.items_of(connection, ticket_no):
            if item.form not in symbols:
                raise BadValue("symbol", item.form, f"given: ticket {ticket_no} has an item of that form")
            declared = Declared(
                line=len(rows) + 1,
                key=BarKey(row.counter, f"T{ticket_no}-{item.line}", 0),
                symbol=symbols[item.form],
                form=item.form,
                account=counter.account,
                warehouse=counter.warehouse,
                gross_cg=item.gross_cg,
                fineness_e5=item.xrf_e5,
                provenance=provenance,
            )
            rows.append(declared)
            lines.append((ticket_no, item.line))
    lots: dict[int, list[int]] = {}
    for (ticket_no, line), lot_id in zip(lines, await pre_advice.pre_advise(connection, by, rows), strict=True):
        await tickets.set_item(connection, ticket_no, line, {"lot_id": lot_id})
        lots.setdefault(ticket_no, []).append(lot_id)
    for ticket_no in ticket_nos:
        await tickets.take_step(connection, by, "deliver", ticket_no, {})
    return lots
