"""Commands of ``goldx clerk bank`` about payments to members: ordered, sent in a file, and answered by the bank."""

from pathlib import Path
from typing import Final

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.output import JSON, print_table
from goldx.protocol.units import format_money, parse_money
from settlement.banking import answers, payment_table, payouts, withdrawals
from settlement.base.paging import PageRequest
from settlement.clerk.group import act, propose, show
from settlement.clerk.options import FILE, OUT, check_new, contents, shipped_or_file, write_new
from settlement.service.listings import PAGE
from settlement.workbooks.cells import BadFile


@click.command("pay")
@click.option("--account", required=True, help="The trading account whose money it is.")
@click.option("--amount", required=True, metavar="CNY", help="CNY, more than zero.")
@click.option("--payee", required=True, type=int, help="The number of the member's account in `payee list`.")
@click.pass_obj
def pay(by: str, account: str, amount: str, payee: int) -> None:
    """Propose to pay money of an account to its member's account at a bank, as a withdrawal in the member's place."""
    propose(by, lambda connection: withdrawals.pay(connection, by, account, parse_money(amount), payee))


@click.command("payments")
@PAGE
@click.pass_obj
def list_payments(by: str, page: PageRequest) -> None:
    """Show payments to members, with the file that each is in and the bank's last answer."""
    show(
        by,
        page,
        "cash account amount_cny status end_to_end payee_name payee_account payee_bank payment_file answer",
        payouts.listing,
        lambda row: (
            row.cash_id,
            row.account,
            format_money(-row.amount),
            row.status,
            row.end_to_end,
            row.payee_name,
            row.payee_account,
            row.payee_bank,
            row.payment_file_no,
            row.answer,
        ),
    )


@click.command("pay-file")
@click.option("--bank-account", help="The venue's account that pays; a new file has every order that is in none.")
@click.option("--payment-file", type=int, help="The number of a file that was made before: it is written as it was.")
@click.option("--csv", "as_csv", is_flag=True, help="A table in CSV; default: pain.001.")
@click.option("--table", "table_name", help="The bank's table: a name of `bank payment-tables`, or a file; with --csv.")
@OUT
@click.pass_obj
def pay_file(
    by: str, bank_account: str | None, payment_file: int | None, as_csv: bool, table_name: str | None, out: Path
) -> None:
    """Write a payment file for the bank."""
    if (bank_account is None) == (payment_file is None):
        raise click.UsageError("either --bank-account for a new file, or --payment-file for one that was made before")
    if table_name is not None and not (as_csv and bank_account):
        raise click.UsageError("--table goes with --csv and --bank-account")

    async def work(connection: AsyncConnection) -> payouts.Sent:
        if payment_file is not None:
            return await payouts.again(connection, payment_file)
        table = None if table_name is None else _table(table_name)
        return await payouts.send(connection, by, bank_account or "", "CSV" if as_csv else "pain.001", table)

    check_new(out)
    sent = act(by, work)
    total = format_money(sent.sum_fen)
    made = f"payment file {sent.payment_file_no}: {sent.payments} payments, {total} CNY"
    try:
        # After the commit, so that no file is there whose orders do not count as sent.
        write_new(out, sent.content)
    except click.ClickException as error:
        again = f"it is kept: goldx clerk bank pay-file --payment-file {sent.payment_file_no} writes it"
        raise click.ClickException(f"{error.message}; {made}; {again}") from error
    for one in sent.stopped:
        click.echo(f"left out: cash {one.cash_id}, {one.account}, {format_money(one.amount_fen)} CNY: {one.why}")
    click.echo(f"{made}, in {out}")


@click.command("payment-tables")
@JSON
def list_tables() -> None:
    """Show the tables in which payments are written for banks that take CSV."""
    print_table("table title", ((name, payment_table.find(name).title) for name in payment_table.shipped()))


def _table(name: str) -> payment_table.PaymentTable:
    return shipped_or_file("table", name, payment_table.shipped(), payment_table.find, payment_table.parse)


@click.command("pay-answer")
@FILE
@JSON
@click.pass_obj
def pay_answer(by: str, file: Path) -> None:
    """Take in the bank's answer FILE (pain.002); the money of a rejected payment is proposed back to its account."""
    try:
        found = answers.read(contents(file))
        taken = act(by, lambda connection: payouts.take_answers(connection, by, found))
    except BadFile as error:
        raise click.ClickException(str(error)) from error
    print_table(
        "end_to_end answer proposal note", ((one.end_to_end, one.answer, one.proposal, one.note) for one in taken)
    )


COMMANDS: Final = (pay, list_payments, pay_file, list_tables, pay_answer)
