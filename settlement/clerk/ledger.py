"""``goldx clerk``: money in and out, and the balances of the ledger."""

from typing import NamedTuple

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_amount, parse_money, parse_weight
from settlement.base.paging import PageRequest
from settlement.base.units import unit_of
from settlement.clerk.group import clerk, propose, show
from settlement.clerk.options import NUMBER, REASON
from settlement.ledger import balances, cash, corrections, fee_payouts
from settlement.service.listings import PAGE, combined


class _Transfer(NamedTuple):
    account: str
    amount: str
    bank_reference: str


TRANSFER = combined(
    "transfer",
    _Transfer,
    click.option("--account", required=True),
    click.option("--amount", required=True, metavar="CNY", help="CNY, more than zero, such as 1000000.00"),
    click.option("--bank-reference", required=True, help="The escrow bank's number of the transfer."),
)


def _propose_cash(by: str, transfer: _Transfer, sign: int) -> None:
    async def work(connection: AsyncConnection) -> int:
        amount_fen = parse_money(transfer.amount)
        if amount_fen <= 0:
            allowed = "more than zero: cash-in says that money comes in, cash-out that it goes out"
            raise BadValue("amount", transfer.amount, allowed)
        return await cash.propose(connection, by, transfer.account, sign * amount_fen, transfer.bank_reference)

    propose(by, work)


@clerk.command("cash-in")
@TRANSFER
@click.pass_obj
def cash_in(by: str, transfer: _Transfer) -> None:
    """Propose money that has come in at the escrow bank."""
    _propose_cash(by, transfer, 1)


@clerk.command("cash-out")
@TRANSFER
@click.pass_obj
def cash_out(by: str, transfer: _Transfer) -> None:
    """Propose money that is to go out from the escrow bank."""
    _propose_cash(by, transfer, -1)


@clerk.group("correct")
def correct_group() -> None:
    """Correct money or gold on the wrong account: one person proposes with the reason, another approves."""


AMOUNT = click.option("--amount", required=True, metavar="CNY", help="CNY, more than zero.")
DOCUMENT = click.option("--document", required=True, help="Number of the paper that proves it.")


class _Grounds(NamedTuple):
    """Why a correction is made, and the entry that it takes back, if it names one."""

    reason: str
    document: str
    entry: int | None


GROUNDS = combined(
    "grounds",
    _Grounds,
    REASON,
    DOCUMENT,
    click.option(
        "--entry",
        type=int,
        help="Sequence of the entry without a document, from one account to another, that this takes back.",
    ),
)


@correct_group.command("money")
@click.option("--from-account", help="Account that pays; left out: money that went without a document comes back.")
@click.option("--to-account", help="Account that is paid; left out: money that came without a document goes back.")
@AMOUNT
@GROUNDS
@click.pass_obj
def correct_money(by: str, from_account: str | None, to_account: str | None, amount: str, grounds: _Grounds) -> None:
    """Propose to move money between trading accounts, or to correct money that came or went without a document."""

    async def work(connection: AsyncConnection) -> int:
        fen = parse_money(amount)
        why = (grounds.reason, grounds.document)
        return await corrections.propose(connection, by, from_account, to_account, fen, *why, entry=grounds.entry)

    propose(by, work)


@correct_group.command("metal")
@click.option("--symbol", required=True)
@click.option("--fine", "weight", required=True, metavar="GRAMS", help="Fine grams, more than zero.")
@click.option("--from-account", help="Account that gives; left out: gold that went without a document comes back.")
@click.option("--to-account", help="Account that gets it; left out: gold that came without a document goes back.")
@GROUNDS
@click.pass_obj
def correct_metal(
    by: str, symbol: str, weight: str, from_account: str | None, to_account: str | None, grounds: _Grounds
) -> None:
    """Propose to move gold between trading accounts, or to correct gold that came or went without a document."""

    async def work(connection: AsyncConnection) -> int:
        accounts, fine_mg = (from_account, to_account), parse_weight(weight, "weight")
        why = (grounds.reason, grounds.document)
        return await corrections.propose_metal(connection, by, symbol, *accounts, fine_mg, *why, entry=grounds.entry)

    propose(by, work)


@correct_group.command("claim")
@NUMBER
@AMOUNT
@REASON
@DOCUMENT
@click.pass_obj
def pay_quality_claim(by: str, number: int, amount: str, reason: str, document: str) -> None:
    """Propose to pay the upheld claim NUMBER out of the venue's own account."""

    async def work(connection: AsyncConnection) -> int:
        return await corrections.pay_quality_claim(connection, by, number, parse_money(amount), reason, document)

    propose(by, work)


@correct_group.command("fees")
@AMOUNT
@REASON
@click.pass_obj
def pay_out_fees(by: str, amount: str, reason: str) -> None:
    """Propose to pay fee income out to the venue's own account."""

    async def work(connection: AsyncConnection) -> int:
        return await fee_payouts.propose(connection, by, parse_money(amount), reason)

    propose(by, work)


@clerk.command("balances")
@click.option("--account", help="One trading account; default: all, and the venue's own.")
@PAGE
@click.pass_obj
def list_balances(by: str, account: str | None, page: PageRequest) -> None:
    """Show the ledger's balances: CNY in CNY, gold in fine grams."""
    show(
        by,
        page,
        "kind account asset balance unit",
        lambda connection, part: balances.listing(connection, part, name=account),
        lambda row: (row.kind, row.name, row.asset, format_amount(row.balance, row.asset), unit_of(row.asset)),
    )
