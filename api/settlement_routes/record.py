"""How far settlement is, the reconciliation and the audit log."""

from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import select

from api.dependencies import TheGateway
from api.settlement_routes.access import PAGE, AnyStaff, Reader, Transaction, new_router
from settlement.base.database import now_ms
from settlement.ledger import status
from settlement.reconciliation import three_way
from settlement.tables.base import audit_log

router = new_router()


@router.get("/status")
async def get_status(_: AnyStaff, gateway: TheGateway, connection: Transaction) -> dict[str, Any]:
    """How far settlement is: sequence posted and last published, trades in the ledger, what waits for the engine."""
    reached = await status.status(connection)
    return {**reached._asdict(), "last_sequence": await gateway.events.last_sequence()}


@router.post("/reconciliations")
async def reconcile(by: Reader, gateway: TheGateway) -> dict[str, Any]:
    """Compares ledger, warehouse and engine at one sequence; amounts in fen and fine milligrams."""
    report = await three_way.reconcile(gateway.database, by)
    return {**report._asdict(), "breaks": [found._asdict() for found in report.breaks]}


@router.get("/breaks")
async def get_breaks(_: Reader, connection: Transaction) -> dict[str, Any]:
    """Breaks that are not corrected, oldest first, with their age in days and whose they are by it."""
    now = now_ms()
    ages = ((row, three_way.age(row.opened_at, now)) for row in await three_way.open_breaks(connection))
    return {"breaks": [{**row._mapping, "days": days, "whose": whose} for row, (days, whose) in ages]}


@router.get("/audit")
async def get_audit(
    _: Reader, connection: Transaction, after: int = 0, limit: Annotated[int, Query(ge=1, le=PAGE)] = 100
) -> dict[str, Any]:
    """Entries of the audit log by number."""
    query = select(audit_log).where(audit_log.c.number > after).order_by(audit_log.c.number).limit(limit)
    names = ("number", "at", "actor", "action", "subject", "detail")
    rows = await connection.execute(query)
    return {"entries": [{**{name: getattr(r, name) for name in names}, "hash": r.hash.hex()} for r in rows]}
