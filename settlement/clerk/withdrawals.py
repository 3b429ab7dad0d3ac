"""``goldx clerk withdrawal`` and ``goldx clerk payee``: withdrawals of members, their limits, and accounts at banks."""

from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money, parse_money
from settlement.banking import payees, payouts, withdrawal_limits, withdrawal_states, withdrawals
from settlement.base.paging import Page, PageRequest
from settlement.base.working_days import shown_time
from settlement.clerk.group import OPERATORS, act, clerk, joined, propose, show
from settlement.clerk.options import NUMBER, REASON
from settlement.documents.banking import WITHDRAWAL_STATES
from settlement.service.listings import PAGE


@clerk.group("withdrawal")
def withdrawal_group() -> None:
    """Withdrawals that members ask for."""


@withdrawal_group.command("list")
@click.option("--status", type=click.Choice(WITHDRAWAL_STATES), help="Only those of one state.")
@click.option("--member", help="Only those of one member.")
@PAGE
@click.pass_obj
def list_withdrawals(by: str, status: str | None, member: str | None, page: PageRequest) -> None:
    """Show withdrawals; ASKED ones wait for a clerk, and the money of `owed` ones is to be given back."""

    async def listing(connection: AsyncConnection, part: PageRequest) -> Page[Any]:
        return await withdrawal_states.listing(connection, part, member=member, state=status)

    show(
        by,
        page,
        "withdrawal member account amount_cny state owed day payee_name payee_account payee_bank payment_file reason",
        listing,
        lambda row: (
            row.withdrawal_no,
            row.member,
            row.account,
            format_money(row.amount_fen),
            row.state,
            bool(row.owed),
            row.day,
            row.payee_name,
            row.payee_account,
            row.payee_bank,
            row.payment_file_no,
            row.reason,
        ),
    )


@withdrawal_group.command("accept")
@NUMBER
@click.pass_obj
def accept(by: str, number: int) -> None:
    """Accept the withdrawal NUMBER: its payment is proposed for a second person."""
    propose(by, lambda connection: withdrawals.accept(connection, by, number))


@withdrawal_group.command("decline")
@NUMBER
@REASON
@click.pass_obj
def decline(by: str, number: int, reason: str) -> None:
    """Decline the withdrawal NUMBER, which nobody has accepted; the member sees the reason."""
    act(by, lambda connection: withdrawals.decline(connection, by, number, reason))
    click.echo(f"withdrawal {number} is declined")


@withdrawal_group.command("give-back")
@NUMBER
@click.pass_obj
def give_back(by: str, number: int) -> None:
    """Propose the money of the withdrawal NUMBER back to its account.

    The member has cancelled it, or it may not be paid: its payee has ended, or the member is not active.
    """
    propose(by, lambda connection: withdrawals.give_back(connection, by, number))


@withdrawal_group.command("limit")
@click.option("--account", help="The trading account; default: all that have no limits of their own.")
@click.option("--per-payment", required=True, metavar="CNY")
@click.option("--per-day", required=True, metavar="CNY", help="Of one account on one trading day.")
@click.option("--wait-hours", required=True, type=int, help="Between the approval of a payee and its first use.")
@click.pass_obj
def limit(by: str, account: str | None, per_payment: str, per_day: str, wait_hours: int) -> None:
    """Propose limits, as the operator; another person who may settle approves them."""

    async def work(connection: AsyncConnection) -> int:
        money = (parse_money(per_payment, "per_payment"), parse_money(per_day, "per_day"))
        return await withdrawal_limits.propose(connection, by, withdrawal_limits.Limits(*money, wait_hours), account)

    propose(by, work, OPERATORS)


@withdrawal_group.command("limits")
@PAGE
@click.pass_obj
def list_limits(by: str, page: PageRequest) -> None:
    """Show all limits that were proposed; of the agreed ones of an account the newest holds."""
    show(
        by,
        page,
        "limit account per_payment_cny per_day_cny wait_hours status",
        withdrawal_limits.listing,
        lambda row: (
            row.limit_no,
            row.account,
            format_money(row.per_payment_fen),
            format_money(row.per_day_fen),
            row.wait_hours,
            row.status,
        ),
    )


@clerk.group("payee")
def payee_group() -> None:
    """Members' own accounts at banks."""


@payee_group.command("add")
@click.option("--member", required=True, help="The member's code.")
@click.option("--payee-name", required=True, help="The member's name, and no other.")
@click.option("--payee-account", required=True)
@click.option("--payee-bank", required=True, help="The twelve digits of its bank (CNAPS), or its name.")
@click.pass_obj
def add(by: str, member: str, payee_name: str, payee_account: str, payee_bank: str) -> None:
    """Propose an account of a member at a bank."""
    payee = payouts.Payee(payee_name, payee_account, payee_bank)
    propose(by, lambda connection: payees.propose(connection, by, member, payee))


@payee_group.command("list")
@click.option("--member", help="Only those of one member.")
@PAGE
@click.pass_obj
def list_payees(by: str, member: str | None, page: PageRequest) -> None:
    """Show members' accounts at banks."""
    show(
        by,
        page,
        "payee member payee_name payee_account payee_bank status usable_at reason",
        lambda connection, part: payees.listing(connection, part, member=member),
        lambda row: (
            row.payee_no,
            row.member,
            row.name,
            row.account_number,
            row.bank,
            row.status,
            None if row.usable_at is None else shown_time(row.usable_at),
            row.end_reason,
        ),
    )


@payee_group.command("end")
@NUMBER
@REASON
@click.pass_obj
def end(by: str, number: int, reason: str) -> None:
    """End the account NUMBER of a member at a bank: nothing more is paid to it, and its withdrawals are named."""
    stopped = act(by, lambda connection: payees.end(connection, by, number, reason))
    click.echo(f"payee {number} has ended" + (f"; it stops the withdrawals {joined(stopped)}" if stopped else ""))
