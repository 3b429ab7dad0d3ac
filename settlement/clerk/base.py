"""``goldx clerk``: what waits for a second person, and the calendar of working days."""

import json

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import proposals, working_days
from settlement.base.paging import PageRequest
from settlement.clerk.group import act, clerk, joined, show
from settlement.clerk.options import NUMBER, PAGE
from settlement.service import movements


@clerk.command("proposals")
@PAGE
@click.pass_obj
def list_proposals(by: str, page: PageRequest) -> None:
    """Show what waits for a second person, tab separated: number, kind, by whom, summary."""
    show(
        by,
        page,
        proposals.waiting,
        lambda found: (
            found.proposal_id,
            found.kind,
            f"by {found.proposed_by}",
            json.dumps(found.summary, ensure_ascii=False),
        ),
    )


@clerk.command("approve")
@click.argument("numbers", type=int, nargs=-1, required=True)
@click.pass_obj
def approve(by: str, numbers: tuple[int, ...]) -> None:
    """Approve other people's proposals NUMBERS, all or none."""

    async def work(connection: AsyncConnection) -> None:
        for number in numbers:
            await movements.approve(connection, by, number)

    act(by, work)
    click.echo(f"approved: {joined(numbers)}")


@clerk.command("decline")
@NUMBER
@click.pass_obj
def decline(by: str, number: int) -> None:
    """End the proposal NUMBER without effect."""
    act(by, lambda connection: movements.decline(connection, by, number))
    click.echo(f"declined: {number}")


@clerk.group("calendar")
def calendar_group() -> None:
    """Working days: Monday to Friday, except for the days entered here."""


@calendar_group.command("set")
@click.argument("day")
@click.option("--working/--holiday", default=False, help="Worked although it is a weekend; default: a holiday.")
@click.option("--name", required=True, help="Why, such as National Day.")
@click.pass_obj
def set_day(by: str, day: str, working: bool, name: str) -> None:
    """Enter DAY (such as 2026-10-01) as a holiday, or with --working as a working day."""

    async def work(connection: AsyncConnection) -> None:
        await working_days.set_day(connection, by, working_days.parse_day("day", day), working, name)

    act(by, work)
    click.echo(f"{day} is {'worked' if working else 'a holiday'}: {name}")


@calendar_group.command("list")
@click.option("--year", type=int, required=True)
@PAGE
@click.pass_obj
def list_days(by: str, year: int, page: PageRequest) -> None:
    """Show the days of a year that are not as their weekday says, tab separated."""
    show(
        by,
        page,
        lambda connection, part: working_days.days(connection, year, part),
        lambda found: (found.day, "worked" if found.working else "holiday", found.name),
    )
