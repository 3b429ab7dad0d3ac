"""``goldx clerk bank``: the venue's bank accounts, and the statements that their banks send."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money
from settlement.banking import accounts, files, imports, profiles
from settlement.base.paging import PageRequest
from settlement.clerk.group import act, clerk, read, show
from settlement.clerk.options import FILE, NUMBER, PAGE, PREVIEW, SHEET, contents
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

    The statements have to add up and to follow those before. What was taken in already is not taken in again.
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
