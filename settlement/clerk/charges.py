"""``goldx clerk tariff`` and ``goldx clerk fees``: the fees of custody."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

import click
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_decimal, format_money, format_weight
from settlement.base import proposals
from settlement.base.paging import PageRequest
from settlement.base.working_days import today
from settlement.charges import accruals, bills, tariff
from settlement.clerk.group import act, clerk, propose, say_proposed, show
from settlement.clerk.options import DAY
from settlement.documents.charges import FEE_BILL
from settlement.service.listings import PAGE

UMPIRE: Final = "UMPIRE"
"""The fee of an umpire, which has no weight."""
MG_PER_KG: Final = 1_000_000


@clerk.group("tariff")
def tariff_group() -> None:
    """Figures of the tariff."""


@tariff_group.command("list")
@click.option("--day", type=DAY, help="The day they hold on; default: today.")
@PAGE
@click.pass_obj
def tariff_list(by: str, day: date | None, page: PageRequest) -> None:
    """Show the figures with their units, and where each comes from unless it was changed."""
    show(
        by,
        page,
        "name value unit source",
        lambda connection, part: tariff.listing(connection, day or today(), part),
        lambda one: (one.name, *tariff.shown(one.name, one.value), "changed" if one.changed else one.source),
    )


@tariff_group.command("propose")
@click.argument("name", type=click.Choice(sorted(tariff.FIGURES)))
@click.argument("value")
@click.option("--from", "day", type=DAY, required=True, help="First day, such as 2026-12-01; not yet begun.")
@click.pass_obj
def tariff_propose(by: str, name: str, value: str, day: date) -> None:
    """Propose VALUE, in the unit that `tariff list` shows, for NAME from a day on."""

    async def work(connection: AsyncConnection) -> int:
        return await tariff.propose(connection, by, name, tariff.parse(name, value), day)

    propose(by, work)


@clerk.group("fees")
def fees_group() -> None:
    """Accrue and bill fees."""


@fees_group.command("accrue")
@click.option("--day", type=DAY, help="A day that is over; default: every day that is not accrued yet.")
@click.pass_obj
def fees_accrue(by: str, day: date | None) -> None:
    """Accrue the fees of days that are over; the service does it by itself after midnight."""

    async def work(connection: AsyncConnection) -> int:
        if day is None:
            return await accruals.catch_up(connection)
        return await accruals.accrue(connection, day)

    click.echo(f"{act(by, work)} fees accrued")


@fees_group.command("bill")
@click.pass_obj
def fees_bill(by: str) -> None:
    """Propose bills of everything that is owed, arrears included."""

    async def work(connection: AsyncConnection) -> proposals.Proposal | None:
        number = await bills.propose(connection, by)
        return None if number is None else await proposals.find(connection, number)

    made = act(by, work)
    if made is None:
        click.echo("nothing to bill")
    else:
        say_proposed(made)


@fees_group.command("bills")
@click.option("--status", type=click.Choice(FEE_BILL.states), help="Such as ARREAR.")
@PAGE
@click.pass_obj
def fees_bills(by: str, status: str | None, page: PageRequest) -> None:
    """Show bills."""
    show(
        by,
        page,
        "bill account amount_cny status reason",
        lambda connection, part: bills.listing(connection, part, status=status),
        lambda row: (row.bill_no, row.account, format_money(row.amount_fen), row.status, row.reason),
    )


def _accrual(row: Row[Any]) -> Iterable[object]:
    weight = None
    if row.kind != UMPIRE:
        weight = format_weight(row.quantity * (MG_PER_KG if row.kind in tariff.BY_KILOGRAM else 1))
    per = None if row.kind == UMPIRE else tariff.FIGURES[row.kind].of
    amount = format_decimal(row.amount_ufen, 8)
    return row.day, row.kind, row.symbol, weight, format_money(row.rate), per, amount, row.subject, row.bill_no


@fees_group.command("list")
@click.option("--account", required=True)
@PAGE
@click.pass_obj
def fees_list(by: str, account: str, page: PageRequest) -> None:
    """Show what an account was charged: each fee with its gold, its rate, and the document behind it."""
    columns = "day fee symbol weight_g rate_cny rate_per amount_cny document bill"
    show(by, page, columns, lambda connection, part: accruals.listing(connection, account, part), _accrual)
