"""``goldx clerk``: warehouses, and bars from arrival to the register."""

from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.units import format_weight
from settlement import bar_list, intake, lots
from settlement.arithmetic import format_cg, format_fineness
from settlement.clerk.group import clerk, may
from settlement.cli import in_transaction


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


@clerk.command("import-bars")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def import_bars(by: str, file: Path) -> None:
    """Take in the lots of a bar list: all of FILE or none of it."""
    data = file.read_bytes()

    async def work(connection: AsyncConnection) -> list[int]:
        await may(connection, by, "settle")
        return await intake.receive(connection, by, bar_list.read_declared(data))

    numbers = in_transaction(work)
    click.echo(f"{len(numbers)} lots have arrived: {numbers[0]} to {numbers[-1]}")


@clerk.command("process")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def process(by: str, file: Path) -> None:
    """Take the lots of FILE from arrival to the register by their measured values: all or none."""
    data = file.read_bytes()

    async def work(connection: AsyncConnection) -> list[int]:
        await may(connection, by, "settle")
        return await intake.process(connection, by, bar_list.read_measured(data))

    click.echo(f"{len(in_transaction(work))} lots are weighed, screened, assayed, certified and registered")


@clerk.command("reject")
@click.argument("lot_id", type=int)
@click.option("--reason", required=True)
@click.pass_obj
def reject(by: str, lot_id: int, reason: str) -> None:
    """Refuse a lot that is not registered yet."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await intake.reject(connection, by, lot_id, reason)

    in_transaction(work)
    click.echo(f"lot {lot_id} is rejected")


@clerk.command("return")
@click.argument("lot_id", type=int)
@click.option("--collector", required=True, help="Who takes it back.")
@click.pass_obj
def give_back(by: str, lot_id: int, collector: str) -> None:
    """Hand a rejected lot back."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await intake.give_back(connection, by, lot_id, collector)

    in_transaction(work)
    click.echo(f"lot {lot_id} is returned")


@clerk.command("lots")
@click.option("--state")
@click.option("--symbol")
@click.pass_obj
def list_lots(by: str, state: str | None, symbol: str | None) -> None:
    """Show lots, tab separated: number, bar, class, form, warehouse, state, gross, fineness, fine grams."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        after = 0
        while found := await lots.listing(connection, state=state, symbol=symbol, after=after):
            for row in found:
                gross = format_cg(row.gross_cg or row.declared_gross_cg)
                fineness = format_fineness(row.fineness_e5 or row.declared_fineness_e5)
                fine = format_weight(row.fine_mg) if row.fine_mg is not None else "-"
                key = bar_list.BarKey(row.refiner, row.serial, row.year)
                fields = (row.lot_id, key, row.symbol, row.form, row.warehouse, row.state, gross, fineness, fine)
                click.echo("\t".join(map(str, fields)))
            after = found[-1].lot_id

    in_transaction(work)
