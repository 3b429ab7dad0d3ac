"""``goldx clerk tariff`` and ``goldx clerk fees``: what custody costs."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money
from settlement.base import working_days
from settlement.charges import fees, tariff
from settlement.clerk.group import clerk, may
from settlement.service.cli import in_transaction
from settlement.tables.charges import BILL_STATES


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


@clerk.group("fees")
def fees_group() -> None:
    """Accrue and bill fees."""


@fees_group.command("accrue")
@click.option("--day", help="A day that is over; default: every day that is not accrued yet.")
@click.pass_obj
def fees_accrue(by: str, day: str | None) -> None:
    """Accrue the fees of days that are over; the service does it by itself after midnight."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        if day is None:
            return await fees.catch_up(connection)
        return await fees.accrue(connection, working_days.parse_day("day", day))

    click.echo(f"{in_transaction(work)} fees accrued")


@fees_group.command("bill")
@click.pass_obj
def fees_bill(by: str) -> None:
    """Propose bills of everything that is owed, arrears included."""

    async def work(connection: AsyncConnection) -> int | None:
        await may(connection, by, "settle")
        return await fees.bill(connection, by)

    number = in_transaction(work)
    click.echo("nothing to bill" if number is None else f"proposal {number} waits for another person's approval")


@fees_group.command("bills")
@click.option("--status", type=click.Choice(BILL_STATES), help="Such as ARREAR.")
@click.pass_obj
def fees_bills(by: str, status: str | None) -> None:
    """Show bills, tab separated: number, account, CNY, status, reason."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        for row in await fees.bills(connection, status=status):
            fields = (row.bill_no, row.account, format_money(row.amount_fen), row.status, row.reason or "-")
            click.echo("\t".join(map(str, fields)))

    in_transaction(work)


@fees_group.command("list")
@click.option("--account", required=True)
@click.pass_obj
def fees_list(by: str, account: str) -> None:
    """Show what an account was charged, tab separated: day, fee, class, quantity, rate, fen, document, bill."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        after = 0
        while found := await fees.accruals(connection, account, after):
            for row in found:
                fen = f"{row.amount_ufen // fees.UFEN}.{row.amount_ufen % fees.UFEN:06d}"
                fields = (row.day, row.kind, row.symbol, row.quantity, row.rate, fen)
                click.echo("\t".join(map(str, (*fields, row.subject or "-", row.bill_no or "-"))))
            after = found[-1].accrual_no

    in_transaction(work)
