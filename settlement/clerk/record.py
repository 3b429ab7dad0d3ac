"""``goldx clerk``: the reconciliation and its breaks."""

import json
from typing import Any

import click
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from settlement.base.database import now_ms
from settlement.clerk.group import clerk, may
from settlement.reconciliation import three_way
from settlement.service.cli import in_transaction, on_database


def described(found: three_way.Break | Row[Any]) -> str:
    """A break in one line."""
    expected, there = (three_way.shown(found.unit, found.asset, number) for number in (found.expected, found.found))
    note = (found.note,) if found.note else ()
    return "\t".join((found.kind, found.subject, found.asset, f"expected {expected}", f"found {there}", *note))


@clerk.command("breaks")
@click.pass_obj
def list_breaks(by: str) -> None:
    """Show open breaks, tab separated: number, owner, status, age, whose it is by its age, what differs."""

    async def work(connection: AsyncConnection) -> list[Row[Any]]:
        await may(connection, by, "settle", "supervise")
        return await three_way.open_breaks(connection)

    for row in in_transaction(work):
        days, whose = three_way.age(row.opened_at, now_ms())
        click.echo("\t".join((str(row.break_id), row.owner, row.status, f"{days} days", whose, described(row))))


@clerk.command("explain")
@click.argument("number", type=int)
@click.option("--owner", required=True, help="Who deals with it.")
@click.option("--explanation", required=True)
@click.pass_obj
def explain(by: str, number: int, owner: str, explanation: str) -> None:
    """Say who deals with the break NUMBER and what is known of it."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await three_way.explain(connection, by, number, owner, explanation)

    in_transaction(work)
    click.echo(f"break {number} is {owner}'s: {explanation}")


@clerk.command("reconcile")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def reconcile(context: click.Context, as_json: bool) -> None:
    """Compare ledger, warehouse and engine; exit 1 if anything disagrees."""
    by: str = context.obj

    async def work(engine: AsyncEngine) -> three_way.Report:
        async with engine.connect() as connection:
            await may(connection, by, "settle", "supervise")
        return await three_way.reconcile(engine, by)

    report = on_database(work)
    if as_json:
        click.echo(json.dumps({**report._asdict(), "breaks": [found._asdict() for found in report.breaks]}))
    else:
        for found in report.breaks:
            click.echo(described(found))
        click.echo(f"{report.checked} figures compared at sequence {report.sequence}: {len(report.breaks)} breaks")
    context.exit(1 if report.breaks else 0)
