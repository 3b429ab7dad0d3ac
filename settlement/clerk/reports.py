"""``goldx clerk export``: bar lists, count lists, stock reports and statements of accounts, as CSV or XLSX."""

from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.working_days import today
from settlement.clerk.group import clerk, read
from settlement.clerk.options import DAY, GONE, write_new
from settlement.lots import lots
from settlement.reports import account_statement, bar_export, stock_report

OUT = click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="A .csv or .xlsx file that must not exist."
)


@clerk.group("export")
def export_group() -> None:
    """Write files: CSV or XLSX, by the name's ending."""


def _write(by: str, out: Path, make: Callable[[AsyncConnection, str], Awaitable[bytes]]) -> None:
    data = read(by, lambda connection: make(connection, out.suffix.removeprefix(".")))
    write_new(out, data)
    click.echo(f"{out}: {len(data)} bytes")


@export_group.command("bars")
@OUT
@click.option("--layout", type=click.Choice(bar_export.LAYOUTS), default="declared", show_default=True)
@click.option("--status", "state")
@click.option("--symbol")
@click.option("--account")
@click.option("--warehouse")
@GONE
@click.pass_obj
def export_bars(
    by: str,
    out: Path,
    layout: str,
    state: str | None,
    symbol: str | None,
    account: str | None,
    warehouse: str | None,
    gone: bool,
) -> None:
    """Write lots as a bar list, which import-bars reads again: `declared`, or as London lists them."""
    search = lots.Search(state, symbol, account, warehouse, gone=gone)
    _write(by, out, lambda connection, kind: bar_export.export(connection, search, layout, kind))


@export_group.command("count")
@click.argument("warehouse")
@OUT
@click.pass_obj
def export_count(by: str, warehouse: str, out: Path) -> None:
    """Write what WAREHOUSE should find when it counts; as a statement it comes back through goldx clerk statement."""
    _write(by, out, lambda connection, kind: bar_export.count_list(connection, warehouse, kind))


@export_group.command("stock")
@OUT
@click.option("--day", type=DAY, help="Such as 2026-11-24; default: today, until now.")
@click.pass_obj
def export_stock(by: str, out: Path, day: date | None) -> None:
    """Write the stock per vault, form and customs status at a day's end, and what the day did to it."""

    async def make(connection: AsyncConnection, kind: str) -> bytes:
        return await stock_report.export(connection, day or today(), kind)

    _write(by, out, make)


@export_group.command("account")
@click.argument("account")
@OUT
@click.option("--from", "first", type=DAY, required=True, help="First day, such as 2026-11-01.")
@click.option("--until", "last", type=DAY, required=True, help="Last day.")
@click.pass_obj
def export_account(by: str, account: str, out: Path, first: date, last: date) -> None:
    """Write the ledger's postings of ACCOUNT with the balance after each."""

    async def make(connection: AsyncConnection, kind: str) -> bytes:
        return await account_statement.export(connection, account, first, last, kind)

    _write(by, out, make)
