"""``goldx clerk``: statements of warehouses and reports of depositories."""

from datetime import date
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base.arithmetic import format_cg
from settlement.base.working_days import parse_day, today
from settlement.clerk.group import clerk, may
from settlement.clerk.options import DECIMAL, FILE, PREVIEW, SHEET, reading
from settlement.clerk.record import described
from settlement.reconciliation import depository_report, warehouse_statement
from settlement.service.cli import in_transaction
from settlement.workbooks import sheets


@clerk.command("statement")
@FILE
@click.option("--warehouse", help="Whose bars the statement lists; not for a depository's report.")
@click.option("--day", help="The day it is of, such as 2026-11-24; default: today.")
@PREVIEW
@SHEET
@DECIMAL
@click.pass_context
def take_statement(
    context: click.Context,
    file: Path,
    warehouse: str | None,
    day: str | None,
    only_preview: bool,
    sheet: str | None,
    decimal: str | None,
) -> None:
    """Hold a warehouse's statement FILE (CSV, XLSX or XLS) against the register; exit 1 if anything differs.

    A depository's report of its totals is known by its headings: its totals are computed again, and it is kept.
    """
    by: str = context.obj
    data = file.read_bytes()
    try:
        table = sheets.read(data, sheet)
        if depository_report.is_report(table):
            _depository(by, file.name, data, depository_report.read(table), only_preview)
            return
        lines = warehouse_statement.read(table, reading(sheet, decimal))
    except sheets.BadFile as error:
        raise click.ClickException(str(error)) from error
    if warehouse is None:
        raise click.UsageError("--warehouse must say whose bars these are")
    outcome = _bars(by, file.name, data, lines, warehouse, _date(day), only_preview)
    for found in outcome.breaks:
        click.echo(described(found))
    click.echo(
        f"{warehouse}: {outcome.bars} bars, {format_cg(outcome.gross_cg)} g gross on the statement; "
        f"{outcome.lots} lots, {format_cg(outcome.lots_gross_cg)} g in the register: {len(outcome.breaks)} breaks"
    )
    context.exit(1 if outcome.breaks else 0)


def _date(text: str | None) -> date:
    try:
        return today() if text is None else parse_day("day", text)
    except BadValue as error:
        raise click.ClickException(str(error)) from error


def _bars(
    by: str,
    name: str,
    data: bytes,
    lines: list[warehouse_statement.StatementBar],
    place: str,
    day: date,
    only_preview: bool,
) -> warehouse_statement.Outcome:
    async def work(connection: AsyncConnection) -> warehouse_statement.Outcome:
        await may(connection, by, "settle")
        if only_preview:
            return await warehouse_statement.compare(connection, place, lines)
        return await warehouse_statement.take_in(connection, by, place, day, name, data, lines)

    return in_transaction(work)


def _depository(by: str, name: str, data: bytes, report: depository_report.Report, only_preview: bool) -> None:
    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        if not only_preview:
            await depository_report.keep(connection, by, name, data, report)

    in_transaction(work)
    for line in report.about:
        click.echo(line)
    for stock in report.stocks:
        click.echo("\t".join((stock.depository, stock.category, *map(depository_report.shown, stock.figures))))
    for what, category in (
        ("TOTAL REGISTERED", "Registered"),
        ("TOTAL ELIGIBLE", "Eligible"),
        ("COMBINED TOTAL", None),
    ):
        click.echo("\t".join((what, "", *map(depository_report.shown, report.total(category)))))
    click.echo(
        f"{len(report.stocks)} rows of {len({s.depository for s in report.stocks})} depositories; all totals hold"
    )
