"""Files of depositories' reports: read in a process of their own, and kept."""

import json
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.database import trial
from settlement.intake import files
from settlement.reconciliation import depository_reader
from settlement.reconciliation.depository_report import CATEGORIES, DepositoryReport, DepositoryStock, Figures, shown
from settlement.workbooks import sheets
from settlement.workbooks.as_read import AsRead, ReadRow, Word
from settlement.workbooks.formats import Stated


class ReadReport(NamedTuple):
    """A report that holds, and its file as it was read."""

    report: DepositoryReport
    as_read: AsRead


async def read_async(data: bytes, stated: Stated = sheets.NOTHING) -> ReadReport:
    """Read and check the report in a file, all of it in the reading process. Raises BadFile with every error."""
    return await sheets.in_turn(lambda: _read(data, stated))


def _read(data: bytes, stated: Stated) -> ReadReport:
    with sheets.found_by(depository_reader.__name__, data, json.dumps(stated)) as found:
        about = sheets.first_of(found)
        stocks, as_read = (json.loads(line) for line in found)
    rows = (DepositoryStock(line, name, category, Figures(*figures)) for line, name, category, figures in stocks)
    return ReadReport(DepositoryReport(tuple(about), tuple(rows)), _as_read(*as_read))


def _as_read(how: Any, heading: int, rows: Any, total: int, words: Any) -> AsRead:
    return AsRead(
        tuple(how), heading, tuple(ReadRow(*row) for row in rows), total, tuple(Word(*word) for word in words)
    )


async def keep(connection: AsyncConnection, by: str, name: str, data: bytes, report: DepositoryReport) -> int:
    """Keep the file of a correct report with its totals; return its number. Raises Refused (FILE_KNOWN)."""
    await files.check_new(connection, "depository", data)
    totals = {category: shown(report.total(category).total) for category in CATEGORIES}
    result = {"about": list(report.about), **totals}
    return await files.keep(connection, by, "depository", name, data, len(report.stocks), result)


async def preview(connection: AsyncConnection, by: str, name: str, data: bytes, report: DepositoryReport) -> int | None:
    """Do what ``keep`` does and take it back; return None, as no file has a number. Raises what it raises."""
    async with trial(connection):
        await keep(connection, by, name, data, report)
    return None
