"""``goldx clerk``: the reconciliation."""

import json

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.units import format_amount
from settlement import recon
from settlement.clerk.group import clerk, may
from settlement.cli import on_database


@clerk.command("reconcile")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def reconcile(context: click.Context, as_json: bool) -> None:
    """Compare ledger, warehouse and engine; exit 1 if anything disagrees."""
    by: str = context.obj

    async def work(engine: AsyncEngine) -> recon.Report:
        async with engine.connect() as connection:
            await may(connection, by, "settle", "supervise")
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
