"""``goldx clerk tariff``: what custody costs."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement import tariff, working_days
from settlement.clerk.group import clerk, may
from settlement.cli import in_transaction


@clerk.group("tariff")
def tariff_group() -> None:
    """Figures of the tariff."""


@tariff_group.command("list")
@click.option("--on", "day", help="The day they hold on; default: today.")
@click.pass_obj
def tariff_list(by: str, day: str | None) -> None:
    """Show the figures, tab separated: name, value, unit, where it comes from unless it was changed."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        on = working_days.today() if day is None else working_days.parse_day("on", day)
        for name, value in (await tariff.on(connection, on)).items():
            figure = tariff.FIGURES[name]
            source = figure.source if value == figure.value else "changed"
            click.echo(f"{name}\t{value}\t{figure.unit}\t{source}")

    in_transaction(work)


@tariff_group.command("propose")
@click.argument("name", type=click.Choice(sorted(tariff.FIGURES)))
@click.argument("value", type=int)
@click.option("--from", "day", required=True, help="First day, such as 2026-12-01; not yet begun.")
@click.pass_obj
def tariff_propose(by: str, name: str, value: int, day: str) -> None:
    """Propose VALUE for NAME from a day on."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        return await tariff.propose(connection, by, name, value, working_days.parse_day("from", day))

    click.echo(f"proposal {in_transaction(work)} waits for another person's approval")
