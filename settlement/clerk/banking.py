"""``goldx clerk bank``: the venue's bank accounts, and the statements that their banks send."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money
from settlement.banking import accounts, bank_reconciliation, deposits, files, imports, profiles
from settlement.base.paging import PageRequest
from settlement.clerk.group import act, clerk, propose, read, show
from settlement.clerk.options import FILE, NUMBER, PAGE, PREVIEW, REASON, SHEET, contents
from settlement.clerk.reconciliation import described as break_described
from settlement.workbooks import sheets
from settlement.workbooks.cells import BadFile


@clerk.group("bank")
def bank_group() -> None:
    """Bank accounts of the venue, and their statements."""


@bank_group.command("add-account")
@click.argument("account_number")
@click.option("--bank", required=True, help="The bank's name.")
@click.option("--holder", required=True, help="Whose name the account is in.")
@click.option("--profile", help="How tables of this bank are read; `bank profiles` lists them.")
@click.pass_obj
def add_account(by: str, account_number: str, bank: str, holder: str, profile: str | None) -> None:
    """Add the venue's account ACCOUNT_NUMBER at a bank."""
    number = act(by, lambda connection: accounts.add(connection, by, account_number, bank, holder, profile))
    click.echo(f"bank account {number}: {account_number} at {bank}")


@bank_group.command("accounts")
@PAGE
@click.pass_obj
def list_accounts(by: str, page: PageRequest) -> None:
    """Show the venue's bank accounts, tab separated: number, account, bank, holder, currency, profile."""
    show(
        by,
        page,
        accounts.listing,
        lambda row: (row.account_id, row.account_number, row.bank, row.holder, row.currency, row.profile),
    )


@bank_group.command("profiles")
def list_profiles() -> None:
    """Show the profiles by which tables of banks are read, tab separated: name, title."""
    for name in profiles.shipped():
        click.echo(f"{name}\t{profiles.find(name).title}")


@bank_group.command("import")
@FILE
@click.option("--profile", help="How a table is read: a name of `bank profiles`, or a file; default: the account's.")
@click.option("--account", help="The account that a table is of, where it does not say so.")
@SHEET
@PREVIEW
@click.pass_obj
def take_in(
    by: str, file: Path, profile: str | None, account: str | None, sheet: str | None, only_preview: bool
) -> None:
    """Take in a bank's statements FILE: MT940, camt.053, .052, .054, or a table (CSV, XLSX, XLS).

    The statements must add up and continue the earlier ones. Known entries are not taken in again.
    """
    data = contents(file)

    async def work(connection: AsyncConnection) -> imports.Outcome:
        known = await accounts.profile(connection, account) if profile is None else _profile(profile)
        statements = await sheets.in_turn(lambda: files.read(data, known, account, sheet))
        if only_preview:
            return await imports.preview(connection, statements)
        return await imports.take_in(connection, by, file.name, data, statements)

    try:
        outcome = act(by, work)
    except BadFile as error:
        raise click.ClickException(str(error)) from error
    for taken in outcome.statements:
        click.echo("\t".join(_described(taken)))
        for note in taken.notes:
            click.echo(f"\t{note}")
    done = "nothing was changed" if outcome.file_no is None else f"kept as file {outcome.file_no}"
    click.echo(f"{len(outcome.statements)} statements, {sum(t.new for t in outcome.statements)} new entries: {done}")


def _profile(name: str) -> profiles.Profile:
    """Return a profile by its name or from a file."""
    if name in profiles.shipped():
        return profiles.find(name)
    path = Path(name)
    if not path.is_file():
        raise BadValue("profile", name, "a file, or one of " + ", ".join(profiles.shipped()))
    try:
        return profiles.parse(path.stem, contents(path).decode())
    except UnicodeDecodeError as error:
        raise BadValue("profile", name, "a file in UTF-8") from error


def _money(fen: int | None) -> str:
    return "-" if fen is None else format_money(fen)


def _described(taken: imports.Taken) -> Iterable[str]:
    yield taken.account
    yield f"{taken.format} {taken.kind} {taken.stated_id}".rstrip()
    yield f"{taken.first_day} to {taken.last_day}"
    yield f"{_money(taken.opening_fen)} to {_money(taken.closing_fen)}"
    yield "known" if taken.known else f"{taken.new} of {taken.entries} entries new"
    if taken.statement_no is not None:
        yield f"statement {taken.statement_no}"


@bank_group.command("statements")
@click.option("--account", help="Only those of this account.")
@PAGE
@click.pass_obj
def list_statements(by: str, account: str | None, page: PageRequest) -> None:
    """Show statements, tab separated: number, account, kind, format, its own number, days, balances, entries, file."""
    show(
        by,
        page,
        lambda connection, part: imports.listing(connection, part, account=account),
        lambda row: (
            row.statement_no,
            row.account_number,
            row.kind,
            row.format,
            row.stated_id,
            row.first_day,
            row.last_day,
            _money(row.opening_fen),
            _money(row.closing_fen),
            row.entries,
            row.file_no,
        ),
    )


@bank_group.command("statement")
@NUMBER
@click.pass_obj
def show_statement(by: str, number: int) -> None:
    """Show the statement NUMBER and what was noted when it was read, tab separated."""
    row = read(by, lambda connection: imports.find(connection, number))
    click.echo(f"account\t{row.account_number}\t{row.kind}\t{row.format}\t{row.stated_id or '-'}")
    click.echo(f"days\t{row.first_day}\t{row.last_day}")
    click.echo(f"balances\t{_money(row.opening_fen)}\t{_money(row.closing_fen)}")
    click.echo(f"entries\t{row.entries}\tfile {row.file_no}\tby {row.taken_by}")
    for note in row.notes:
        click.echo(f"note\t{note}")


@bank_group.command("entries")
@click.option("--statement", type=int, help="Only those of the statement of this number.")
@PAGE
@click.pass_obj
def list_entries(by: str, statement: int | None, page: PageRequest) -> None:
    """Show the payments in statements, tab separated.

    Number, statement, entry, day, amount, whether it takes another one back, the bank's reference, the reference, the
    other side's name and account, the virtual account, the text.
    """

    def cells(row: Any) -> Iterable[object]:
        taken_back = "reversal" if row.reversal else ""
        amount = format_money(row.amount_fen)
        sides = (row.name, row.account, row.virtual_account, row.text)
        numbers = (row.item_no, row.statement_no, row.place)
        return *numbers, row.day, amount, taken_back, row.bank_reference, row.reference, *sides

    show(by, page, lambda connection, part: imports.items(connection, part, statement=statement), cells)


@bank_group.command("virtual-account")
@click.argument("account_number")
@click.option("--account", required=True, help="The trading account that gets what is paid to it.")
@click.pass_obj
def add_virtual_account(by: str, account_number: str, account: str) -> None:
    """Record that the virtual account ACCOUNT_NUMBER is a trading account's."""
    act(by, lambda connection: deposits.add_virtual_account(connection, by, account_number, account))
    click.echo(f"virtual account {account_number} is {account}'s")


@bank_group.command("virtual-accounts")
@PAGE
@click.pass_obj
def list_virtual_accounts(by: str, page: PageRequest) -> None:
    """Show virtual accounts, tab separated: number, trading account."""
    show(by, page, deposits.virtual_accounts, lambda row: (row.number, row.account))


@bank_group.command("match")
@click.pass_obj
def match_payments(by: str) -> None:
    """Propose the money of every payment whose account can be told, and of every return; show what became of each."""
    for found in act(by, lambda connection: deposits.match(connection, by)):
        amount = format_money(found.amount_fen)
        if found.how is None:
            click.echo(f"payment {found.item_no}\t{amount}\tin suspense\t{found.why}")
        else:
            proposal = "" if found.proposal is None else f"\tproposal {found.proposal}"
            click.echo(f"payment {found.item_no}\t{amount}\t{found.how}\t{found.account}\t{found.why}{proposal}")


@bank_group.command("suspense")
@PAGE
@click.pass_obj
def list_suspense(by: str, page: PageRequest) -> None:
    """Show the payments that no money in or out answers to, tab separated.

    Number, day, amount, whether it takes another one back, bank's reference, reference, name, account, text.
    """
    show(
        by,
        page,
        deposits.suspense,
        lambda row: (
            row.item_no,
            row.day,
            format_money(row.amount_fen),
            "reversal" if row.reversal else "",
            row.bank_reference,
            row.reference,
            row.name,
            row.account,
            row.text,
        ),
    )


@bank_group.command("assign")
@NUMBER
@click.option("--account", required=True, help="The trading account whose money it is.")
@REASON
@click.pass_obj
def assign_payment(by: str, number: int, account: str, reason: str) -> None:
    """Propose the payment NUMBER, which is in suspense, as the money of an account."""
    propose(by, lambda connection: deposits.assign(connection, by, number, account, reason))


@bank_group.command("claims")
@PAGE
@click.pass_obj
def list_claims(by: str, page: PageRequest) -> None:
    """Show what accounts owe since the bank took payments back, tab separated.

    Number of the payment, account, amount, status of the last attempt to take it out, why that was refused.
    """
    show(
        by,
        page,
        deposits.claims,
        lambda row: (row.item_no, row.account, format_money(-row.amount_fen), row.status, row.reason),
    )


@bank_group.command("collect")
@NUMBER
@click.pass_obj
def collect_claim(by: str, number: int) -> None:
    """Propose once more to take out what an account owes for the payment NUMBER."""
    propose(by, lambda connection: deposits.collect(connection, by, number))


@bank_group.command("reconcile")
@click.pass_context
def reconcile(context: click.Context) -> None:
    """Compare the bank's statements with the ledger, payment by payment; exit 1 if anything differs."""
    by: str = context.obj
    proof = act(by, lambda connection: bank_reconciliation.reconcile(connection, by))
    for found in proof.breaks:
        click.echo(break_described(found))
    for account, day, closing in proof.accounts:
        click.echo(f"{account}\t{day}\t{format_money(closing)}")
    click.echo(
        f"bank {format_money(proof.bank_fen)}, ledger {format_money(proof.ledger_fen)}, "
        f"difference {format_money(proof.bank_fen - proof.ledger_fen)}: {len(proof.breaks)} breaks"
    )
    context.exit(1 if proof.breaks else 0)
