"""The recycling counter: prices, tickets, payments, and the reports that the law requires."""

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from api.listing import ThePage, listed
from api.settlement_routes.access import Clerk, Number, OneOf, Reader, Strict, Transaction, new_router
from api.settlement_routes.rows import Projection
from goldx.protocol.units import format_money, parse_money, parse_price
from settlement.base.arithmetic import parse_padded_decimal, parse_scale_weight
from settlement.base.paging import LARGEST_NUMBER
from settlement.recycling import aml, counters, offers, sellers, tickets, two_way
from settlement.tables.recycling import PAYMENT_METHODS, SCREENINGS

router = new_router()

PRICE = Projection("price_no poster form at payable_e5", bid="bid", ask="ask", adjustment="adjustment")
TICKET = Projection(
    "ticket_no counter seller_id status opened_at opened_by id_copy screening screening_list offered_by "
    "method payment_reference paid_by paid_at paid_day reason",
    offered="offered_fen",
)
SELLER = Projection("seller_id id_type masked_number masked_name")
ITEM = Projection(
    "line description marks form stated_origin price_no lot_id",
    weight="gross_cg",
    xrf_permille="xrf_e5",
    payable="payable_mg",
    value="value_fen",
)
REPORT = Projection(
    "report_no kind seller_id id_type masked_number masked_name tickets day amount_fen reason description "
    "due_on status made_at made_by decided_by decided_at reference",
    amount="amount_fen",
)


class CounterRequest(Strict):
    counter: str
    member: str
    account: str = Field(description="The account that gets the gold")
    warehouse: str
    name: str


class PriceRequest(Strict):
    poster: str = two_way.VENUE
    form: str
    bid: str = Field(description="CNY per fine gram that is paid", examples=["590.00"])
    ask: str = Field(description="CNY per fine gram that is taken")
    adjustment: str = Field(default="0.00", description="CNY per fine gram for the form; may be negative")
    payable_percent: str = Field(default="100", description="of the fine gold that is paid for", examples=["99.0"])


class TicketRequest(Strict):
    counter: str
    id_type: str
    id_number: str = Field(description="Kept as a salted hash, shown masked")
    name: str = Field(description="Shown masked")
    id_copy: str = Field(description="The member's reference of the copy of the document")
    screening: Annotated[str, OneOf(SCREENINGS)]
    screening_list: str


class TurnAwayRequest(Strict):
    counter: str
    description: str


class ItemRequest(Strict):
    description: str
    marks: str = ""
    form: str = "SCRAP_JEWEL"
    weight: str = Field(description="grams", examples=["12.34"])
    stated_origin: str


class ItemScreeningRequest(Strict):
    xrf_permille: list[str] = Field(description="whole per mille, in the order of the lines")


class RefusalRequest(Strict):
    reason: str
    description: str = ""


class CounterPaymentRequest(Strict):
    method: Annotated[str, OneOf(PAYMENT_METHODS)]
    payment_reference: str


class DeliveryRequest(Strict):
    tickets: list[Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]] = Field(min_length=1)
    symbols: dict[str, str] = Field(description="class by form", examples=[{"SCRAP_JEWEL": "AU-SCRAP"}])


class DueDiligenceRequest(Strict):
    document: str
    findings: str


class NameRequest(Strict):
    name: str
    document: str = Field(description="the paper that proves it")


class ReportDecisionRequest(Strict):
    step: Annotated[str, OneOf(aml.STEPS)]
    reference: str


@router.post("/counters")
async def add_counter(by: Clerk, connection: Transaction, request: CounterRequest) -> CounterRequest:
    """Register a member's counter."""
    where = (request.member, request.account, request.warehouse)
    await counters.add(connection, by, request.counter, *where, request.name)
    return request


@router.post("/two-way-prices")
async def post_price(by: Clerk, connection: Transaction, request: PriceRequest) -> dict[str, int]:
    """Post a two-way price, which counts from now on."""
    posted = two_way.PostedPrice(
        request.poster,
        request.form,
        parse_price(request.bid, "bid"),
        parse_price(request.ask, "ask"),
        parse_money(request.adjustment, "adjustment"),
        parse_padded_decimal("payable_percent", request.payable_percent, 3, 1, 100_000, "per cent"),
    )
    return {"price": await two_way.post(connection, by, posted)}


@router.get("/two-way-prices")
async def get_prices(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the newest price of each poster and form."""
    return listed("prices", PRICE, await two_way.listing(connection, page))


@router.post("/tickets")
async def open_ticket(by: Clerk, connection: Transaction, request: TicketRequest) -> dict[str, Any]:
    """Open a ticket for a seller who was identified and screened; a hit ends it and is reported."""
    identity = sellers.checked(request.id_type, request.id_number, request.name)
    papers = (request.id_copy, request.screening, request.screening_list)
    return await _ticket(connection, await tickets.open_ticket(connection, by, request.counter, identity, *papers))


@router.post("/tickets/turned-away")
async def turn_away(by: Clerk, connection: Transaction, request: TurnAwayRequest) -> dict[str, Any]:
    """Record that somebody showed no document: nothing is bought, and it is reported."""
    return await _ticket(connection, await tickets.turn_away(connection, by, request.counter, request.description))


@router.post("/tickets/{number}/items")
async def add_item(by: Clerk, connection: Transaction, number: Number, request: ItemRequest) -> dict[str, int]:
    """Put an item on an open ticket."""
    weight = parse_scale_weight("weight", request.weight)
    item = tickets.TicketItem(request.description, request.marks, request.form, weight, request.stated_origin)
    return {"line": await tickets.add_item(connection, by, number, item)}


@router.post("/tickets/{number}/screen")
async def screen(by: Clerk, connection: Transaction, number: Number, request: ItemScreeningRequest) -> dict[str, Any]:
    """Enter the X-ray results of all items."""
    found = {
        line: 100 * parse_padded_decimal("xrf_permille", text, 0, 1, 1_000, "whole per mille")
        for line, text in enumerate(request.xrf_permille, 1)
    }
    await tickets.screen(connection, by, number, found)
    return await _ticket(connection, number)


@router.post("/tickets/{number}/offer")
async def offer(by: Clerk, connection: Transaction, number: Number) -> dict[str, Any]:
    """Compute the offer from today's posted prices."""
    await offers.make(connection, by, number)
    return await _ticket(connection, number)


@router.post("/tickets/{number}/accept")
async def accept(by: Clerk, connection: Transaction, number: Number) -> dict[str, Any]:
    """Record that the seller agrees."""
    await offers.accept(connection, by, number)
    return await _ticket(connection, number)


@router.post("/tickets/{number}/decline")
async def decline(by: Clerk, connection: Transaction, number: Number, request: RefusalRequest) -> dict[str, Any]:
    """Record that the seller does not sell."""
    await tickets.decline(connection, by, number, request.reason)
    return await _ticket(connection, number)


@router.post("/tickets/{number}/refuse")
async def refuse(by: Clerk, connection: Transaction, number: Number, request: RefusalRequest) -> dict[str, int]:
    """Refuse to buy, and report why."""
    return {"report": await tickets.refuse(connection, by, number, request.reason, request.description)}


@router.post("/tickets/{number}/pay")
async def pay(by: Clerk, connection: Transaction, number: Number, request: CounterPaymentRequest) -> dict[str, Any]:
    """Pay an accepted offer out; another person than the one who made it."""
    paid = await offers.pay(connection, by, number, request.method, request.payment_reference)
    return {"amount": format_money(paid.fen), "reports": paid.reports}


@router.post("/tickets/deliveries")
async def deliver(by: Clerk, connection: Transaction, request: DeliveryRequest) -> dict[str, Any]:
    """Make lots of the items of paid tickets."""
    return {"lots": await offers.deliver(connection, by, request.tickets, request.symbols)}


@router.get("/tickets")
async def get_tickets(
    _: Reader,
    connection: Transaction,
    page: ThePage,
    code: Annotated[str | None, Query(alias="counter")] = None,
    status: str | None = None,
    seller: int | None = None,
) -> dict[str, Any]:
    """List tickets by number."""
    rows = await tickets.listing(connection, page, code=code, status=status, seller_id=seller)
    return listed("tickets", TICKET, rows)


@router.get("/tickets/{number}")
async def get_ticket(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return a ticket with its seller, masked, and its items."""
    return await _ticket(connection, number)


@router.post("/sellers/{number}/name")
async def correct_name(by: Clerk, connection: Transaction, number: Number, request: NameRequest) -> dict[str, int]:
    """Correct the name recorded for a seller's number; the person who recorded it may not do this."""
    await sellers.correct_name(connection, by, number, request.name, request.document)
    return {"seller": number}


@router.post("/sellers/{number}/due-diligence")
async def look_into(by: Clerk, connection: Transaction, number: Number, request: DueDiligenceRequest) -> dict[str, int]:
    """Record due diligence on a seller."""
    return {
        "due_diligence": await sellers.record_due_diligence(connection, by, number, request.document, request.findings)
    }


@router.get("/aml-reports")
async def get_reports(
    _: Reader, connection: Transaction, page: ThePage, status: str | None = None, overdue: bool = False
) -> dict[str, Any]:
    """List large-value and suspicious reports by number; `overdue`: those due before today that are not filed."""
    return listed("reports", REPORT, await aml.listing(connection, page, status=status, overdue=overdue))


@router.get("/aml-reports/export", response_class=Response)
async def export_reports(
    _: Reader, connection: Transaction, kind: Annotated[str, Query(alias="format")] = "csv"
) -> Response:
    """Return all reports as csv or xlsx."""
    data = await aml.export(connection, kind)
    return Response(
        data, 200, {"Content-Disposition": f"attachment; filename=reports.{kind}"}, "application/octet-stream"
    )


@router.post("/aml-reports/{number}/decisions")
async def decide(
    by: Clerk, connection: Transaction, number: Number, request: ReportDecisionRequest
) -> ReportDecisionRequest:
    """Confirm or dismiss what was noticed, or record that a report is filed."""
    await aml.decide(connection, by, number, request.step, request.reference)
    return request


async def _ticket(connection: Transaction, number: int) -> dict[str, Any]:
    row = await tickets.find(connection, number)
    found = TICKET(row)
    if row.seller_id is not None:
        found["seller"] = SELLER(await sellers.find(connection, row.seller_id))
    return {**found, "items": [ITEM(item) for item in await tickets.items_of(connection, number)]}
