"""``goldx clerk``: what a settlement clerk types, from money and bars coming in to metal going out.

The commands act on the database directly, as the member of staff that ``--as`` names. What moves money or metal only
proposes; another member of staff approves it.
"""

import json
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.units import format_amount, format_weight, parse_money, parse_weight
from settlement import bar_list, cash, intake, load_out, lots, movements, proposals, receipts, recon, registry
from settlement.arithmetic import format_cg, format_fineness
from settlement.cli import in_transaction, on_database
from settlement.schema import ledger_account


@click.group()
@click.option("--as", "name", required=True, envvar="GOLDX_CLERK", help="Who acts: the code of one of the staff.")
@click.pass_context
def clerk(context: click.Context, name: str) -> None:
    """Settle by hand: money, bars, receipts, withdrawals, reconciliation."""
    context.obj = name


async def _may(connection: AsyncConnection, name: str, *permissions: str) -> None:
    held = await registry.staff_permissions(connection, name)
    if not held & set(permissions):
        raise click.ClickException(f"{name} has none of the permissions {', '.join(permissions)}")


@clerk.command("warehouse-add")
@click.argument("code")
@click.option("--name", "title", required=True)
@click.option("--city", required=True)
@click.option("--customs", default="DOMESTIC", show_default=True, help="DOMESTIC or BONDED.")
@click.pass_obj
def warehouse_add(by: str, code: str, title: str, city: str, customs: str) -> None:
    """Register the delivery warehouse CODE."""

    async def work(connection: AsyncConnection) -> None:
        await _may(connection, by, "settle")
        await lots.add_warehouse(connection, by, code, title, city, customs)

    in_transaction(work)
    click.echo(f"warehouse {code} is registered")


def _propose_cash(by: str, account: str, amount: str, bank_reference: str, sign: int) -> None:
    async def work(connection: AsyncConnection) -> int:
        await _may(connection, by, "settle")
        return await cash.propose(connection, by, account, sign * abs(parse_money(amount)), bank_reference)

    click.echo(f"proposal {in_transaction(work)} waits for another person's approval")


@clerk.command("cash-in")
@click.option("--account", required=True)
@click.option("--amount", required=True, help="CNY, such as 1000000.00")
@click.option("--bank-reference", required=True, help="The escrow bank's number of the transfer.")
@click.pass_obj
def cash_in(by: str, account: str, amount: str, bank_reference: str) -> None:
    """Propose money that has come in at the escrow bank."""
    _propose_cash(by, account, amount, bank_reference, 1)


@clerk.command("cash-out")
@click.option("--account", required=True)
@click.option("--amount", required=True, help="CNY, such as 1000000.00")
@click.option("--bank-reference", required=True, help="The escrow bank's number of the transfer.")
@click.pass_obj
def cash_out(by: str, account: str, amount: str, bank_reference: str) -> None:
    """Propose money that is to go out from the escrow bank."""
    _propose_cash(by, account, amount, bank_reference, -1)


@clerk.command("proposals")
@click.pass_obj
def list_proposals(by: str) -> None:
    """Show what waits for a second person."""

    async def work(connection: AsyncConnection) -> list[proposals.Proposal]:
        await _may(connection, by, "settle", "supervise")
        return await proposals.waiting(connection)

    for found in in_transaction(work):
        summary = json.dumps(found.summary, ensure_ascii=False)
        click.echo(f"{found.proposal_id}\t{found.kind}\tby {found.proposed_by}\t{summary}")


@clerk.command("approve")
@click.argument("numbers", type=int, nargs=-1, required=True)
@click.pass_obj
def approve(by: str, numbers: tuple[int, ...]) -> None:
    """Approve other people's proposals NUMBERS, all or none."""

    async def work(connection: AsyncConnection) -> None:
        await _may(connection, by, "settle")
        for number in numbers:
            await movements.approve(connection, by, number)

    in_transaction(work)
    click.echo(f"approved: {', '.join(map(str, numbers))}")


@clerk.command("decline")
@click.argument("number", type=int)
@click.pass_obj
def decline(by: str, number: int) -> None:
    """End the proposal NUMBER without effect."""

    async def work(connection: AsyncConnection) -> None:
        await _may(connection, by, "settle")
        await movements.decline(connection, by, number)

    in_transaction(work)
    click.echo(f"declined: {number}")


@clerk.command("import-bars")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def import_bars(by: str, file: Path) -> None:
    """Take in the lots of a bar list: all of FILE or none of it."""
    data = file.read_bytes()

    async def work(connection: AsyncConnection) -> list[int]:
        await _may(connection, by, "settle")
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
        await _may(connection, by, "settle")
        return await intake.process(connection, by, bar_list.read_measured(data))

    click.echo(f"{len(in_transaction(work))} lots are weighed, screened, assayed, certified and registered")


@clerk.command("reject")
@click.argument("lot_id", type=int)
@click.option("--reason", required=True)
@click.pass_obj
def reject(by: str, lot_id: int, reason: str) -> None:
    """Refuse a lot that is not registered yet."""

    async def work(connection: AsyncConnection) -> None:
        await _may(connection, by, "settle")
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
        await _may(connection, by, "settle")
        await intake.give_back(connection, by, lot_id, collector)

    in_transaction(work)
    click.echo(f"lot {lot_id} is returned")


@clerk.command("issue")
@click.option("--lot", "numbers", type=int, multiple=True, help="A lot's number; default: every registered lot.")
@click.pass_obj
def issue(by: str, numbers: tuple[int, ...]) -> None:
    """Propose receipts for registered lots."""

    async def work(connection: AsyncConnection) -> int:
        await _may(connection, by, "settle")
        return await receipts.propose_issue(connection, by, numbers or await receipts.issuable(connection))

    click.echo(f"proposal {in_transaction(work)} waits for another person's approval")


@clerk.group("load-out")
def load_out_group() -> None:
    """Withdraw metal."""


@load_out_group.command("apply")
@click.option("--account", required=True)
@click.option("--symbol", required=True)
@click.option("--warehouse", required=True)
@click.option("--weight", required=True, help="Fine grams, such as 3000 or 12.5")
@click.option("--collector", required=True, help="Who will come for it.")
@click.option("--pickup-code", prompt=True, hide_input=True, confirmation_prompt=True, help="6 to 12 digits.")
@click.pass_obj
def load_out_apply(
    by: str, account: str, symbol: str, warehouse: str, weight: str, collector: str, pickup_code: str
) -> None:
    """Allocate lots and propose the load-out."""

    async def work(connection: AsyncConnection) -> int:
        await _may(connection, by, "settle")
        fine_mg = parse_weight(weight, "weight")
        wish = load_out.Application(account, symbol, warehouse, fine_mg, collector, pickup_code)
        return await load_out.apply(connection, by, wish)

    click.echo(f"proposal {in_transaction(work)} waits for another person's approval")


@load_out_group.command("release")
@click.argument("number", type=int)
@click.option("--pickup-code", prompt=True, hide_input=True)
@click.pass_obj
def load_out_release(by: str, number: int, pickup_code: str) -> None:
    """Hand the lots of load-out NUMBER to the collector."""

    async def work(connection: AsyncConnection) -> list[int]:
        await _may(connection, by, "settle")
        return await load_out.release(connection, by, number, pickup_code)

    click.echo(f"released lots: {', '.join(map(str, in_transaction(work)))}")


@clerk.command("lots")
@click.option("--state")
@click.option("--symbol")
@click.pass_obj
def list_lots(by: str, state: str | None, symbol: str | None) -> None:
    """Show lots, tab separated: number, bar, class, form, warehouse, state, gross, fineness, fine grams."""

    async def work(connection: AsyncConnection) -> None:
        await _may(connection, by, "settle", "supervise")
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


@clerk.command("balances")
@click.option("--account", help="One trading account; default: all, and the venue's own.")
@click.pass_obj
def balances(by: str, account: str | None) -> None:
    """Show the ledger's balances, tab separated: kind, account, asset, balance."""

    async def work(connection: AsyncConnection) -> None:
        await _may(connection, by, "settle", "supervise")
        columns = ledger_account.c
        query = select(ledger_account).order_by(columns.kind, columns.name, columns.asset)
        for row in await connection.execute(query if account is None else query.where(columns.name == account)):
            click.echo(f"{row.kind}\t{row.name}\t{row.asset}\t{format_amount(row.balance, row.asset)}")

    in_transaction(work)


@clerk.command("reconcile")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def reconcile(context: click.Context, as_json: bool) -> None:
    """Compare ledger, warehouse and engine; exit 1 if anything disagrees."""
    by: str = context.obj

    async def work(engine: AsyncEngine) -> recon.Report:
        async with engine.connect() as connection:
            await _may(connection, by, "settle", "supervise")
        return await recon.reconcile(engine, by)

    report = on_database(work)
    if as_json:
        click.echo(json.dumps({**report._asdict(), "breaks": [found._asdict() for found in report.breaks]}))
    else:
        for found in report.breaks:
            expected, there = format_amount(found.expected, found.asset), format_amount(found.found, found.asset)
            click.echo(f"{found.kind}\t{found.subject}\t{found.asset}\texpected {expected}\tfound {there}")
        click.echo(f"{report.checked} figures compared at sequence {report.sequence}: {len(report.breaks)} breaks")
    context.exit(1 if report.breaks else 0)
