"""``goldx clerk load-out``: metal going out."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.units import parse_weight
from settlement import load_out
from settlement.clerk.group import clerk, may
from settlement.cli import in_transaction


@clerk.group("load-out")
def load_out_group() -> None:
    """Withdraw metal."""


@load_out_group.command("apply")
@click.option("--account", required=True)
@click.option("--symbol", required=True)
@click.option("--warehouse", required=True)
@click.option("--weight", required=True, help="Fine grams, such as 3000 or 12.5")
@click.option("--collector", required=True, help="Who will come for it.")
@click.option("--pickup-code", prompt=True, hide_input=True, confirmation_prompt=True, help="6 to 12 digits.")
@click.pass_obj
def load_out_apply(
    by: str, account: str, symbol: str, warehouse: str, weight: str, collector: str, pickup_code: str
) -> None:
    """Allocate lots and propose the load-out."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        fine_mg = parse_weight(weight, "weight")
        wish = load_out.Application(account, symbol, warehouse, fine_mg, collector, pickup_code)
        return await load_out.apply(connection, by, wish)

    click.echo(f"proposal {in_transaction(work)} waits for another person's approval")


@load_out_group.command("release")
@click.argument("number", type=int)
@click.option("--pickup-code", prompt=True, hide_input=True)
@click.pass_obj
def load_out_release(by: str, number: int, pickup_code: str) -> None:
    """Hand the lots of load-out NUMBER to the collector."""

    async def work(connection: AsyncConnection) -> list[int]:
        await may(connection, by, "settle")
        return await load_out.release(connection, by, number, pickup_code)

    click.echo(f"released lots: {', '.join(map(str, in_transaction(work)))}")
