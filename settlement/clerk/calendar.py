"""``goldx clerk calendar``: holidays, and weekends that are worked."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import working_days
from settlement.clerk.group import clerk, may
from settlement.service.cli import in_transaction


@clerk.group("calendar")
def calendar_group() -> None:
    """Working days: Monday to Friday, but for what stands here."""


@calendar_group.command("set")
@click.argument("day")
@click.option("--working/--holiday", default=False, help="Worked although it is a weekend; default: a holiday.")
@click.option("--name", required=True, help="Why, such as National Day.")
@click.pass_obj
def set_day(by: str, day: str, working: bool, name: str) -> None:
    """Say of DAY (2026-10-01) that it is a holiday or is worked."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await working_days.set_day(connection, by, working_days.parse_day("day", day), working, name)

    in_transaction(work)
    click.echo(f"{day} is {'worked' if working else 'a holiday'}: {name}")


@calendar_group.command("list")
@click.option("--year", type=int, required=True)
@click.pass_obj
def list_days(by: str, year: int) -> None:
    """Show the days of a year that are not as their weekday says, tab separated."""

    async def work(connection: AsyncConnection) -> list[working_days.Day]:
        await may(connection, by, "settle", "supervise")
        return await working_days.days(connection, year)

    for found in in_transaction(work):
        click.echo(f"{found.day}\t{'worked' if found.working else 'holiday'}\t{found.name}")
