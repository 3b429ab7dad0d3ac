"""Breaks between engine and ledger at the end of a day, which two people have taken over into the next one.

Such a break is opened by the people who take it over, not by a run, and no run finds it again, as runs compare what is
now. It stops the opening of each day, whatever is known about it, until it is corrected: a clerk resolves it by the
correction that was made for it, and a run after that finds the account without a difference. Where engine and ledger
agree about the account without any entry, two people may write it off.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import audit
from settlement.base.database import among, now_ms
from settlement.documents.reconciliation import BREAK, CORRECTED, WRITTEN_OFF
from settlement.reconciliation import break_work, breaks, holdings
from settlement.reconciliation.break_areas import DAY_END, DAY_END_SCOPE
from settlement.reconciliation.breaks import Break
from settlement.reconciliation.holdings import HoldingDifference
from settlement.tables.reconciliation import recon_break

_RESOLVED: Final = BREAK.steps["resolve"].after


async def open_breaks(
    connection: AsyncConnection,
    by: str,
    day: date,
    sequence: int,
    found: Sequence[HoldingDifference],
    owner: str,
    reason: str,
) -> dict[tuple[str, str], int]:
    """Open a break for each difference at the end of a day; return their numbers by account and asset.

    An account and asset of which an earlier day's break is not corrected keeps that break, with the newest figures.
    ``sequence`` is that of the day's last event.
    """
    note, columns = f"at the end of {day}", recon_break.c
    # One that was written off was gone by then, so this is another one.
    over = update(recon_break).where(columns.scope == DAY_END_SCOPE, columns.status == WRITTEN_OFF)
    these = tuple_(columns.account, columns.asset).in_([(each.account, each.asset) for each in found])
    await connection.execute(over.where(these).values(status=CORRECTED))
    differing = [
        Break(DAY_END, each.account, each.asset, each.ledger, each.engine, note=note, account=each.account)
        for each in found
    ]
    await breaks.record_run(connection, by, DAY_END_SCOPE, len(differing), differing, sequence, corrects=False)
    query = select(columns.break_id, columns.account, columns.asset)
    query = query.where(columns.scope == DAY_END_SCOPE, columns.status != CORRECTED)
    numbers = {(row.account, row.asset): int(row.break_id) for row in await connection.execute(query)}
    opened = {key: numbers[key] for key in ((each.account, each.asset) for each in found)}
    for number in opened.values():
        await connection.execute(update(recon_break).where(columns.break_id == number).values(owner=owner))
        await break_work.record(connection, by, number, "note", f"{note}, taken over: {reason}", owner=owner)
    return opened


async def end_corrected(
    connection: AsyncConnection, by: str, run_id: int, found: Sequence[Break], last_step: int
) -> None:
    """End the breaks that were resolved by a correction, and of which a run of the books has found no difference.

    ``last_step`` is as in ``breaks.record_run``: one that was resolved after the books were read waits for another run.
    """
    columns = recon_break.c
    query = select(columns.break_id, columns.account, columns.asset)
    query = query.where(columns.scope == DAY_END_SCOPE, columns.status == _RESOLVED)
    differ = {(one.account, one.asset) for one in found if one.kind == "HOLDING"}
    resolved = (await connection.execute(query)).all()
    early = await breaks.resolved_after(connection, last_step)
    resolved = [row for row in resolved if row.break_id not in early]
    ended = [row.break_id for row in resolved if (row.account, row.asset) not in differ]
    if ended:
        values = {"status": CORRECTED, "closed_at": now_ms()}
        await connection.execute(update(recon_break).where(among(columns.break_id, ended)).values(values))
        acts = [audit.Act(by, "break.correct", f"break:{number}", {"run": run_id}) for number in ended]
        await audit.record_all(connection, acts)


async def agree_now(connection: AsyncConnection, account: str, asset: str) -> bool:
    """Return whether engine and ledger agree about an account and asset now."""
    return not await holdings.differences(connection, account, asset)
