"""``goldx clerk``: warehouses, and bars from arrival to the register."""

from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_weight
from settlement.base.arithmetic import format_cg, format_fineness
from settlement.base.working_days import midnight, parse_day, shown_time
from settlement.clerk.group import clerk, may
from settlement.clerk.options import DECIMAL, FILE, PREVIEW, SET, SHEET, reading
from settlement.intake import bar_list, imports
from settlement.lots import lots
from settlement.service.cli import in_transaction


@clerk.command("warehouse-add")
@click.argument("code")
@click.option("--name", "title", required=True)
@click.option("--city", required=True)
@click.option("--customs", default="DOMESTIC", show_default=True, help="DOMESTIC or BONDED.")
@click.pass_obj
def warehouse_add(by: str, code: str, title: str, city: str, customs: str) -> None:
    """Register the delivery warehouse CODE."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await lots.add_warehouse(connection, by, code, title, city, customs)

    in_transaction(work)
    click.echo(f"warehouse {code} is registered")


def _progress(done: int, total: int) -> None:
    if total > imports.CHUNK:
        click.echo(f"{done} of {total} lots", err=True)


def _take_in(by: str, kind: str, file: Path, how: bar_list.Reading) -> imports.Taken:
    async def work(connection: AsyncConnection) -> imports.Taken:
        await may(connection, by, "settle")
        return await imports.take_in(connection, by, kind, file.name, file.read_bytes(), how, _progress)

    return in_transaction(work)


def _preview(by: str, kind: str, file: Path, how: bar_list.Reading) -> None:
    """Prints what would be taken in; exits 1 if anything stands against it."""

    async def work(connection: AsyncConnection) -> imports.Preview:
        await may(connection, by, "settle", "supervise")
        return await imports.preview(connection, kind, file.read_bytes(), how)

    found = in_transaction(work)
    for problem in found.problems:
        click.echo(str(problem))
    click.echo(f"{file.name}: {found.format}, {found.dialect}; SHA-256 {found.sha256}")
    if found.known_as is not None:
        click.echo(f"the same file was taken in before, as file {found.known_as}")
    if found.problems or found.known_as is not None:
        click.echo(f"{found.rows} rows, {len(found.problems)} problems: nothing of it would be taken in")
        click.get_current_context().exit(1)
    click.echo(f"{found.rows} lots, {format_cg(found.gross_cg)} g gross, could be taken in; nothing was")


@clerk.command("import-bars")
@FILE
@PREVIEW
@SHEET
@DECIMAL
@SET
@click.pass_obj
def import_bars(
    by: str, file: Path, only_preview: bool, sheet: str | None, decimal: str | None, given: dict[str, str]
) -> None:
    """Advise the lots of a bar list (CSV, XLSX or XLS): all of FILE or none of it."""
    how = reading(sheet, decimal, given)
    if only_preview:
        _preview(by, "declared", file, how)
        return
    numbers = _take_in(by, "declared", file, how).lots
    click.echo(f"{len(numbers)} lots are advised: {numbers[0]} to {numbers[-1]}")


@clerk.command("process")
@FILE
@PREVIEW
@SHEET
@DECIMAL
@click.pass_obj
def process(by: str, file: Path, only_preview: bool, sheet: str | None, decimal: str | None) -> None:
    """Take the lots of FILE from arrival to the register by their measured values: all or none."""
    how = reading(sheet, decimal)
    if only_preview:
        _preview(by, "measured", file, how)
        return
    taken = _take_in(by, "measured", file, how)
    for number, why in taken.waiting.items():
        click.echo(f"lot {number} is certified and waits: {why}")
    ready = len(taken.lots) - len(taken.waiting)
    click.echo(f"{ready} lots are weighed, screened, sampled, assayed, certified and registered")


def _day(field: str, text: str | None) -> int | None:
    return None if text is None else midnight(parse_day(field, text))


@clerk.command("lots")
@click.option("--state")
@click.option("--symbol")
@click.option("--account")
@click.option("--warehouse")
@click.option("--refiner")
@click.option("--serial", help="May end in *: all that begin so.")
@click.option("--from", "first", help="Arrived on this day (2026-11-24) or later.")
@click.option("--before", help="Arrived before this day.")
@click.pass_obj
def list_lots(by: str, /, first: str | None, before: str | None, **wanted: str | None) -> None:
    """Show lots, tab separated: number, bar, class, form, warehouse, state, gross, fineness, fine grams."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        search = lots.Search(**wanted, arrived_from=_day("from", first), arrived_before=_day("before", before))
        after = 0
        while found := await lots.listing(connection, search, after=after):
            for row in found:
                gross = format_cg(row.gross_cg or row.declared_gross_cg)
                fineness = format_fineness(row.fineness_e5 or row.declared_fineness_e5)
                fine = format_weight(row.fine_mg) if row.fine_mg is not None else "-"
                key = bar_list.BarKey(row.refiner, row.serial, row.year)
                fields = (row.lot_id, key, row.symbol, row.form, row.warehouse, row.state, gross, fineness, fine)
                click.echo("\t".join(map(str, fields)))
            after = found[-1].lot_id

    in_transaction(work)


@clerk.command("events")
@click.option("--warehouse")
@click.option("--from", "first", help="On this day (2026-11-24) or later.")
@click.option("--before", help="Before this day.")
@click.pass_obj
def list_events(by: str, warehouse: str | None, first: str | None, before: str | None) -> None:
    """Show custody events, tab separated: time, lot, step, state after it, warehouse, by whom."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        search = lots.EventSearch(_day("from", first), _day("before", before), warehouse)
        after = (0, 0)
        while found := await lots.events(connection, search, after=after):
            for row in found:
                fields = (shown_time(row.at), row.lot_id, row.step, row.state, row.warehouse, row.by)
                click.echo("\t".join(map(str, fields)))
            after = (found[-1].at, found[-1].event_id)

    in_transaction(work)
