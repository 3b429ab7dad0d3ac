"""``goldx clerk``: the reconciliation and its breaks, statements and keys of warehouses, reports of depositories."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.client.keys import fingerprint, parse_signature
from goldx.protocol.units import BadValue
from settlement.base.arithmetic import format_cg
from settlement.base.paging import PageRequest
from settlement.base.working_days import parse_day, today
from settlement.clerk.group import READERS, act, check_actor, clerk, may, propose, show
from settlement.clerk.options import FILE, NUMBER, PAGE, PREVIEW, READING, contents
from settlement.intake.bar_rows import Reading
from settlement.reconciliation import (
    breaks,
    depository_report,
    statement_file,
    three_way,
    warehouse_keys,
    warehouse_statement,
)
from settlement.service.commands import on_database
from settlement.workbooks import cells, sheets


def described(found: breaks.Break | Row[Any]) -> str:
    """Return a break in one line."""
    expected, there = (breaks.shown(found.unit, found.asset, number) for number in (found.expected, found.found))
    note = (found.note,) if found.note else ()
    return "\t".join((found.kind, found.subject, found.asset, f"expected {expected}", f"found {there}", *note))


def _break(row: Row[Any]) -> Iterable[object]:
    explained = (f"explained: {row.explanation}",) if row.explanation else ()
    whose = breaks.responsible(row.days)
    return row.break_id, row.owner, row.status, f"{row.days} working days", whose, described(row), *explained


@clerk.command("breaks")
@PAGE
@click.pass_obj
def list_breaks(by: str, page: PageRequest) -> None:
    """Show open breaks: number, owner, status, age, who is responsible at that age, difference, explanation.

    They are separated by tabs. An explained break that has grown or changed is OPEN again and keeps its explanation.
    """
    show(by, page, breaks.open_breaks, _break)


@clerk.command("explain")
@NUMBER
@click.option("--owner", required=True, help="Who deals with it: the code of one of the staff.")
@click.option("--explanation", required=True)
@click.pass_obj
def explain(by: str, number: int, owner: str, explanation: str) -> None:
    """Record who deals with the break NUMBER and what is known of it."""
    act(by, lambda connection: breaks.explain(connection, by, number, owner, explanation))
    click.echo(f"break {number} is {owner}'s: {explanation}")


@clerk.command("reconcile")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def reconcile(context: click.Context, as_json: bool) -> None:
    """Compare ledger, warehouse and engine; exit 1 if anything disagrees."""
    by: str = context.obj

    check_actor(by)

    async def work(engine: AsyncEngine) -> three_way.Report:
        async with engine.connect() as connection:
            await may(connection, by, *READERS)
        return await three_way.reconcile(engine, by)

    report = on_database(work)
    if as_json:
        click.echo(json.dumps({**report._asdict(), "breaks": [found._asdict() for found in report.breaks]}))
    else:
        for found in report.breaks:
            click.echo(described(found))
        click.echo(f"{report.checked} figures compared at sequence {report.sequence}: {len(report.breaks)} breaks")
    context.exit(1 if report.breaks else 0)


@clerk.command("statement")
@FILE
@click.option("--warehouse", help="The warehouse that the statement is of; not for a depository's report.")
@click.option("--day", help="The day it is of, such as 2026-11-24; default: today.")
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
    day: str | None,
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
        table = sheets.read(data, reading.sheet)
        if depository_report.is_report(table):
            _take_depository_report(by, file.name, data, depository_report.read(table), only_preview)
            return
        bars = statement_file.read(table, reading)
    except cells.BadFile as error:
        raise click.ClickException(str(error)) from error
    if warehouse is None:
        raise click.UsageError("--warehouse must name the warehouse that the statement is of")
    signed = None if signature is None else _signature(contents(signature))
    outcome = _take_bars(by, file.name, data, bars, warehouse, _date(day), signed, only_preview)
    for found in outcome.breaks:
        click.echo(described(found))
    click.echo(
        f"{warehouse}: {outcome.bars} bars, {format_cg(outcome.gross_cg)} g gross on the statement; "
        f"{outcome.lots} lots, {format_cg(outcome.lots_gross_cg)} g in the register: {len(outcome.breaks)} breaks"
    )
    if outcome.signed_by is not None:
        click.echo(f"signed with key {outcome.signed_by} of {warehouse}")
    if outcome.run_id is not None and not outcome.ends_breaks:
        click.echo("breaks that it does not show end when another person takes in the same file for the same day")
    context.exit(1 if outcome.breaks else 0)


def _date(text: str | None) -> date:
    try:
        return today() if text is None else parse_day("day", text)
    except BadValue as error:
        raise click.ClickException(str(error)) from error


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
) -> warehouse_statement.Outcome:
    async def work(connection: AsyncConnection) -> warehouse_statement.Outcome:
        if only_preview:
            return await warehouse_statement.preview(connection, warehouse, day, data, bars, signature)
        return await warehouse_statement.take_in(connection, by, warehouse, day, name, data, bars, signature)

    return act(by, work)


def _take_depository_report(
    by: str, name: str, data: bytes, report: depository_report.Report, only_preview: bool
) -> None:
    async def work(connection: AsyncConnection) -> None:
        if not only_preview:
            await depository_report.keep(connection, by, name, data, report)

    act(by, work)
    for line in report.about:
        click.echo(line)
    for stock in report.stocks:
        click.echo("\t".join((stock.depository, stock.category, *map(depository_report.shown, stock.figures))))
    totals = (("TOTAL REGISTERED", "Registered"), ("TOTAL ELIGIBLE", "Eligible"), ("COMBINED TOTAL", None))
    for title, category in totals:
        click.echo("\t".join((title, "", *map(depository_report.shown, report.total(category)))))
    depositories = {stock.depository for stock in report.stocks}
    click.echo(f"{len(report.stocks)} rows of {len(depositories)} depositories; all totals hold")


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
    """Show the keys of warehouses, tab separated: number, warehouse, state, fingerprint, reasons it began and ended."""
    show(by, page, warehouse_keys.listing, _key)


@warehouse_key_group.command("end")
@NUMBER
@click.option("--reason", required=True)
@click.pass_obj
def end_key(by: str, number: int, reason: str) -> None:
    """End the key NUMBER: nothing that it signs is taken any more."""
    act(by, lambda connection: warehouse_keys.end(connection, by, number, reason))
    click.echo(f"key {number} has ended")
