"""Breaks: differences that a reconciliation finds, each with a number, an owner and an age until it is gone.

A run has a scope: the books, the bank, or one warehouse's statement. A break that a run finds again stays the same
break; one that it does not find again is corrected. A break is identified by its scope, kind, subject, asset and lot. A
break that is explained or written off is open again as soon as the difference is another one, or a larger one; a
resolved break is open again if it is found at all. Its age counts from the day on which it was first found.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Integer, Row, bindparam, func, insert, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_amount, format_weight
from settlement.base import audit
from settlement.base.arithmetic import format_fineness
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.units import unit_of
from settlement.base.working_days import today
from settlement.documents.reconciliation import BREAK, CORRECTED
from settlement.tables.ledger import progress
from settlement.tables.reconciliation import break_step, recon_break, recon_run

DAYS: Final = """
(SELECT count(*) FROM generate_series(
    (to_timestamp(recon_break.opened_at / 1000) AT TIME ZONE 'Asia/Shanghai')::date + 1, CAST(:today AS date), '1 day'
) AS later (at) LEFT JOIN calendar_day ON calendar_day.day = later.at::date
WHERE coalesce(calendar_day.working, extract(isodow FROM later.at) < 6))
"""
"""The age of a break: working days since the day in Shanghai on which it opened, up to today.

In a year whose holidays are not entered every Monday to Friday counts, so that breaks are not passed on too late.
"""


MOST_NAMED: Final = 1_000
"""The breaks that a run names of a comparison in which one cause, such as a wrong rate, makes a break of every row."""
FURTHER: Final = "further"
"""Unit of a break that stands for further ones of its kind, which a run has counted and not named.

``found`` is their number. The run ends no break of that kind: it may be one of these.
"""


class Break(NamedTuple):
    """A difference between what one side says (``expected``) and what the other says (``found``).

    ``unit`` is ``amount`` (fen for CNY, fine mg for gold), ``gross_mg``, ``fineness_e5``, ``count``, ``further`` (see
    ``FURTHER``), or ``match`` if the two are no numbers and ``note`` names them.

    ``subject`` is the break's identity within its kind: the same difference has the same subject in every run
    (``payment:7``, ``XM1 HX 417 2024``, the name of an account). It is compared as a whole, and nothing is read out of
    it. The ``note`` is for people alone: it may hold what a bank or a warehouse has written. What a break is about
    stands in fields: ``lot_id`` its lot; ``account`` its account, or that of the venue's ledger (``venue_account``);
    ``cash_id`` the document of the money, of several that were paid together the first; ``difference``, of a ``match``
    alone, what differs (``difference_of``): a break with another one is another break.
    """

    kind: str
    subject: str
    asset: str
    expected: int
    found: int
    unit: str = "amount"
    note: str = ""
    lot_id: int | None = None
    account: str | None = None
    cash_id: int | None = None
    difference: str | None = None

    def content(self) -> dict[str, str | int | None]:
        """Return the break as proofs and records of counts keep it, which are compared byte by byte with later ones.

        Left out are the fields that came later: ``account``, ``cash_id`` and ``difference``.
        """
        kept = ("kind", "subject", "asset", "expected", "found", "unit", "note", "lot_id")
        return {name: getattr(self, name) for name in kept}


def further(kind: str, what: str, rows: Sequence[Row[Any]]) -> list[Break]:
    """Return the break that stands for those which a query has left out, if there are any.

    Its rows are at most MOST_NAMED, each with their number without that limit as ``differing``. ``what`` names them.
    """
    left_out = rows[0].differing - len(rows) if rows else 0
    note = f"{left_out} more differ and are not named"
    return [Break(kind, f"further {what}", "", 0, left_out, FURTHER, note)] if left_out else []


def difference_of(*values: object) -> str:
    """Return as JSON what two sides that are no numbers differ in: the ids, figures and codes themselves, as text.

    A tuple or list is a list of such texts, None is null. No sentence belongs here: its wording could not be changed.
    """
    return json.dumps([_as_text(value) for value in values], ensure_ascii=False)


def _as_text(value: object) -> object:
    if isinstance(value, tuple | list):
        return [_as_text(one) for one in value]
    return None if value is None else str(value)


def venue_account(kind: str) -> str:
    """Return what names an account of the venue's own ledger, such as ``ledger:suspense``: no account has a colon."""
    return f"ledger:{kind}"


def statement_scope(warehouse: str) -> str:
    """Return the scope of the runs that compare a warehouse's statement with the register."""
    return f"statement:{warehouse}"


def count_scope(warehouse: str) -> str:
    """Return the scope of the runs that compare what was counted in a warehouse with the register."""
    return f"count:{warehouse}"


def unit_shown(unit: str, asset: str) -> str | None:
    """Return the unit of a break's figures as people read them; None where they are no quantities."""
    return {"amount": unit_of(asset), "gross_mg": "g", "fineness_e5": "permille"}.get(unit)


def shown(unit: str, asset: str, number: int) -> str:
    """Return a figure of a break as people read it, in the unit of ``unit_shown``."""
    if unit == "amount":
        return format_amount(number, asset)
    if unit == "gross_mg":
        return format_weight(number)
    if unit == "fineness_e5":
        return format_fineness(number)
    return str(number) if unit in ("count", FURTHER) else ("as in the register" if number else "otherwise")


def days_old(day: date | None = None) -> ColumnElement[int]:
    """Return the age in working days of a row of ``recon_break`` on a day, by default today, for a query."""
    at = (day or today()).isoformat()
    return literal_column(DAYS.replace(":today", f"'{at}'"), Integer).label("days")


async def record_run(
    connection: AsyncConnection,
    by: str,
    scope: str,
    checked: int,
    breaks: Sequence[Break],
    sequence: int | None = None,
    *,
    corrects: bool = True,
    only_lots: Sequence[int] | None = None,
    proved: int | None = None,
    last_step: int | None = None,
) -> int:
    """Store a run and its breaks, correct those of the same scope that it did not find again; return its number.

    ``checked`` is the number of figures compared; ``sequence`` the event at which the books were read, by default the
    last one posted. Without ``corrects``, breaks that were not found again stay open; with ``only_lots``, those about
    other lots and about none do. ``proved``: only what came after this sequence was compared; then all breaks that it
    did not find again stay as they are: they are written off, or were found by another run in the meantime.
    ``last_step``: the newest step in the work on breaks when the books were read, by default the newest one now. A
    break that was resolved after it is not opened again, as the difference may be gone since; the next run looks.
    """
    await audit.lock(connection)
    if sequence is None:
        sequence = int(await connection.scalar(select(func.coalesce(func.max(progress.c.sequence), 0))) or 0)
    counts = {"checked": checked, "breaks": len(breaks)}
    run = {"at": now_ms(), "sequence": sequence, "by": by, "scope": scope, "since": proved}
    added = insert(recon_run).values(**run, **counts).returning(recon_run.c.run_id)
    run_id = int((await connection.execute(added)).scalar_one())
    ends = corrects and proved is None
    reopened = await _store(connection, by, run_id, scope, breaks, ends, only_lots, last_step)
    detail = {**counts, "at": sequence, "scope": scope, **({"reopened": reopened} if reopened else {})}
    if proved is not None:
        detail["since"] = proved
    await audit.record(connection, audit.Act(by, "reconcile", f"recon_run:{run_id}", detail))
    return run_id


_Identity: TypeAlias = tuple[str, str, str, int | None]
_OPEN: Final = BREAK.steps["find"].after
_RESOLVED: Final = BREAK.steps["resolve"].after
_NEWEST: Final = ("expected", "found", "unit", "note", "lot_id", "account", "cash_id", "difference")
"""Columns that a run updates when it finds a break again."""


async def _store(
    connection: AsyncConnection,
    by: str,
    run_id: int,
    scope: str,
    breaks: Sequence[Break],
    ends: bool,
    only_lots: Sequence[int] | None,
    last_step: int | None,
) -> list[int]:
    """Open new breaks with ``by`` as their owner, keep known ones, and correct those that are gone.

    Those are gone that are not found again, if the run ``ends`` breaks, but for a kind of which it has not named all.
    Return the numbers of breaks that are open again.
    """
    now = now_ms()
    here = (recon_break.c.status != CORRECTED) & (recon_break.c.scope == scope)
    rows = await connection.execute(select(recon_break).where(here).order_by(recon_break.c.break_id))
    resolved_since = await resolved_after(connection, last_step)
    known: dict[_Identity, Row[Any]] = {(row.kind, row.subject, row.asset, row.lot_id): row for row in rows}
    opened, again, reopened = [], [], []
    for found in _numbered(breaks):
        # A break without a lot may name its lot from now on.
        names = ((found.kind, found.subject, found.asset, number) for number in (found.lot_id, None))
        row = next((known.pop(name) for name in names if name in known), None)
        values = {**found._asdict(), "last_run": run_id}
        if row is None:
            new = {"owner": by, "status": _OPEN, "opened_at": now, "first_run": run_id, "scope": scope}
            opened.append({**values, **new})
            continue
        if found.unit == FURTHER and not ends and found.found < row.found:
            # So many differ among what was compared; among all it is at least the number that is known.
            continue
        if row.status == _RESOLVED:
            reopens = row.break_id not in resolved_since
        else:
            reopens = row.status in BREAK.before("reopen") and _is_another(row, found)
        if reopens:
            reopened.append(int(row.break_id))
        newest = {f"new_{name}": values[name] for name in (*_NEWEST, "last_run")}
        newest["new_closed_at"] = None if reopens else row.closed_at
        again.append({"number": row.break_id, "new_status": _OPEN if reopens else row.status, **newest})
    if again:
        columns = (*_NEWEST, "last_run", "status", "closed_at")
        changed: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
        one = update(recon_break).where(recon_break.c.break_id == bindparam("number"))
        await connection.execute(one.values(changed), again)
    if opened:
        await connection.execute(insert(recon_break), opened)
    if ends:
        gone = update(recon_break).where(here, recon_break.c.last_run < run_id)
        if only_lots is not None:
            gone = gone.where(among(recon_break.c.lot_id, only_lots))
        if counted := {found.kind for found in breaks if found.unit == FURTHER}:
            gone = gone.where(or_(recon_break.c.kind.not_in(counted), recon_break.c.unit == FURTHER))
        closed_at = func.coalesce(recon_break.c.closed_at, now)
        await connection.execute(gone.values(status=CORRECTED, closed_at=closed_at))
    if reopened:
        found_again = {"step": "reopen", "text": f"found again by run {run_id}", "at": now, "by": by}
        await connection.execute(insert(break_step), [{"break_id": number, **found_again} for number in reopened])
    return reopened


async def newest_step(connection: AsyncConnection) -> int:
    """Return the number of the newest step in the work on breaks, 0 before there is one."""
    return int(await connection.scalar(select(func.coalesce(func.max(break_step.c.step_no), 0))) or 0)


async def resolved_after(connection: AsyncConnection, last_step: int | None) -> set[int]:
    """Return the breaks that were resolved after a step; with None, none."""
    if last_step is None:
        return set()
    steps = break_step.c.step_no > last_step, break_step.c.step == "resolve"
    return set(await connection.scalars(select(break_step.c.break_id).where(*steps)))


def _numbered(breaks: Sequence[Break]) -> Iterator[Break]:
    """Number the subjects of breaks that one run has found more than once, so that none is lost."""
    times: Counter[_Identity] = Counter()
    for found in breaks:
        name = (found.kind, found.subject, found.asset, found.lot_id)
        times[name] += 1
        yield found if times[name] == 1 else found._replace(subject=f"{found.subject} ({times[name]})")


def _is_another(row: Row[Any], found: Break) -> bool:
    """Return whether a known break has become another one: larger, of the other sign, or with another difference."""
    before, after = row.found - row.expected, found.found - found.expected
    if row.difference != found.difference:
        return True
    return bool(row.unit != found.unit or abs(after) > abs(before) or (after > 0) != (before > 0))


async def open_breaks(connection: AsyncConnection, page: PageRequest = ALL, day: date | None = None) -> Page[Row[Any]]:
    """Return the breaks that are not corrected, oldest first, each with its age on ``day`` (default: today)."""
    query = select(recon_break, days_old(day)).where(recon_break.c.status != CORRECTED)
    return await fetch(connection, query, (recon_break.c.break_id,), page)


async def find(connection: AsyncConnection, break_id: int) -> Row[Any]:
    """Return a break in any state, with its age today. Raises BadValue."""
    query = select(recon_break, days_old()).where(recon_break.c.break_id == break_id)
    row = (await connection.execute(query)).first()
    if row is None:
        raise BadValue("break", break_id, "the number of a break")
    return row
