"""The ``goldx clerk`` group and what its commands share: who acts, and with which permission."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement import registry


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
