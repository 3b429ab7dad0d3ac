"""``goldx day difference``: differences between engine and ledger at a day's end are taken over by two people."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import click

from settlement.clerk.group import ANYBODY, act, propose, show
from settlement.clerk.options import DAY, NUMBER, REASON
from settlement.closing import taking_over
from settlement.documents.closing import DAY_DIFFERENCE
from settlement.service import movements
from settlement.service.listings import PAGE

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from settlement.base.paging import PageRequest
    from settlement.base.proposals import Proposal

_DECIDERS: Final = ("settle", "operate")
_COLUMNS: Final = "account asset engine ledger number status break"


@click.group("difference")
def difference() -> None:
    """Take differences between engine and ledger at the end of a day over, so that it can be closed."""


@difference.command("list")
@click.argument("date", type=DAY)
@PAGE
@click.pass_obj
def list_differences(by: str, date: date, page: PageRequest) -> None:
    """Show where engine and ledger differ at the end of DATE, in CNY or fine grams, and what became of each."""
    show(
        by,
        page,
        _COLUMNS,
        lambda connection, part: taking_over.listing(connection, date, part),
        lambda one: one.shown().values(),
        ANYBODY,
    )


@difference.command("propose")
@click.argument("date", type=DAY)
@click.option(
    "--seen",
    nargs=4,
    multiple=True,
    required=True,
    metavar="ACCOUNT ASSET ENGINE LEDGER",
    help="A difference as `difference list` shows it, in CNY or fine grams; may be given several times.",
)
@click.option("--owner", required=True, help="Who of the staff deals with it from now on.")
@REASON
@click.pass_obj
def propose_difference(
    by: str, date: date, seen: tuple[tuple[str, str, str, str], ...], owner: str, reason: str
) -> None:
    """Propose to take differences at the end of DATE over into the next day; risk approves."""

    async def work(connection: AsyncConnection) -> int:
        differences = [taking_over.seen(*one) for one in seen]
        return await taking_over.propose(connection, by, date, differences, owner, reason)

    propose(by, work)


@difference.command("approve")
@NUMBER
@click.pass_obj
def approve(by: str, number: int) -> None:
    """Approve proposal NUMBER as risk: the differences become breaks, and the day can be closed."""

    async def work(connection: AsyncConnection) -> Proposal:
        return await movements.approve(connection, by, number, DAY_DIFFERENCE.kind)

    day = act(by, work, _DECIDERS).summary["day"]
    click.echo(f"approved: {number}; the differences are breaks now, and `goldx day close` goes on with {day}")


@difference.command("decline")
@NUMBER
@click.pass_obj
def decline(by: str, number: int) -> None:
    """Decline proposal NUMBER."""
    act(by, lambda connection: movements.decline(connection, by, number, DAY_DIFFERENCE.kind), _DECIDERS)
    click.echo(f"declined: {number}")
