"""Inventory counts of warehouses."""

import json
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import Field

from api.listing import ThePage, listed
from api.settlement_routes.access import (
    Clerk,
    File,
    LotNumber,
    Number,
    Reader,
    ReasonRequest,
    Strict,
    TheStated,
    Transaction,
    new_router,
)
from api.settlement_routes.papers import PAPERS
from api.settlement_routes.rows import DIFFERENCE, Projection
from settlement.base.paging import LARGEST_NUMBER
from settlement.base.working_days import parse_day
from settlement.documents.counts import INVENTORY_COUNT
from settlement.intake.bar_rows import BarKey
from settlement.lots import scales
from settlement.reconciliation import (
    count_cancels,
    count_files,
    count_paper,
    count_results,
    count_sessions,
    counting,
    last_counts,
)
from settlement.reconciliation.count_results import CountResult
from settlement.reconciliation.count_sessions import CountExtent
from settlement.workbooks import sheets

router = new_router()

COUNT = Projection(
    "count_no warehouse status extent lots sample seed first_counter second_counter supervisor "
    "why reason opened_at closed_at run_id"
)
CLOSED = Projection("count_no run_id bars found")
BAR = Projection("line lot_id refiner serial year")
LAST = Projection("lot_id refiner serial year warehouse count_no counted_at found")
SIGNATURE = Projection("round counter at")
_PDF = "application/pdf"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class CountRequest(Strict):
    warehouse: str
    counters: list[str] = Field(description="The codes of the two who count")
    reason: str
    lots: list[LotNumber] = Field(default=[], description="Count these lots alone")
    sample: int | None = Field(default=None, description="Count so many lots, drawn by the seed")
    seed: str | None = None


class BarRequest(Strict):
    refiner: str
    serial: str
    year: int = 0
    found: bool = True
    gross: str | None = Field(default=None, description="Grams, where it was weighed")
    seal: str | None = None
    condition: str = ""


def _file(content: bytes, name: str, media_type: str) -> Response:
    return Response(content, 200, {"Content-Disposition": f'attachment; filename="{name}"'}, media_type)


@router.get("/counts")
async def get_counts(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List counts by number, each with the number of bars on its list."""
    rows = await count_sessions.listing(connection, page)
    return listed("counts", lambda row: {**COUNT(row), "bars": row.bars}, rows)


@router.post("/counts")
async def propose_count(by: Clerk, connection: Transaction, request: CountRequest) -> dict[str, int]:
    """Propose a count of a warehouse; another person's approval opens it and freezes custody."""
    extent = CountExtent(request.lots, request.sample, request.seed)
    about = (request.warehouse, request.counters, request.reason)
    return {"proposal": await count_sessions.propose(connection, by, *about, extent)}


@router.get("/counts/{number}")
async def get_count(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return a count with the signatures of its counters and, once it is closed, its record."""
    row = await count_sessions.find(connection, number)
    signed = [SIGNATURE(one) for one in await counting.signatures(connection, number)]
    record = None
    if row.status == INVENTORY_COUNT.steps["close"].after:
        found = await count_sessions.record_of(connection, number)
        record = {"sha256": found.hash.hex(), "content": json.loads(found.content)}
    return {**COUNT(row), "signatures": signed, "record": record}


@router.get("/count-bars")
async def get_bars(
    _: Reader,
    connection: Transaction,
    page: ThePage,
    count: Annotated[int, Query(ge=1, le=LARGEST_NUMBER, description="The number of the count")],
) -> dict[str, Any]:
    """List the bars that are to be counted in the present round of a count, without weights and seals."""
    return listed("bars", BAR, await count_sessions.lines(connection, count, page))


@router.get("/last-counts")
async def get_last_counts(
    _: Reader,
    connection: Transaction,
    page: ThePage,
    warehouse: str | None = None,
    not_since: Annotated[str | None, Query(description="Only bars not counted on that day or since")] = None,
) -> dict[str, Any]:
    """List the bars that should be in warehouses, with the newest closed count that had each on its list."""
    day = None if not_since is None else parse_day("not_since", not_since)
    found = await last_counts.listing(connection, page, warehouse=warehouse, before=day)
    return listed("bars", LAST, found)


@router.get("/counts/{number}/list", response_class=Response)
async def get_list(
    _: Reader,
    connection: Transaction,
    number: Number,
    kind: Annotated[Literal["pdf", "xlsx"], Query(alias="format")] = "pdf",
) -> Response:
    """Return the blind list of an open count as PDF or XLSX."""
    row, bars = await count_sessions.opened(connection, number)
    if kind == "xlsx":
        return _file(await PAPERS.written(lambda: count_files.blank_list(row, bars)), f"count-{number}.xlsx", _XLSX)
    return _file(await PAPERS.written(lambda: count_paper.blank_list(row, bars)), f"count-{number}.pdf", _PDF)


@router.post("/counts/{number}/results")
async def enter(by: Clerk, connection: Transaction, number: Number, request: list[BarRequest]) -> dict[str, int]:
    """Enter bars as one of the counters; a later entry about a bar takes the place of an earlier one."""
    results = []
    for bar in request:
        gross = None if bar.gross is None else scales.parse_shown_weight("gross", bar.gross).cg
        results.append(
            CountResult(BarKey(bar.refiner, bar.serial, bar.year), bar.found, gross, bar.seal, bar.condition)
        )
    return {"bars": await count_results.enter(connection, by, number, results)}


@router.post("/counts/{number}/files")
async def take_file(
    by: Clerk, connection: Transaction, number: Number, file: File, stated: TheStated, name: str = "upload"
) -> dict[str, int]:
    """Enter a filled-in list, or numbers that a scanner has read, as one of the counters."""
    table = await sheets.read_async(file, stated)
    return {"bars": await count_files.take_in(connection, by, number, name, file, table)}


@router.post("/counts/{number}/sign")
async def sign(by: Clerk, connection: Transaction, number: Number) -> dict[str, int]:
    """Sign what one has entered in the present round."""
    await count_results.sign(connection, by, number)
    return {"count": number}


@router.post("/counts/{number}/recount")
async def recount(by: Clerk, connection: Transaction, number: Number) -> dict[str, int]:
    """Let the bars that differ be counted again, once both counters have signed."""
    return {"count": number, "bars": await counting.recount(connection, by, number)}


@router.post("/counts/{number}/close")
async def close(by: Clerk, connection: Transaction, number: Number) -> dict[str, Any]:
    """Close a count as its supervisor, who has not counted; differences become breaks."""
    found = await counting.close(connection, by, number)
    return {**CLOSED(found), "breaks": list(map(DIFFERENCE, found.breaks))}


@router.post("/counts/{number}/cancel")
async def cancel(by: Clerk, connection: Transaction, number: Number, request: ReasonRequest) -> dict[str, Any]:
    """End a count without a record; what counters have signed as missing or different becomes breaks."""
    found = await count_cancels.cancel(connection, by, number, request.reason)
    return {"count": number, "breaks": list(map(DIFFERENCE, found))}


@router.get("/counts/{number}/report", response_class=Response)
async def get_report(_: Reader, connection: Transaction, number: Number) -> Response:
    """Return the signed report of a closed count as PDF."""
    record = await count_sessions.record_of(connection, number)
    content = await PAPERS.written(lambda: count_paper.report(record.content, bytes(record.hash)))
    return _file(content, f"count-{number}-report.pdf", _PDF)
