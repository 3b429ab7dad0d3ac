"""Statements of warehouses, reports of depositories, and the files that were taken in, as they came."""

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Query, Response
from sqlalchemy import Row

from api.settlement_routes.access import PAGE, Clerk, File, Reader, TheReading, Transaction, new_router
from settlement.base.working_days import parse_day, today
from settlement.intake import files
from settlement.intake.bar_list import Reading
from settlement.reconciliation import depository_report, warehouse_statement
from settlement.workbooks import sheets

router = new_router()


def _lines(data: bytes, reading: Reading) -> list[warehouse_statement.StatementBar]:
    return warehouse_statement.read(sheets.read(data, reading.sheet), reading)


def _outcome(found: warehouse_statement.Outcome) -> dict[str, Any]:
    return {**found._asdict(), "breaks": [difference._asdict() for difference in found.breaks]}


@router.post("/statements/{warehouse}/preview")
async def preview_statement(
    _: Reader, connection: Transaction, warehouse: str, file: File, reading: TheReading
) -> dict[str, Any]:
    """Where a warehouse's statement of its bars differs from the register; changes nothing."""
    lines = await asyncio.to_thread(_lines, file, reading)
    return _outcome(await warehouse_statement.compare(connection, warehouse, lines))


@router.post("/statements/{warehouse}")
async def take_statement(
    by: Clerk,
    connection: Transaction,
    warehouse: str,
    file: File,
    reading: TheReading,
    name: str = "upload",
    day: Annotated[str | None, Query(description="Default: today", examples=["2026-11-24"])] = None,
) -> dict[str, Any]:
    """Holds a warehouse's statement against the register: differences become breaks, the file is kept."""
    lines = await asyncio.to_thread(_lines, file, reading)
    date = today() if day is None else parse_day("day", day)
    return _outcome(await warehouse_statement.take_in(connection, by, warehouse, date, name, file, lines))


@router.post("/depository-reports")
async def take_report(
    by: Clerk, connection: Transaction, file: File, sheet: str | None = None, name: str = "upload"
) -> dict[str, Any]:
    """Takes in a depository's report if every row and total holds; figures in thousandths of its unit."""
    report = depository_report.read(await asyncio.to_thread(sheets.read, file, sheet))
    number = await depository_report.keep(connection, by, name, file, report)
    stocks = [{**stock._asdict(), "figures": stock.figures._asdict()} for stock in report.stocks]
    return {"file": number, "about": report.about, "stocks": stocks, "total": report.total()._asdict()}


@router.get("/files")
async def get_files(
    _: Reader, connection: Transaction, after: int = 0, limit: Annotated[int, Query(ge=1, le=PAGE)] = 100
) -> dict[str, Any]:
    """Files that were taken in, by number."""
    return {"files": [_file(row) for row in await files.listing(connection, after, limit)]}


@router.get("/files/{number}/content", response_class=Response)
async def get_content(_: Reader, connection: Transaction, number: int) -> Response:
    """A file as it came."""
    row = await files.original(connection, number)
    disposition = f"attachment; filename*=UTF-8''{quote(row.name, safe='')}"
    return Response(bytes(row.content), 200, {"Content-Disposition": disposition}, "application/octet-stream")


def _file(row: Row[Any]) -> dict[str, Any]:
    names = ("file_no", "kind", "about", "name", "rows", "result", "taken_at", "taken_by")
    return {**{name: getattr(row, name) for name in names}, "sha256": row.sha256.hex()}
