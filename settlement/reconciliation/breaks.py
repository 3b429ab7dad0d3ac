"""Breaks: differences that a reconciliation finds, each with a number, an owner and an age until it is gone.

A run has a scope: the books, or one warehouse's statement. What a run finds again stays the break it was; what it does
not find again is corrected.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_amount, format_weight
from settlement.base import audit
from settlement.base.arithmetic import format_fineness
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.documents.reconciliation import CORRECTED
from settlement.tables.ledger import progress
from settlement.tables.reconciliation import NOT_CORRECTED, recon_break, recon_run

BOOKS: Final = "books"
"""Scope of the runs that compare ledger, receipts and engine."""
DAY_MS: Final = 86_400_000
AGEING: Final = (
    (5, "notice to the regulator"),
    (3, "risk"),
    (2, "head of operations"),
    (1, "its owner"),
    (0, "matching"),
)
"""The desk that has to deal with a break, by its age in days (domain sheet 8.4)."""


class Break(NamedTuple):
    """A difference between what one side says (``expected``) and what the other says (``found``).

    ``unit`` is ``amount`` (fen for CNY, fine mg for gold), ``gross_mg``, ``fineness_e5``, ``count``, or ``match`` where
    the two are no numbers and ``note`` tells them. ``lot_id`` is the lot that the break is about, if it is about one.
    ``subject`` and ``note`` are for people.
    """

    kind: str
    subject: str
    asset: str
    expected: int
    found: int
    unit: str = "amount"
    note: str = ""
    lot_id: int | None = None


def statement_scope(warehouse: str) -> str:
    """Return the scope of the runs that compare a warehouse's statement with the register."""
    return f"statement:{warehouse}"


def shown(unit: str, asset: str, number: int) -> str:
    """Return a figure of a break as people read it."""
    if unit == "amount":
        return format_amount(number, asset)
    if unit == "gross_mg":
        return f"{format_weight(number)} g gross"
    if unit == "fineness_e5":
        return f"{format_fineness(number)} per mille"
    return str(number) if unit == "count" else ("as in the register" if number else "otherwise")


def age(opened_at: int, now: int) -> tuple[int, str]:
    """Return the days since a break opened, and who has to deal with it by now. Both times in ms since the epoch."""
    days = max(now - opened_at, 0) // DAY_MS
    return days, next(who for least, who in AGEING if days >= least)


async def record_run(
    connection: AsyncConnection, by: str, scope: str, checked: int, breaks: Sequence[Break], sequence: int | None = None
) -> int:
    """Store a run and its breaks, correct those of the same scope that it did not find again; return its number.

    ``checked`` is how many figures were compared; ``sequence`` the event at which the books were read, by default the
    last one posted.
    """
    await audit.lock(connection)
    if sequence is None:
        sequence = int(await connection.scalar(select(func.coalesce(func.max(progress.c.sequence), 0))) or 0)
    counts = {"checked": checked, "breaks": len(breaks)}
    run = {"at": now_ms(), "sequence": sequence, "by": by, "scope": scope}
    added = insert(recon_run).values(**run, **counts).returning(recon_run.c.run_id)
    run_id = int((await connection.execute(added)).scalar_one())
    await _store(connection, by, run_id, scope, breaks)
    detail = {**counts, "at": sequence, "scope": scope}
    await audit.record(connection, audit.Act(by, "reconcile", f"recon_run:{run_id}", detail))
    return run_id


async def _store(connection: AsyncConnection, by: str, run_id: int, scope: str, breaks: Sequence[Break]) -> None:
    """Open new breaks with ``by`` as their owner, keep known ones open, and correct those that are gone."""
    now = now_ms()
    rows = [
        {
            **found._asdict(),
            "owner": by,
            "status": "OPEN",
            "opened_at": now,
            "first_run": run_id,
            "last_run": run_id,
            "scope": scope,
        }
        for found in breaks
    ]
    if rows:
        statement = upsert(recon_break)
        changing = ("expected", "found", "unit", "note", "lot_id", "last_run")
        again = statement.on_conflict_do_update(
            index_elements=["kind", "subject", "asset"],
            index_where=text(NOT_CORRECTED),
            set_={name: statement.excluded[name] for name in changing},
        )
        await connection.execute(again, rows)
    gone = update(recon_break).where(recon_break.c.status != CORRECTED, recon_break.c.last_run < run_id)
    gone = gone.where(recon_break.c.scope == scope)
    await connection.execute(gone.values(status=CORRECTED, closed_at=now))


async def open_breaks(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the breaks that are not corrected, oldest first."""
    query = select(recon_break).where(recon_break.c.status != CORRECTED)
    return await fetch(connection, query, (recon_break.c.break_id,), page)


async def explain(connection: AsyncConnection, by: str, break_id: int, owner: str, explanation: str) -> None:
    """Record who deals with a break and what is known of it. Raises BadValue if there is no such open break."""
    await audit.lock(connection)
    still_open = update(recon_break).where(recon_break.c.break_id == break_id, recon_break.c.status != CORRECTED)
    values = {"owner": owner, "explanation": explanation, "status": "EXPLAINED"}
    if (await connection.execute(still_open.values(values).returning(recon_break.c.break_id))).first() is None:
        raise BadValue("break", break_id, "the number of a break that is not corrected")
    await audit.record(connection, audit.Act(by, "break.explain", f"break:{break_id}", values))
