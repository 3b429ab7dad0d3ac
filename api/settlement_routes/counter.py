"""The recycling counter: prices, tickets, payments, and the reports that the law wants."""

from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import Row

from api.settlement_routes.access import PAGE, Clerk, Reader, Strict, Transaction, new_router
from goldx.protocol.units import format_money, format_price, format_weight, parse_money, parse_price
from settlement.base.arithmetic import format_cg, format_fineness, parse_decimal, parse_scale_weight
from settlement.recycling import aml, counter, sellers, two_way

router = new_router()


class Counter(Strict):
    counter: str
    member: str
    account: str = Field(description="Whose the gold becomes")
    warehouse: str
    name: str


class Price(Strict):
    poster: str = two_way.VENUE
    form: str
    bid: str = Field(description="CNY per fine gram that is paid", examples=["590.00"])
    ask: str = Field(description="CNY per fine gram that is taken")
    adjustment: str = Field(default="0.00", description="CNY per fine gram for the form; may be negative")
    payable_percent: str = Field(default="100", description="of the fine gold that is paid for", examples=["99.0"])


class Ticket(Strict):
    counter: str
    id_type: str
    id_number: str = Field(description="Kept as a salted hash, shown masked")
    name: str = Field(description="Shown masked")
    id_copy: str = Field(description="The member's reference of the copy of the document")
    screening: Literal["CLEAR", "HIT"]
    screening_list: str


class TurnedAway(Strict):
    counter: str
    description: str


class Item(Strict):
    description: str
    marks: str = ""
    form: str = "SCRAP_JEWEL"
    weight: str = Field(description="grams", examples=["12.34"])
    stated_origin: str


class Screening(Strict):
    xrf_permille: list[str] = Field(description="whole per mille, in the order of the lines")


class Why(Strict):
    reason: str
    description: str = ""


class Payment(Strict):
    method: Literal["CASH", "TRANSFER"]
    payment_reference: str


class Delivery(Strict):
    tickets: list[int]
    symbols: dict[str, str] = Field(description="class by form", examples=[{"SCRAP_JEWEL": "AU-SCRAP"}])


class DueDiligence(Strict):
    document: str
    findings: str


class Decision(Strict):
    step: Literal["confirm", "dismiss", "file"]
    reference: str


@router.post("/counters")
async def add_counter(by: Clerk, connection: Transaction, desk: Counter) -> Counter:
    """Registers a member's counter."""
    await counter.add_counter(connection, by, desk.counter, desk.member, desk.account, desk.warehouse, desk.name)
    return desk


@router.post("/two-way-prices")
async def post_price(by: Clerk, connection: Transaction, price: Price) -> dict[str, int]:
    """Posts a two-way price, which counts from now on."""
    ratio = parse_decimal("payable_percent", price.payable_percent, 3, 1, 100_000, "per cent")
    figures = (
        parse_price(price.bid, "bid"),
        parse_price(price.ask, "ask"),
        parse_money(price.adjustment, "adjustment"),
    )
    return {"price": await two_way.post(connection, by, two_way.Posted(price.poster, price.form, *figures, ratio))}


@router.get("/two-way-prices")
async def get_prices(_: Reader, connection: Transaction) -> dict[str, Any]:
    """The newest price of each poster and form."""
    return {
        "prices": [
            {
                **{"price_no": row.price_no, "poster": row.poster, "form": row.form, "at": row.at},
                **{"bid": format_price(row.bid), "ask": format_price(row.ask), "payable_e5": row.payable_e5},
                "adjustment": format_money(row.adjustment),
            }
            for row in await two_way.listing(connection)
        ]
    }


@router.post("/tickets")
async def open_ticket(by: Clerk, connection: Transaction, ticket: Ticket) -> dict[str, Any]:
    """Opens a ticket for a seller who was identified and screened; a hit ends it and is reported."""
    identity = sellers.checked(ticket.id_type, ticket.id_number, ticket.name)
    papers = (ticket.id_copy, ticket.screening, ticket.screening_list)
    return await _shown(connection, await counter.open_ticket(connection, by, ticket.counter, identity, *papers))


@router.post("/tickets/turned-away")
async def turn_away(by: Clerk, connection: Transaction, what: TurnedAway) -> dict[str, Any]:
    """Somebody shows no document: nothing is bought, and it is reported."""
    return await _shown(connection, await counter.turn_away(connection, by, what.counter, what.description))


@router.post("/tickets/{number}/items")
async def add_item(by: Clerk, connection: Transaction, number: int, item: Item) -> dict[str, int]:
    """Puts an item on an open ticket."""
    weight = parse_scale_weight("weight", item.weight)
    found = counter.Item(item.description, item.marks, item.form, weight, item.stated_origin)
    return {"line": await counter.add_item(connection, by, number, found)}


@router.post("/tickets/{number}/screen")
async def screen(by: Clerk, connection: Transaction, number: int, results: Screening) -> dict[str, Any]:
    """X-ray results of all items."""
    found = {
        line: 100 * parse_decimal("xrf_permille", text, 0, 1, 1_000, "whole per mille")
        for line, text in enumerate(results.xrf_permille, 1)
    }
    await counter.screen(connection, by, number, found)
    return await _shown(connection, number)


@router.post("/tickets/{number}/offer")
async def offer(by: Clerk, connection: Transaction, number: int) -> dict[str, Any]:
    """Computes the offer from today's posted prices."""
    await counter.offer(connection, by, number)
    return await _shown(connection, number)


@router.post("/tickets/{number}/accept")
async def accept(by: Clerk, connection: Transaction, number: int) -> dict[str, Any]:
    """The seller agrees."""
    await counter.accept(connection, by, number)
    return await _shown(connection, number)


@router.post("/tickets/{number}/decline")
async def decline(by: Clerk, connection: Transaction, number: int, why: Why) -> dict[str, Any]:
    """The seller does not sell."""
    await counter.decline(connection, by, number, why.reason)
    return await _shown(connection, number)


@router.post("/tickets/{number}/refuse")
async def refuse(by: Clerk, connection: Transaction, number: int, why: Why) -> dict[str, int]:
    """The counter does not buy, and reports why."""
    return {"report": await counter.refuse(connection, by, number, why.reason, why.description)}


@router.post("/tickets/{number}/pay")
async def pay(by: Clerk, connection: Transaction, number: int, payment: Payment) -> dict[str, Any]:
    """Pays an accepted offer out; another person than the one who made it."""
    paid = await counter.pay(connection, by, number, payment.method, payment.payment_reference)
    return {"amount": format_money(paid.fen), "reports": paid.reports}


@router.post("/tickets/deliveries")
async def deliver(by: Clerk, connection: Transaction, delivery: Delivery) -> dict[str, Any]:
    """The items of paid tickets become lots."""
    return {"lots": await counter.deliver(connection, by, delivery.tickets, delivery.symbols)}


@router.get("/tickets")
async def get_tickets(
    _: Reader,
    connection: Transaction,
    counter_code: Annotated[str | None, Query(alias="counter")] = None,
    status: str | None = None,
    seller: int | None = None,
    after: int = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
) -> dict[str, Any]:
    """Tickets by number, a page of them after ticket `after`."""
    page = {"after": after, "limit": limit}
    rows = await counter.listing(connection, code=counter_code, status=status, seller_id=seller, **page)
    return {"tickets": [_ticket(row) for row in rows]}


@router.get("/tickets/{number}")
async def get_ticket(_: Reader, connection: Transaction, number: int) -> dict[str, Any]:
    """A ticket with its seller, masked, and its items."""
    return await _shown(connection, number)


@router.post("/sellers/{number}/due-diligence")
async def look_into(by: Clerk, connection: Transaction, number: int, found: DueDiligence) -> dict[str, int]:
    """Records that a seller was looked into."""
    return {"due_diligence": await sellers.look_into(connection, by, number, found.document, found.findings)}


@router.get("/aml-reports")
async def get_reports(
    _: Reader,
    connection: Transaction,
    status: str | None = None,
    overdue: bool = False,
    after: int = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
) -> dict[str, Any]:
    """Large-value and suspicious reports by number."""
    rows = await aml.listing(connection, status=status, overdue=overdue, after=after, limit=limit)
    return {"reports": [{**row._mapping, "amount": format_money(row.amount_fen)} for row in rows]}


@router.get("/aml-reports/export", response_class=Response)
async def export_reports(
    _: Reader, connection: Transaction, kind: Annotated[str, Query(alias="format")] = "csv"
) -> Response:
    """All reports as csv or xlsx."""
    data = await aml.export(connection, kind)
    return Response(
        data, 200, {"Content-Disposition": f"attachment; filename=reports.{kind}"}, "application/octet-stream"
    )


@router.post("/aml-reports/{number}/decisions")
async def decide(by: Clerk, connection: Transaction, number: int, decision: Decision) -> Decision:
    """Confirms or dismisses what was noticed, or says that a report is filed."""
    await aml.decide(connection, by, number, decision.step, decision.reference)
    return decision


async def _shown(connection: Transaction, number: int) -> dict[str, Any]:
    row = await counter.find(connection, number)
    shown = _ticket(row)
    if row.seller_id is not None:
        who = await sellers.find(connection, row.seller_id)
        names = ("seller_id", "id_type", "masked_number", "masked_name")
        shown["seller"] = {name: getattr(who, name) for name in names}
    return {**shown, "items": [_item(item) for item in await counter.items_of(connection, number)]}


def _ticket(row: Row[Any]) -> dict[str, Any]:
    names = (
        *("ticket_no", "counter", "seller_id", "status", "opened_at", "opened_by", "id_copy", "screening"),
        *("screening_list", "offered_by", "method", "payment_reference", "paid_by", "paid_at", "paid_day", "reason"),
    )
    offered = None if row.offered_fen is None else format_money(row.offered_fen)
    return {**{name: getattr(row, name) for name in names}, "offered": offered}


def _item(row: Row[Any]) -> dict[str, Any]:
    names = ("line", "description", "marks", "form", "stated_origin", "price_no", "lot_id")
    return {
        **{name: getattr(row, name) for name in names},
        "weight": format_cg(row.gross_cg),
        "xrf_permille": None if row.xrf_e5 is None else format_fineness(row.xrf_e5),
        "payable": None if row.payable_mg is None else format_weight(row.payable_mg),
        "value": None if row.value_fen is None else format_money(row.value_fen),
    }
