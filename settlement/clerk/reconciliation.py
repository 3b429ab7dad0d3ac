"""``goldx clerk``: the reconciliation, statements and keys of warehouses, reports of depositories."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.client.keys import fingerprint, parse_signature
from goldx.output import JSON, print_record, print_table, wants_json
from goldx.protocol.units import BadValue
from settlement.base.arithmetic import format_cg
from settlement.base.paging import PageRequest
from settlement.base.working_days import today
from settlement.clerk.group import READERS, act, check_actor, clerk, may, propose, show
from settlement.clerk.options import DAY, FILE, NUMBER, PREVIEW, READING, contents
from settlement.intake.bar_rows import Reading
from settlement.reconciliation import (
    breaks,
    depository_files,
    depository_report,
    statement_file,
    three_way,
    warehouse_keys,
    warehouse_statement,
)
from settlement.service.commands import on_database
from settlement.service.listings import PAGE
from settlement.workbooks import cells, sheets
from settlement.workbooks.as_read import AsRead

DIFFERENCE: Final = "kind subject asset expected found unit note"
"""The columns of a break that every command shows."""


def difference(found: breaks.Break | Row[Any]) -> tuple[object, ...]:
    """Return what the columns of ``DIFFERENCE`` show of a break."""
    figures = (breaks.shown(found.unit, found.asset, number) for number in (found.expected, found.found))
    return found.kind, found.subject, found.asset, *figures, breaks.unit_shown(found.unit, found.asset), found.note


def break_record(found: breaks.Break) -> dict[str, object]:
    """Return a break by the names of its columns."""
    return dict(zip(DIFFERENCE.split(), difference(found), strict=True))


@clerk.command("reconcile")
@JSON
@click.pass_context
def reconcile(context: click.Context) -> None:
    """Compare ledger, warehouse and engine; exit 1 if anything disagrees."""
    by: str = context.obj

    check_actor(by)

    async def work(engine: AsyncEngine) -> three_way.RunReport:
        async with engine.connect() as connection:
            await may(connection, by, *READERS)
        return await three_way.reconcile(engine, by)

    report = on_database(work)
    if wants_json():
        print_record({**report._asdict(), "breaks": [break_record(found) for found in report.breaks]})
    else:
        print_breaks(report.breaks)
        compared = f"{report.checked} figures compared at sequence {report.sequence}"
        click.echo(f"run {report.run_id}: {compared}: {len(report.breaks)} breaks")
    context.exit(1 if report.breaks else 0)


def print_breaks(found: Sequence[breaks.Break]) -> None:
    """Print breaks as a table, if there are any."""
    if found:
        print_table(DIFFERENCE, map(difference, found))


@clerk.command("statement")
@JSON
@FILE
@click.option("--warehouse", help="The warehouse that the statement is of; not for a depository's report.")
@click.option("--day", type=DAY, help="The day it is of, such as 2026-11-24; default: today.")
@click.option(
    "--signature",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File with the signature of the warehouse's key over FILE, as it is or in hexadecimal digits.",
)
@PREVIEW
@READING
@click.pass_context
def take_statement(
    context: click.Context,
    file: Path,
    warehouse: str | None,
    day: date | None,
    signature: Path | None,
    only_preview: bool,
    reading: Reading,
) -> None:
    """Compare a warehouse's statement FILE (CSV, XLSX or XLS) with the register; exit 1 if anything differs.

    Breaks that a statement does not show end when the warehouse has signed it with its key, or when a second person
    takes in the same file for the same day. A depository's report of totals is recognized by its headings; its totals
    are recomputed, and the file is kept.
    """
    by: str = context.obj
    data = contents(file)
    try:
        table = sheets.read(data, reading.stated)
        if depository_report.is_report(table):
            as_read = _shown(file.name, table, depository_report.as_read(table)) if only_preview else {}
            _take_depository_report(by, file.name, data, depository_report.read(table), as_read, only_preview)
            return
        layout = statement_file.laid_out(table, reading)
        as_read = _shown(file.name, table, layout.as_read()) if only_preview else {}
        bars = statement_file.read(table, reading)
    except cells.BadFile as error:
        raise click.ClickException(str(error)) from error
    if warehouse is None:
        raise click.UsageError("--warehouse must name the warehouse that the statement is of")
    signed = None if signature is None else _signature(contents(signature))
    outcome = _take_bars(by, file.name, data, bars, warehouse, today() if day is None else day, signed, only_preview)
    _print_outcome(warehouse, outcome, as_read)
    context.exit(1 if outcome.breaks else 0)


def _print_outcome(
    warehouse: str, outcome: warehouse_statement.StatementComparison, as_read: dict[str, object]
) -> None:
    weights = (format_cg(outcome.gross_cg), format_cg(outcome.lots_gross_cg))
    if wants_json():
        found = {"run_id": outcome.run_id, "warehouse": warehouse, "bars": outcome.bars, "gross_g": weights[0]}
        found |= {
            "lots": outcome.lots,
            "lots_gross_g": weights[1],
            "ends_breaks": outcome.ends_breaks,
            "signed_by": outcome.signed_by,
        }
        print_record({**found, "breaks": [break_record(one) for one in outcome.breaks], **as_read})
        return
    print_breaks(outcome.breaks)
    click.echo(
        ("" if outcome.run_id is None else f"run {outcome.run_id}: ")
        + f"{warehouse}: {outcome.bars} bars, {weights[0]} g gross on the statement; "
        f"{outcome.lots} lots, {weights[1]} g in the register: {len(outcome.breaks)} breaks"
    )
    if outcome.signed_by is not None:
        click.echo(f"signed with key {outcome.signed_by} of {warehouse}")
    if outcome.run_id is not None and not outcome.ends_breaks:
        click.echo("breaks that it does not show end when another person takes in the same file for the same day")


def _shown(name: str, table: cells.SheetTable, as_read: AsRead) -> dict[str, object]:
    """Print a file as it was read; where the output is JSON, return it as a part of that."""
    if wants_json():
        return {"as_read": as_read.record()}
    click.echo(f"{name}: {table.format}, {table.dialect}")
    for line in as_read.lines():
        click.echo(line)
    return {}


def _signature(data: bytes) -> bytes:
    try:
        return parse_signature(data)
    except BadValue as error:
        raise click.ClickException(str(error)) from error


def _take_bars(
    by: str,
    name: str,
    data: bytes,
    bars: list[statement_file.StatementBar],
    warehouse: str,
    day: date,
    signature: bytes | None,
    only_preview: bool,
) -> warehouse_statement.StatementComparison:
    take = warehouse_statement.preview if only_preview else warehouse_statement.take_in
    return act(by, lambda connection: take(connection, by, warehouse, day, name, data, bars, signature))


def _take_depository_report(
    by: str,
    name: str,
    data: bytes,
    report: depository_report.DepositoryReport,
    as_read: dict[str, object],
    only_preview: bool,
) -> None:
    keep = depository_files.preview if only_preview else depository_files.keep
    number = act(by, lambda connection: keep(connection, by, name, data, report))
    names = ("depository", "category", *depository_report.Figures._fields)
    totals = (("TOTAL REGISTERED", "Registered"), ("TOTAL ELIGIBLE", "Eligible"), ("COMBINED TOTAL", None))
    rows = [(stock.depository, stock.category, *map(depository_report.shown, stock.figures)) for stock in report.stocks]
    rows += [(title, "", *map(depository_report.shown, report.total(category))) for title, category in totals]
    if wants_json():
        stocks = [dict(zip(names, row, strict=True)) for row in rows]
        print_record({"file": number, "about": list(report.about), "stocks": stocks, **as_read})
        return
    for line in report.about:
        click.echo(line)
    print_table(" ".join(names), rows)
    depositories = {stock.depository for stock in report.stocks}
    kept = "" if number is None else f"file {number}: "
    click.echo(f"{kept}{len(report.stocks)} rows of {len(depositories)} depositories; all totals hold")


@clerk.group("warehouse-key")
def warehouse_key_group() -> None:
    """The keys that warehouses sign their statements with."""


@warehouse_key_group.command("propose")
@click.argument("warehouse")
@click.option(
    "--public-key",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The public half of its Ed25519 key in PEM, as openssl pkey -pubout writes it.",
)
@click.option("--reason", required=True, help="How the key has come, and with whom its fingerprint was compared.")
@click.pass_obj
def propose_key(by: str, warehouse: str, public_key: Path, reason: str) -> None:
    """Propose a key with which WAREHOUSE signs its statements."""
    pem = contents(public_key).decode(errors="replace")
    propose(by, lambda connection: warehouse_keys.propose(connection, by, warehouse, pem, reason))


def _key(row: Row[Any]) -> Iterable[object]:
    return row.key_no, row.warehouse, row.status, fingerprint(row.public_key), row.reason, row.end_reason


@warehouse_key_group.command("list")
@PAGE
@click.pass_obj
def list_keys(by: str, page: PageRequest) -> None:
    """Show the keys of warehouses, with the reasons why each began and ended."""
    show(by, page, "key warehouse status fingerprint reason end_reason", warehouse_keys.listing, _key)


@warehouse_key_group.command("end")
@NUMBER
@click.option("--reason", required=True)
@click.pass_obj
def end_key(by: str, number: int, reason: str) -> None:
    """End the key NUMBER: nothing that it signs is taken any more."""
    act(by, lambda connection: warehouse_keys.end(connection, by, number, reason))
    click.echo(f"key {number} has ended")
