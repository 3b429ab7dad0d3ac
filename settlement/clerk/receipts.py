"""``goldx clerk``: warehouse receipts."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.clerk.group import clerk, may
from settlement.custody import receipts
from settlement.service.cli import in_transaction


@clerk.command("issue")
@click.option("--lot", "numbers", type=int, multiple=True, help="A lot's number; default: every registered lot.")
@click.pass_obj
def issue(by: str, numbers: tuple[int, ...]) -> None:
    """Propose receipts for registered lots."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        return await receipts.propose_issue(connection, by, numbers or await receipts.issuable(connection))

    click.echo(f"proposal {in_transaction(work)} waits for another person's approval")
