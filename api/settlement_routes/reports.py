"""Reports, and files that are written: bar lists, count lists, stock reports and statements of accounts."""

from typing import Annotated, Any, Literal

from fastapi import Query, Response

from api.listing import ThePage, listed
from api.settlement_routes.access import Gone, OneOf, Reader, TheDay, Transaction, new_router
from api.settlement_routes.rows import Projection
from settlement.base.working_days import parse_day
from settlement.lots import lots
from settlement.reports import account_statement, bar_export, stock_report

router = new_router()

STOCK = Projection(" ".join(stock_report.StockLine._fields))
Kind = Annotated[Literal["csv", "xlsx"], Query(alias="format")]
_MEDIA = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {media: {} for media in _MEDIA.values()}}
}


def _file(name: str, kind: str, data: bytes) -> Response:
    headers = {"Content-Disposition": f"attachment; filename={name}.{kind}"}
    return Response(data, 200, headers, _MEDIA[kind])


@router.get("/exports/bars", response_class=Response, responses=_FILE)
async def export_bars(
    _: Reader,
    connection: Transaction,
    kind: Kind = "csv",
    layout: Annotated[str, OneOf(bar_export.LAYOUTS)] = "declared",
    state: str | None = None,
    symbol: str | None = None,
    account: str | None = None,
    warehouse: str | None = None,
    gone: Gone = False,
) -> Response:
    """Return lots as a bar list, which can be taken in again."""
    search = lots.Search(state, symbol, account, warehouse, gone=gone)
    return _file("bars", kind, await bar_export.export(connection, search, layout, kind))


@router.get("/exports/counts/{warehouse}", response_class=Response, responses=_FILE)
async def export_count(_: Reader, connection: Transaction, warehouse: str, kind: Kind = "csv") -> Response:
    """Return the list that a warehouse counts by, in the columns of its statement."""
    return _file("count", kind, await bar_export.count_list(connection, warehouse, kind))


@router.get("/stock")
async def get_stock(_: Reader, connection: Transaction, day: TheDay, page: ThePage) -> dict[str, Any]:
    """List the stock per vault, form and customs status at a day's end, today until now; milligrams."""
    return listed("stock", STOCK, await stock_report.listing(connection, day, page), day=day)


@router.get("/exports/stock", response_class=Response, responses=_FILE)
async def export_stock(_: Reader, connection: Transaction, day: TheDay, kind: Kind = "csv") -> Response:
    """Return the stock report as a file."""
    return _file("stock", kind, await stock_report.export(connection, day, kind))


@router.get("/exports/accounts/{account}", response_class=Response, responses=_FILE)
async def export_account(
    _: Reader,
    connection: Transaction,
    account: str,
    first: Annotated[str, Query(alias="from", examples=["2026-11-01"])],
    last: Annotated[str, Query(alias="to", examples=["2026-11-30"])],
    kind: Kind = "csv",
) -> Response:
    """Return the ledger's postings of an account with the balance after each."""
    days = (parse_day("from", first), parse_day("to", last))
    return _file("account", kind, await account_statement.export(connection, account, *days, kind))
