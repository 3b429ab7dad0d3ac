"""The ``goldx clerk`` group and what its commands share: who acts, and with which permission."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import registry
from settlement.service.cli import in_transaction

T = TypeVar("T")


@click.group()
@click.option("--as", "name", required=True, envvar="GOLDX_CLERK", help="Who acts: the code of one of the staff.")
@click.pass_context
def clerk(context: click.Context, name: str) -> None:
    """Settle by hand: money, bars, receipts, withdrawals, reconciliation."""
    context.obj = name


async def may(connection: AsyncConnection, name: str, *permissions: str) -> None:
    """Ends the command where one of the staff holds none of the permissions. Raises BadValue for an unknown code."""
    held = await registry.staff_permissions(connection, name)
    if not held & set(permissions):
        raise click.ClickException(f"{name} has none of the permissions {', '.join(permissions)}")


def act(by: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """One act of a clerk, in one transaction."""

    async def run(connection: AsyncConnection) -> T:
        await may(connection, by, "settle")
        return await work(connection)

    return in_transaction(run)


def propose(by: str, work: Callable[[AsyncConnection], Awaitable[int]]) -> None:
    """One proposal of a clerk; says its number."""
    click.echo(f"proposal {act(by, work)} waits for another person's approval")
