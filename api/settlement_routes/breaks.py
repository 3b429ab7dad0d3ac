"""Breaks, what is done about them, and the limits of their age and value."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Body, Query, Response

from api.listing import ThePage, listed
from api.settlement_routes.access import (
    Clerk,
    Number,
    OneOf,
    Operator,
    Reader,
    ReasonRequest,
    Strict,
    Transaction,
    new_router,
)
from api.settlement_routes.rows import Projection
from settlement.reconciliation import break_limits, break_listing, break_work, resolutions
from settlement.reconciliation.break_listing import ListedBreak

router = new_router()

BREAK = Projection(
    "break_id kind subject asset expected found unit note lot_id account cash_id scope owner status "
    "explanation opened_at closed_at first_run last_run"
)
STEP = Projection("step_no step text document at by")
FILE = Projection("file_no name kind sha256 size at by")
LIMIT = Projection("area name value reason by at")

Attached = Annotated[
    bytes, Body(media_type="application/octet-stream", description="PDF, PNG, JPEG, XLSX, CSV or text, up to 5 MiB")
]


class OwnerRequest(Strict):
    owner: str
    reason: str


class BreakExplanationRequest(Strict):
    owner: str
    explanation: str


class NoteRequest(Strict):
    text: str


class ResolutionRequest(Strict):
    resolution: Annotated[str, OneOf(resolutions.RESOLUTIONS)]
    document: int
    reason: str


class BreakLimitRequest(Strict):
    area: str
    name: str
    value: int
    reason: str


def _listed(found: ListedBreak) -> dict[str, Any]:
    more = {"area": found.area, "value_fen": found.value_fen, "past_limit": found.past_limit}
    return {**BREAK(found.row), "days": found.row.days, "whose": found.desk, **more}


@router.get("/breaks")
async def get_breaks(
    _: Reader,
    connection: Transaction,
    page: ThePage,
    past_limit: Annotated[bool, Query(description="Only those that stop the next day from opening")] = False,
) -> dict[str, Any]:
    """List breaks that are not corrected, oldest first, with value, age in working days and who is responsible."""
    return listed("breaks", _listed, await break_listing.listing(connection, page, past_limit=past_limit))


@router.get("/breaks/{number}")
async def get_break(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return a break in any state, with all that was done about it and its files."""
    found = await break_listing.show(connection, number)
    steps, files = await break_work.steps(connection, number), await break_work.files(connection, number)
    return {**_listed(found), "steps": list(map(STEP, steps)), "files": list(map(FILE, files))}


@router.post("/breaks/{number}/explain")
async def explain(
    by: Clerk, connection: Transaction, number: Number, request: BreakExplanationRequest
) -> dict[str, int]:
    """Record which of the staff deals with a break and what is known of it."""
    await break_work.explain(connection, by, number, request.owner, request.explanation)
    return {"break": number}


@router.post("/breaks/{number}/assign")
async def assign(by: Clerk, connection: Transaction, number: Number, request: OwnerRequest) -> dict[str, int]:
    """Give a break another owner, one of the staff."""
    await break_work.assign(connection, by, number, request.owner, request.reason)
    return {"break": number}


@router.post("/breaks/{number}/notes")
async def note(by: Clerk, connection: Transaction, number: Number, request: NoteRequest) -> dict[str, int]:
    """Note something about a break."""
    await break_work.note(connection, by, number, request.text)
    return {"break": number}


@router.post("/breaks/{number}/files")
async def attach(
    by: Clerk, connection: Transaction, number: Number, file: Attached, name: Annotated[str, Query()]
) -> dict[str, int]:
    """Keep a file with a break; ``name`` ends with its kind."""
    return {"break": number, "file": await break_work.attach(connection, by, number, name, file)}


@router.get("/breaks/{number}/files/{file_no}", response_class=Response)
async def get_file(_: Reader, connection: Transaction, number: Number, file_no: Number) -> Response:
    """Return a file of a break as it came."""
    row = await break_work.content(connection, number, file_no)
    disposition = f"attachment; filename*=UTF-8''{quote(row.name, safe='')}"
    return Response(bytes(row.content), 200, {"Content-Disposition": disposition}, "application/octet-stream")


@router.post("/breaks/{number}/resolve")
async def resolve(by: Clerk, connection: Transaction, number: Number, request: ResolutionRequest) -> dict[str, int]:
    """Record what has ended a break: the proposal of a correction or of a weight, or an assay."""
    about = (request.resolution, request.document, request.reason)
    await resolutions.resolve(connection, by, number, *about)
    return {"break": number}


@router.post("/breaks/{number}/write-off")
async def write_off(by: Clerk, connection: Transaction, number: Number, request: ReasonRequest) -> dict[str, int]:
    """Propose to leave a break as it is; its value may not be above the limit of its area."""
    return {"proposal": await resolutions.propose_write_off(connection, by, number, request.reason)}


@router.get("/break-limits")
async def get_limits(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the limits of each area of breaks: working days, for WRITE_OFF fen."""
    return listed("limits", LIMIT, await break_limits.listing(connection, page))


@router.post("/break-limits")
async def set_limit(by: Operator, connection: Transaction, request: BreakLimitRequest) -> dict[str, Any]:
    """Change a limit of an area of breaks from now on."""
    about = (request.area, request.name, request.value)
    await break_limits.change(connection, by, *about, request.reason)
    return {"area": request.area, "name": request.name, "value": request.value}
