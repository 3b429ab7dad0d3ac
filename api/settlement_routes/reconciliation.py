"""The reconciliation, statements and keys of warehouses, and reports of depositories."""

import asyncio
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import Field

from api.dependencies import TheGateway
from api.listing import ThePage, listed
from api.settlement_routes.access import (
    Clerk,
    File,
    Number,
    Reader,
    ReasonRequest,
    Strict,
    TheDay,
    TheReading,
    TheStated,
    Transaction,
    new_router,
    read_as,
)
from api.settlement_routes.rows import DIFFERENCE, Projection
from goldx.client.keys import fingerprint, parse_signature
from settlement.reconciliation import (
    depository_files,
    depository_report,
    statement_file,
    three_way,
    warehouse_keys,
    warehouse_statement,
)
from settlement.workbooks import sheets

router = new_router()

RUN = Projection("run_id sequence checked")
COMPARED = Projection("run_id bars lots gross_cg lots_gross_cg second signed_by")
STOCK = Projection("line depository category")
FIGURES = Projection("previous received withdrawn net adjustment total")
KEY = Projection("key_no warehouse status reason end_reason")


class WarehouseKeyRequest(Strict):
    warehouse: str
    public_key: str = Field(description="The public half of an Ed25519 key in PEM")
    reason: str


@router.post("/reconciliations")
async def reconcile(by: Reader, gateway: TheGateway, _: Transaction) -> dict[str, Any]:
    """Compare ledger, warehouse and engine at one sequence; amounts in fen and fine milligrams."""
    report = await three_way.reconcile(gateway.database, by)
    return {**RUN(report), "breaks": list(map(DIFFERENCE, report.breaks))}


def _signature(
    signature: Annotated[
        str | None, Query(description="Signature of the file by the warehouse's key: 128 hexadecimal digits")
    ] = None,
) -> bytes | None:
    return None if signature is None else parse_signature(signature.encode())


TheSignature = Annotated[bytes | None, Depends(_signature)]


def _outcome(found: warehouse_statement.StatementComparison) -> dict[str, Any]:
    return {**COMPARED(found), "breaks": list(map(DIFFERENCE, found.breaks))}


def _report(found: depository_report.DepositoryReport) -> dict[str, Any]:
    stocks = [{**STOCK(stock), "figures": FIGURES(stock.figures)} for stock in found.stocks]
    return {"about": found.about, "stocks": stocks, "total": FIGURES(found.total())}


@router.post("/statements/{warehouse}/preview")
async def preview_statement(
    by: Reader,
    connection: Transaction,
    warehouse: str,
    day: TheDay,
    file: File,
    reading: TheReading,
    signature: TheSignature,
    name: str = "upload",
) -> dict[str, Any]:
    """Return what taking a warehouse's statement in would come to, and how it was read; changes nothing."""
    table = await sheets.read_async(file, reading.stated)
    bars = await asyncio.to_thread(statement_file.read, table, reading)
    outcome = await warehouse_statement.preview(connection, by, warehouse, day, name, file, bars, signature)
    as_read = await asyncio.to_thread(lambda: statement_file.laid_out(table, reading).as_read())
    return {**_outcome(outcome), "as_read": read_as(as_read)}


@router.post("/statements/{warehouse}")
async def take_statement(
    by: Clerk,
    connection: Transaction,
    warehouse: str,
    day: TheDay,
    file: File,
    reading: TheReading,
    signature: TheSignature,
    name: str = "upload",
) -> dict[str, Any]:
    """Compare a warehouse's statement of a day with the register; differences become breaks, and the file is kept.

    Breaks that it does not show end when the warehouse has signed it (``signed_by``: its key), or when a second person
    takes in the same file for the same day (``second``).
    """
    table = await sheets.read_async(file, reading.stated)
    bars = await asyncio.to_thread(statement_file.read, table, reading)
    return _outcome(await warehouse_statement.take_in(connection, by, warehouse, day, name, file, bars, signature))


@router.get("/warehouse-keys")
async def get_keys(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the keys with which warehouses sign their statements, by number, including ended and declined ones."""

    def shown(row: Any) -> dict[str, Any]:
        return {**KEY(row), "fingerprint": fingerprint(row.public_key)}

    return listed("keys", shown, await warehouse_keys.listing(connection, page))


@router.post("/warehouse-keys")
async def propose_key(by: Clerk, connection: Transaction, request: WarehouseKeyRequest) -> dict[str, int]:
    """Propose a key with which a warehouse signs its statements."""
    about = (request.warehouse, request.public_key, request.reason)
    return {"proposal": await warehouse_keys.propose(connection, by, *about)}


@router.post("/warehouse-keys/{number}/end")
async def end_key(by: Clerk, connection: Transaction, number: Number, request: ReasonRequest) -> dict[str, int]:
    """End a key: statements that it signs are no longer accepted."""
    await warehouse_keys.end(connection, by, number, request.reason)
    return {"key": number}


@router.post("/depository-reports/preview")
async def preview_report(
    by: Reader, connection: Transaction, file: File, stated: TheStated, name: str = "upload"
) -> dict[str, Any]:
    """Return what taking a depository's report in would come to, and how it was read; changes nothing."""
    report, as_read = await depository_files.read_async(file, stated)
    await depository_files.preview(connection, by, name, file, report)
    return {**_report(report), "as_read": read_as(as_read)}


@router.post("/depository-reports")
async def take_report(
    by: Clerk, connection: Transaction, file: File, stated: TheStated, name: str = "upload"
) -> dict[str, Any]:
    """Take in a depository's report if every row and total holds; figures in thousandths of its unit."""
    report, _ = await depository_files.read_async(file, stated)
    return {"file": await depository_files.keep(connection, by, name, file, report), **_report(report)}
