"""``goldx clerk``: money, the ledger's balances, and what waits for a second person."""

import json

import click
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_amount, parse_money
from settlement.base import proposals
from settlement.clerk.group import clerk, may
from settlement.ledger import cash
from settlement.service import movements
from settlement.service.cli import in_transaction
from settlement.tables.ledger import ledger_account


def _propose_cash(by: str, account: str, amount: str, bank_reference: str, sign: int) -> None:
    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        return await cash.propose(connection, by, account, sign * abs(parse_money(amount)), bank_reference)

    click.echo(f"proposal {in_transaction(work)} waits for another person's approval")


@clerk.command("cash-in")
@click.option("--account", required=True)
@click.option("--amount", required=True, help="CNY, such as 1000000.00")
@click.option("--bank-reference", required=True, help="The escrow bank's number of the transfer.")
@click.pass_obj
def cash_in(by: str, account: str, amount: str, bank_reference: str) -> None:
    """Propose money that has come in at the escrow bank."""
    _propose_cash(by, account, amount, bank_reference, 1)


@clerk.command("cash-out")
@click.option("--account", required=True)
@click.option("--amount", required=True, help="CNY, such as 1000000.00")
@click.option("--bank-reference", required=True, help="The escrow bank's number of the transfer.")
@click.pass_obj
def cash_out(by: str, account: str, amount: str, bank_reference: str) -> None:
    """Propose money that is to go out from the escrow bank."""
    _propose_cash(by, account, amount, bank_reference, -1)


@clerk.command("proposals")
@click.pass_obj
def list_proposals(by: str) -> None:
    """Show what waits for a second person."""

    async def work(connection: AsyncConnection) -> list[proposals.Proposal]:
        await may(connection, by, "settle", "supervise")
        return await proposals.waiting(connection)

    for found in in_transaction(work):
        summary = json.dumps(found.summary, ensure_ascii=False)
        click.echo(f"{found.proposal_id}\t{found.kind}\tby {found.proposed_by}\t{summary}")


@clerk.command("approve")
@click.argument("numbers", type=int, nargs=-1, required=True)
@click.pass_obj
def approve(by: str, numbers: tuple[int, ...]) -> None:
    """Approve other people's proposals NUMBERS, all or none."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        for number in numbers:
            await movements.approve(connection, by, number)

    in_transaction(work)
    click.echo(f"approved: {', '.join(map(str, numbers))}")


@clerk.command("decline")
@click.argument("number", type=int)
@click.pass_obj
def decline(by: str, number: int) -> None:
    """End the proposal NUMBER without effect."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await movements.decline(connection, by, number)

    in_transaction(work)
    click.echo(f"declined: {number}")


@clerk.command("balances")
@click.option("--account", help="One trading account; default: all, and the venue's own.")
@click.pass_obj
def balances(by: str, account: str | None) -> None:
    """Show the ledger's balances, tab separated: kind, account, asset, balance."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        columns = ledger_account.c
        query = select(ledger_account).order_by(columns.kind, columns.name, columns.asset)
        for row in await connection.execute(query if account is None else query.where(columns.name == account)):
            click.echo(f"{row.kind}\t{row.name}\t{row.asset}\t{format_amount(row.balance, row.asset)}")

    in_transaction(work)
