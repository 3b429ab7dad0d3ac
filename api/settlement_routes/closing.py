"""The papers of the close: statements of account for staff and for their members, and bulletins for anybody."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.edge.problems import documented
from api.listing import ThePage, listed
from api.settlement_routes.access import Clerk, Number, OneOf, Reader, Strict, TheMember, Transaction, new_router
from api.settlement_routes.papers import PAPERS
from api.settlement_routes.rows import Projection
from goldx.protocol.units import format_money
from settlement.base.working_days import parse_day
from settlement.closing import (
    benchmark_prices,
    bulletin,
    bulletin_paper,
    invoice_paper,
    invoice_parts,
    invoices,
    red_invoices,
    statement_paper,
    statements,
    tax_profiles,
)
from settlement.closing.paper import Language
from settlement.closing.tax_profiles import Buyer
from settlement.documents.statements import ACCOUNT_STATEMENT, CORRECTION_PROPOSED, seen_by_member
from settlement.documents.statements import INVOICE as INVOICE_MACHINE
from settlement.tables.papers import INVOICE_KINDS, INVOICE_PERIODS

router = new_router()
members = new_router("/v1", "members")
public = APIRouter(
    prefix="/v1/bulletins",
    tags=["bulletins"],
    responses=documented({422: "a value that is not allowed"}),
)
benchmarks = APIRouter(
    prefix="/v1/benchmarks",
    tags=["benchmarks"],
    responses=documented({422: "a value that is not allowed"}),
)

STATEMENT = Projection(
    "statement_no day member account status due_day issued_at accepted_by accepted_at objection answer hash"
)
MEDIA = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
    "csv": "text/csv",
}
Kind = Annotated[Literal["pdf", "xlsx", "json"], Query(alias="format")]
TheLanguage = Annotated[Language, Query(description="Chinese or English")]
DayOrNone = Annotated[str | None, Query(alias="day", description="A trading day", examples=["2026-11-24"])]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {media: {} for media in MEDIA.values()}}
}


INVOICE = Projection(
    "invoice_no day member kind status corrects replaces reason correction_by made_at hash",
    net="net_fen",
    tax="tax_fen",
    total="total_fen",
    remaining="remaining_fen",
)
_OWN_INVOICE = Projection(
    "invoice_no day member kind status corrects replaces reason made_at hash",
    net="net_fen",
    tax="tax_fen",
    total="total_fen",
    remaining="remaining_fen",
)
BUYER = Projection("profile_no member title tax_number kind period from_day by at")
BULLETIN = Projection("bulletin_no day made_at hash")
BENCHMARK = Projection("day form method trades inputs", price="price", quantity="quantity_mg", amount="amount_fen")


class AnswerRequest(Strict):
    answer: str


class BuyerRequest(Strict):
    member: str
    title: str
    tax_number: str = ""
    kind: Annotated[str, OneOf(INVOICE_KINDS)] = "ORDINARY"
    period: Annotated[str, OneOf(INVOICE_PERIODS)] = "MONTH"


class PartRequest(Strict):
    line: int
    amount: str | None = None


class InvoiceCorrectionRequest(Strict):
    reason: str
    again: bool = False
    parts: tuple[PartRequest, ...] = ()


class ObjectionRequest(Strict):
    objection: str


def attached(name: str, kind: str, data: bytes) -> Response:
    """Return a file as an answer."""
    headers = {"Content-Disposition": f"attachment; filename={name}.{kind}"}
    return Response(data, 200, headers, MEDIA[kind])


def _content(found: statements.AccountStatement) -> dict[str, Any]:
    about = {"statement": found.number, "status": found.status, "sha256": found.hash.hex()}
    return {**about, "content": found.content}


async def _file(found: statements.AccountStatement, kind: str, language: Language) -> Response:
    data = await PAPERS.written(lambda: statement_paper.write(found, kind, language))
    return attached(f"statement-{found.number}", kind, data)


async def _invoice_file(found: invoices.Invoice, kind: str, language: Language) -> Response:
    data = await PAPERS.written(lambda: invoice_paper.write(found, kind, language))
    return attached(f"invoice-{found.number}", kind, data)


@router.get("/account-statements")
async def get_statements(
    _: Reader,
    connection: Transaction,
    page: ThePage,
    day: DayOrNone = None,
    member: str | None = None,
    account: str | None = None,
    status: str | None = None,
) -> dict[str, Any]:
    """List statements of account, oldest first, with their states, objections and answers."""
    of_day = None if day is None else parse_day("day", day)
    wanted = {"member": member, "account": account, "status": status}
    found = await statements.listing(connection, page, day=of_day, **wanted)
    return listed("statements", STATEMENT, found)


@router.get("/account-statements/{number}")
async def get_statement(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return a statement's content with its SHA-256; money in fen, gold in milligrams."""
    return _content(await statements.find(connection, number))


@router.get("/account-statements/{number}/file", response_class=Response, responses=_FILE)
async def get_statement_file(
    _: Reader, connection: Transaction, number: Number, kind: Kind = "pdf", language: TheLanguage = "zh"
) -> Response:
    """Return a statement as PDF or XLSX, or its content as the SHA-256 is of it."""
    return await _file(await statements.find(connection, number), kind, language)


@router.post("/account-statements/{number}/answer")
async def answer(by: Clerk, connection: Transaction, number: Number, request: AnswerRequest) -> dict[str, str]:
    """Answer a member's objection; the statement waits again until `due_day`."""
    due = await statements.answer(connection, by, number, request.answer)
    return {"status": ACCOUNT_STATEMENT.steps["answer"].after, "due_day": due.isoformat()}


async def _invoice(connection: AsyncConnection, found: invoices.Invoice) -> dict[str, Any]:
    left = [format_money(one.remaining_fen) for one in await red_invoices.lines_left(connection, found)]
    about = {"invoice": found.number, "status": found.status, "remaining": left, "sha256": found.hash.hex()}
    return {**about, "content": found.content}


@router.get("/invoices")
async def get_invoices(
    _: Reader, connection: Transaction, page: ThePage, member: str | None = None, status: str | None = None
) -> dict[str, Any]:
    """List invoices of fees by number, red ones too."""
    return listed("invoices", INVOICE, await invoices.listing(connection, page, member=member, status=status))


@router.get("/invoices/{number}")
async def get_invoice(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return an invoice's content with its SHA-256, and what red invoices have left of each of its lines."""
    return await _invoice(connection, await invoices.find(connection, number))


@router.get("/invoices/{number}/file", response_class=Response, responses=_FILE)
async def get_invoice_file(
    _: Reader, connection: Transaction, number: Number, kind: Kind = "pdf", language: TheLanguage = "zh"
) -> Response:
    """Return an invoice as PDF or XLSX, or its content as the SHA-256 is of it."""
    return await _invoice_file(await invoices.find(connection, number), kind, language)


@router.post("/invoices/{number}/correct")
async def propose_correction(
    by: Clerk, connection: Transaction, number: Number, request: InvoiceCorrectionRequest
) -> dict[str, str]:
    """Propose to cancel an invoice out, and to issue it again if `again` is true; another person approves.

    With `parts` only these lines of it are taken back, each with all that is left of it or an `amount` in CNY with tax.
    The member reads the reason once that is done.
    """
    parts = [invoice_parts.parse(part.line, part.amount) for part in request.parts]
    await red_invoices.propose(connection, by, number, request.reason, again=request.again, parts=parts)
    return {"status": CORRECTION_PROPOSED}


@router.post("/invoices/{number}/approve-correction")
async def approve_correction(by: Clerk, connection: Transaction, number: Number) -> dict[str, Any]:
    """Cancel an invoice, or a part, out; `invoices` are the red one and, if it is issued again, the new one.

    `status` is `ISSUED` if something is left of the invoice.
    """
    made = await red_invoices.approve(connection, by, number)
    return {"status": (await invoices.find(connection, number)).status, "invoices": made}


@router.post("/invoices/{number}/decline-correction")
async def decline_correction(by: Clerk, connection: Transaction, number: Number) -> dict[str, str]:
    """Let an invoice stand as it is."""
    await red_invoices.decline(connection, by, number)
    return {"status": INVOICE_MACHINE.steps["decline_correction"].after}


def own_invoice(row: Any) -> dict[str, Any]:
    """Return what a member sees of its invoice: a correction once it is made, and not who works on one."""
    shown = _OWN_INVOICE(row)
    if row.status != CORRECTION_PROPOSED:
        return shown
    return {**shown, "status": seen_by_member(row.status), "reason": None}


@router.get("/tax-profiles")
async def get_tax_profiles(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the buyers that members' invoices name, oldest first."""
    return listed("tax_profiles", BUYER, await tax_profiles.listing(connection, page))


@router.post("/tax-profiles")
async def add_tax_profile(by: Clerk, connection: Transaction, request: BuyerRequest) -> dict[str, str]:
    """Record the buyer that a member's invoices name from the present trading day on."""
    buyer = Buyer(request.title, request.tax_number, request.kind, request.period)
    return {"from_day": (await tax_profiles.add(connection, by, request.member, buyer)).isoformat()}


@members.get("/invoices")
async def get_own_invoices(who: TheMember, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the invoices of the key's member by number."""
    return listed("invoices", own_invoice, await invoices.listing(connection, page, member=who.member))


@members.get("/invoices/{number}")
async def get_own_invoice(who: TheMember, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return the content of one of the member's invoices with its SHA-256."""
    found = await invoices.find(connection, number, who.member)
    return await _invoice(connection, found._replace(status=seen_by_member(found.status)))


@members.get("/invoices/{number}/file", response_class=Response, responses=_FILE)
async def get_own_invoice_file(
    who: TheMember, connection: Transaction, number: Number, kind: Kind = "pdf", language: TheLanguage = "zh"
) -> Response:
    """Return one of the member's invoices as PDF or XLSX, or its content as the SHA-256 is of it."""
    return await _invoice_file(await invoices.find(connection, number, who.member), kind, language)


@members.get("/statements")
async def get_own_statements(
    who: TheMember,
    connection: Transaction,
    page: ThePage,
    day: DayOrNone = None,
    account: str | None = None,
    status: str | None = None,
) -> dict[str, Any]:
    """List the statements of the key's member, oldest first."""
    of_day = None if day is None else parse_day("day", day)
    wanted = {"account": account, "status": status}
    found = await statements.listing(connection, page, member=who.member, day=of_day, **wanted)
    return listed("statements", STATEMENT, found)


@members.get("/statements/{number}")
async def get_own_statement(who: TheMember, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return the content of one of the member's statements with its SHA-256; money in fen, gold in milligrams."""
    return _content(await statements.find(connection, number, who.member))


@members.get("/statements/{number}/file", response_class=Response, responses=_FILE)
async def get_own_statement_file(
    who: TheMember, connection: Transaction, number: Number, kind: Kind = "pdf", language: TheLanguage = "zh"
) -> Response:
    """Return one of the member's statements as PDF or XLSX, or its content as the SHA-256 is of it."""
    return await _file(await statements.find(connection, number, who.member), kind, language)


@members.post("/statements/{number}/confirm")
async def confirm(who: TheMember, connection: Transaction, number: Number) -> dict[str, Any]:
    """Confirm a statement; the member's own confirms those of its accounts of that day that are open, too."""
    confirmed = await statements.confirm(connection, str(who.member), who.key_id, number)
    return {"status": ACCOUNT_STATEMENT.steps["confirm"].after, "statements": confirmed}


@members.post("/statements/{number}/object")
async def object_to(
    who: TheMember, connection: Transaction, number: Number, request: ObjectionRequest
) -> dict[str, str]:
    """Object to a statement; it is not accepted by the course of time until a clerk has answered."""
    await statements.object_to(connection, str(who.member), who.key_id, number, request.objection)
    return {"status": ACCOUNT_STATEMENT.steps["object"].after}


@benchmarks.get("")
async def get_benchmarks(
    connection: Transaction,
    page: ThePage,
    form: Annotated[str | None, Query(description="Only those of one form of gold", examples=["DORE"])] = None,
    since: Annotated[str | None, Query(description="The first trading day", examples=["2026-11-24"])] = None,
    until: Annotated[str | None, Query(description="The last trading day", examples=["2026-11-30"])] = None,
) -> dict[str, Any]:
    """List the venue's benchmarks of closed days by form, oldest first, each with what it was found from.

    ``inputs`` has what was traded by class and kind of trade, in milligrams and fen. Needs no token.
    """
    first, last = (
        None if text is None else parse_day(name, text) for name, text in (("since", since), ("until", until))
    )
    found = await benchmark_prices.listing(connection, page, form=form, since=first, until=last)
    return listed("benchmarks", BENCHMARK, found)


@public.get("")
async def get_bulletins(connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the days that have a bulletin, oldest first. Needs no token."""
    return listed("bulletins", BULLETIN, await bulletin.listing(connection, page))


@public.get("/{day}")
async def get_bulletin(connection: Transaction, day: str) -> dict[str, Any]:
    """Return a bulletin's content with its SHA-256; prices and money in fen, weights in milligrams. Needs no token."""
    found = await bulletin.find(connection, parse_day("day", day))
    return {"sha256": found.hash.hex(), "content": found.content}


@public.get("/{day}/file", response_class=Response, responses=_FILE)
async def get_bulletin_file(
    connection: Transaction,
    day: str,
    kind: Annotated[Literal["pdf", "xlsx", "csv", "json"], Query(alias="format")] = "pdf",
    language: TheLanguage = "zh",
    part: Annotated[str, OneOf(bulletin_paper.PARTS), Query(description="What a CSV holds")] = "instruments",
) -> Response:
    """Return a bulletin as PDF or XLSX, a part of it as CSV, or what its SHA-256 is of. Needs no token."""
    found = await bulletin.find(connection, parse_day("day", day))
    key = (found.day, found.hash, kind, language, part if kind == "csv" else None)
    data = await PAPERS.written(lambda: bulletin_paper.write(found, kind, language, part), key)
    return attached(f"bulletin-{found.day}", kind, data)
