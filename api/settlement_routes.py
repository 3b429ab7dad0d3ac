"""REST for settlement: what ``goldx clerk`` does, under ``/v1/settlement``, in the name of whoever signed the token.

``settle`` acts, ``settle`` or ``supervise`` reads; how far settlement is may be seen by all staff.
"""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.problems import Problem, problem
from api.rest import TheGateway, ThePrincipal
from api.rpc import Refusal
from goldx.units import format_amount, format_price, format_weight, parse_money, parse_weight
from settlement import bar_list, cash, intake, load_out, lots, movements, proposals, receipts, recon, status
from settlement.arithmetic import format_cg, format_fineness
from settlement.bar_list import BadBarList
from settlement.refusal import Refused
from settlement.registry import Principal
from settlement.schema import audit_log, ledger_account

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text}
    for code, text in (
        (401, "no valid bearer token"),
        (403, "the key has not the permission"),
        (409, "refused in the present state; `reason` says why"),
        (422, "a value that is not allowed"),
        (503, "the database is away, nothing was changed"),
    )
}
router = APIRouter(prefix="/v1/settlement", tags=["settlement"], responses=_PROBLEMS)
PAGE = 1_000


def install(app: FastAPI) -> None:
    """Adds the routes, and how settlement's refusals look over REST."""
    app.include_router(router)

    @app.exception_handler(Refused)
    async def _refused(_: Request, error: Refused) -> JSONResponse:
        return problem(409, str(error), error.reason)

    @app.exception_handler(BadBarList)
    async def _bad_bar_list(_: Request, error: BadBarList) -> JSONResponse:
        rows = [found._asdict() for found in error.errors]
        return problem(422, f"{len(rows)} problems; nothing was taken in", "BAD_VALUE", errors=rows)


def _holding(*permissions: str) -> Callable[[Principal], str]:
    def check(principal: ThePrincipal) -> str:
        if principal.staff is None or not principal.permissions & frozenset(permissions):
            needed = " or ".join(permissions)
            raise Refusal("NOT_PERMITTED", f"key {principal.key_id} has not the permission {needed}")
        return principal.staff

    return check


async def _transaction(gateway: TheGateway) -> AsyncIterator[AsyncConnection]:
    async with gateway.database.begin() as connection:
        yield connection


Clerk = Annotated[str, Depends(_holding("settle"))]
Reader = Annotated[str, Depends(_holding("settle", "supervise"))]
AnyStaff = Annotated[str, Depends(_holding("operate", "settle", "supervise"))]
# Ends before the response goes out: an answer 200 means committed.
Transaction = Annotated[AsyncConnection, Depends(_transaction, scope="function")]


class CashTransfer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    account: str
    amount: str = Field(description="CNY; negative takes money out", examples=["1000000.00"])
    bank_reference: str


class Warehouse(BaseModel):
    model_config = ConfigDict(extra="forbid")
    warehouse: str
    name: str
    city: str
    customs: str = "DOMESTIC"


class ReceiptIssue(BaseModel):
    model_config = ConfigDict(extra="forbid")
    lots: list[int] | None = Field(default=None, description="Default: every registered lot without a receipt")


class LoadOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    account: str
    symbol: str
    warehouse: str
    weight: str = Field(description="fine grams", examples=["300"])
    collector: str
    pickup_code: str = Field(description="6 to 12 digits")


class Release(BaseModel):
    model_config = ConfigDict(extra="forbid")
    pickup_code: str


@router.get("/status")
async def get_status(_: AnyStaff, gateway: TheGateway, connection: Transaction) -> dict[str, Any]:
    """How far settlement is: sequence posted and last published, trades in the ledger, what waits for the engine."""
    reached = await status.status(connection)
    return {**reached._asdict(), "last_sequence": await gateway.events.last_sequence()}


@router.get("/balances")
async def get_balances(_: Reader, connection: Transaction, account: str | None = None) -> dict[str, Any]:
    """The ledger's balances; the venue's own accounts have their kind as their name."""
    columns = ledger_account.c
    query = select(ledger_account).order_by(columns.kind, columns.name, columns.asset)
    rows = await connection.execute(query if account is None else query.where(columns.name == account))
    return {
        "balances": [
            {"kind": r.kind, "account": r.name, "asset": r.asset, "balance": format_amount(r.balance, r.asset)}
            for r in rows
        ]
    }


@router.get("/proposals")
async def get_proposals(_: Reader, connection: Transaction) -> dict[str, Any]:
    """What waits for a second person."""
    return {"proposals": [found._asdict() for found in await proposals.waiting(connection)]}


@router.post("/proposals/{number}/approve")
async def approve(by: Clerk, connection: Transaction, number: int) -> dict[str, Any]:
    """Approves another person's proposal; what it is about goes to the engine."""
    return (await movements.approve(connection, by, number))._asdict()


@router.post("/proposals/{number}/decline")
async def decline(by: Clerk, connection: Transaction, number: int) -> dict[str, Any]:
    """Ends a proposal without effect."""
    return (await movements.decline(connection, by, number))._asdict()


@router.post("/cash")
async def propose_cash(by: Clerk, connection: Transaction, transfer: CashTransfer) -> dict[str, int]:
    """Proposes money in or out by the escrow bank's reference."""
    amount = parse_money(transfer.amount)
    return {"proposal": await cash.propose(connection, by, transfer.account, amount, transfer.bank_reference)}


@router.post("/warehouses")
async def add_warehouse(by: Clerk, connection: Transaction, place: Warehouse) -> Warehouse:
    """Registers a delivery warehouse."""
    await lots.add_warehouse(connection, by, place.warehouse, place.name, place.city, place.customs)
    return place


@router.post("/bar-lists/declared")
async def import_bars(
    by: Clerk, connection: Transaction, file: Annotated[bytes, Body(media_type="text/csv")]
) -> dict[str, list[int]]:
    """Takes in the lots of a bar list (columns: docs/settlement.md): all or none."""
    return {"lots": await intake.receive(connection, by, bar_list.read_declared(file))}


@router.post("/bar-lists/measured")
async def process_bars(
    by: Clerk, connection: Transaction, file: Annotated[bytes, Body(media_type="text/csv")]
) -> dict[str, list[int]]:
    """Takes arrived lots to the register by their measured values: all or none."""
    return {"lots": await intake.process(connection, by, bar_list.read_measured(file))}


@router.get("/lots")
async def get_lots(
    _: Reader,
    connection: Transaction,
    state: str | None = None,
    symbol: str | None = None,
    after: int = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> dict[str, Any]:
    """Lots by number, a page of them after lot `after`."""
    found = await lots.listing(connection, state=state, symbol=symbol, after=after, limit=limit)
    return {"lots": [_lot(row) for row in found]}


@router.get("/lots/{number}")
async def get_lot(_: Reader, connection: Transaction, number: int) -> dict[str, Any]:
    """One lot with its custody history."""
    row = (await lots.find(connection, [number]))[number]
    names = ("step", "state", "at", "by", "warehouse", "detail")
    events = await lots.history(connection, number)
    return {**_lot(row), "history": [{name: getattr(event, name) for name in names} for event in events]}


@router.post("/receipts")
async def propose_receipts(by: Clerk, connection: Transaction, issue: ReceiptIssue) -> dict[str, int]:
    """Proposes receipts for registered lots."""
    chosen = issue.lots if issue.lots is not None else await receipts.issuable(connection)
    return {"proposal": await receipts.propose_issue(connection, by, chosen)}


@router.post("/load-outs")
async def apply_load_out(by: Clerk, connection: Transaction, wish: LoadOut) -> dict[str, int]:
    """Allocates lots and proposes the load-out."""
    ask = parse_weight(wish.weight, "weight")
    application = load_out.Application(wish.account, wish.symbol, wish.warehouse, ask, wish.collector, wish.pickup_code)
    return {"proposal": await load_out.apply(connection, by, application)}


@router.get("/load-outs/{number}")
async def get_load_out(_: Reader, connection: Transaction, number: int) -> dict[str, Any]:
    """A load-out sheet with its lots."""
    row = await load_out.sheet(connection, number)
    names = ("load_out_no", "account", "symbol", "warehouse", "price_source", "collector", "status", "reason")
    return {
        **{name: getattr(row, name) for name in names},
        **{"ask": format_weight(row.ask_mg), "allocated": format_weight(row.allocated_mg)},
        **{"price": format_price(row.price), "over_short": format_amount(row.over_short_fen, "CNY")},
        "lots": await load_out.lots_of(connection, [number]),
    }


@router.post("/load-outs/{number}/release")
async def release_load_out(by: Clerk, connection: Transaction, number: int, at_counter: Release) -> dict[str, Any]:
    """Hands the lots to the collector against the pick-up code."""
    return {"lots": await load_out.release(connection, by, number, at_counter.pickup_code)}


@router.post("/reconciliations")
async def reconcile(by: Reader, gateway: TheGateway) -> dict[str, Any]:
    """Compares ledger, warehouse and engine at one sequence; amounts in fen and fine milligrams."""
    report = await recon.reconcile(gateway.database, by)
    return {**report._asdict(), "breaks": [found._asdict() for found in report.breaks]}


@router.get("/breaks")
async def get_breaks(_: Reader, connection: Transaction) -> dict[str, Any]:
    """Breaks that are not corrected, oldest first."""
    return {"breaks": [dict(row._mapping) for row in await recon.open_breaks(connection)]}


@router.get("/audit")
async def get_audit(
    _: Reader, connection: Transaction, after: int = 0, limit: Annotated[int, Query(ge=1, le=PAGE)] = 100
) -> dict[str, Any]:
    """Entries of the audit log by number."""
    query = select(audit_log).where(audit_log.c.number > after).order_by(audit_log.c.number).limit(limit)
    names = ("number", "at", "actor", "action", "subject", "detail")
    rows = await connection.execute(query)
    return {"entries": [{**{name: getattr(r, name) for name in names}, "hash": r.hash.hex()} for r in rows]}


def _lot(row: Row[Any]) -> dict[str, Any]:
    names = ("lot_id", "refiner", "serial", "year", "symbol", "form", "account", "warehouse", "origin", "state")
    weights = {
        name: None if cg is None else format_cg(cg) for name, cg in (("gross", row.gross_cg), ("melt", row.melt_cg))
    }
    return {
        **{name: getattr(row, name) for name in names},
        **{"declared_gross": format_cg(row.declared_gross_cg), **weights},
        "declared_fineness_permille": format_fineness(row.declared_fineness_e5),
        "fineness_permille": None if row.fineness_e5 is None else format_fineness(row.fineness_e5),
        "fine": None if row.fine_mg is None else format_weight(row.fine_mg),
    }
