"""``goldx day``: the close of trading days."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from goldx.output import JSON, print_record, wants_json
from goldx.protocol.units import format_price
from settlement.base.working_days import parse_day
from settlement.clerk.group import READERS, check_actor, may, read, show
from settlement.clerk.options import PAGE
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing import prices
from settlement.service.commands import on_database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from settlement.base.paging import PageRequest


@click.group("day")
@click.option("--as", "name", default="", envvar="GOLDX_CLERK", help="Who acts: the code of one of the staff.")
@click.pass_context
def day(context: click.Context, name: str) -> None:
    """Close trading days: steps, prices, and what stands in the way."""
    context.obj = name


def _day(_context: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    return None if value is None else parse_day("day", value)


DATE = click.argument("date", callback=_day)


@day.command("close")
@JSON
@click.option("--until", callback=_day, metavar="DATE", help="The last day to close; default: all that are over.")
@click.pass_obj
def close(by: str, until: date | None) -> None:
    """Close the days that are over, oldest first, step by step; exit 1 if something stands in the way."""
    check_actor(by)

    def report(made: closing.Progress) -> None:
        if not wants_json():
            click.echo(f"{made.day} {made.number}/{made.steps} {made.step}: {made.status}")

    async def work(engine: AsyncEngine) -> list[date]:
        async with engine.connect() as connection:
            await may(connection, by, "settle")
        return await closing.close(engine, by, report, until)

    closed = on_database(work)
    if wants_json():
        print_record({"closed": [found.isoformat() for found in closed]})
    else:
        click.echo(f"closed: {', '.join(map(str, closed)) or 'no day is over that is not closed'}")


@day.command("status")
@JSON
@DATE
@click.pass_obj
def status(by: str, date: date) -> None:
    """Show the range of DATE, its state, and the steps of its close."""

    async def work(connection: AsyncConnection) -> closing.Status:
        return await closing.status(connection, await days.find(connection, date))

    found = read(by, work, (*READERS, "operate"))
    print_record(
        {
            "day": found.day.day,
            "first": found.day.first,
            "last": found.day.last,
            "state": found.state,
            "closing_hash": found.closing_hash.hex() if found.closing_hash else None,
            "steps": [
                {
                    "step": row.step,
                    "status": row.status,
                    "input_hash": row.input_hash.hex() if row.input_hash else None,
                    "output_hash": row.output_hash.hex() if row.output_hash else None,
                }
                for row in found.steps
            ],
        }
    )


@day.command("prices")
@DATE
@PAGE
@click.pass_obj
def list_prices(by: str, date: date, page: PageRequest) -> None:
    """Show closing and settlement prices of DATE, how each was found, and from what."""
    show(
        by,
        page,
        "symbol closing_cny closing_method settlement_cny settlement_method inputs",
        lambda connection, part: prices.listing(connection, part, day=date),
        lambda row: (
            row.symbol,
            None if row.closing_price is None else format_price(row.closing_price),
            row.closing_method,
            None if row.settlement_price is None else format_price(row.settlement_price),
            row.settlement_method,
            row.inputs,
        ),
    )
