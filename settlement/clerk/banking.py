"""``goldx clerk bank``: the venue's bank accounts, and the statements that their banks send."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.output import JSON, Both, print_record, print_table, wants_json
from goldx.protocol.units import format_money
from settlement.banking import (
    accounts,
    bank_reconciliation,
    files,
    imports,
    profiles,
    virtual_accounts,
    voids,
)
from settlement.banking.chain import READINGS
from settlement.base.paging import PageRequest
from settlement.base.working_days import today
from settlement.clerk import bank_matching, payments
from settlement.clerk.group import act, clerk, propose, read, show
from settlement.clerk.options import DAY, FILE, NUMBER, PREVIEW, REASON, STATED, contents, shipped_or_file
from settlement.clerk.reconciliation import break_record, print_breaks
from settlement.service.listings import PAGE
from settlement.workbooks import sheets
from settlement.workbooks.as_read import AsRead
from settlement.workbooks.cells import BadFile
from settlement.workbooks.formats import Stated


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
    """Show the venue's bank accounts, and the profiles that their tables are read by."""
    show(
        by,
        page,
        "number account bank holder currency profile",
        accounts.listing,
        lambda row: (row.account_id, row.account_number, row.bank, row.holder, row.currency, row.profile),
    )


@bank_group.command("profiles")
@JSON
def list_profiles() -> None:
    """Show the profiles by which tables of banks are read."""
    print_table("profile title", ((name, profiles.find(name).title) for name in profiles.shipped()))


@bank_group.command("import")
@FILE
@click.option("--profile", help="How a table is read: a name of `bank profiles`, or a file; default: the account's.")
@click.option("--bank-account", "account", help="The account that a table is of, where it does not say so.")
@click.option(
    "--entries",
    type=click.Choice(READINGS),
    help="Whether entries without references that equal known ones are these or new ones, where balances allow both.",
)
@STATED
@PREVIEW
@JSON
@click.pass_obj
def take_in(
    by: str,
    file: Path,
    profile: str | None,
    account: str | None,
    entries: str | None,
    stated: Stated,
    only_preview: bool,
) -> None:
    """Take in a bank's statements FILE: MT940, camt.053, .052, .054, or a table (CSV, XLSX, XLS).

    The statements must add up and continue the earlier ones. Known entries are not taken in again.
    """
    data = contents(file)

    async def work(connection: AsyncConnection) -> tuple[imports.ImportedFile, AsRead | None]:
        known = await accounts.profile(connection, account) if profile is None else _profile(profile)
        found = await sheets.in_turn(lambda: files.read(data, known, account, stated))
        if only_preview:
            return await imports.preview(connection, data, found.statements, entries), found.as_read
        return await imports.take_in(connection, by, file.name, data, found.statements, entries), None

    try:
        outcome, as_read = act(by, work)
    except BadFile as error:
        raise click.ClickException(str(error)) from error
    if wants_json():
        record = {"file": outcome.file_no, "statements": [_described(taken) for taken in outcome.statements]}
        print_record(record if as_read is None else {**record, "as_read": as_read.record()})
        return
    for line in as_read.lines() if as_read is not None else ():
        click.echo(line)
    rows = [_described(taken) for taken in outcome.statements]
    print_table(" ".join(rows[0]), (row.values() for row in rows))
    done = "nothing was changed" if outcome.file_no is None else f"kept as file {outcome.file_no}"
    click.echo(f"{len(outcome.statements)} statements, {sum(t.new for t in outcome.statements)} new entries: {done}")


def _profile(name: str) -> profiles.Profile:
    return shipped_or_file("profile", name, profiles.shipped(), profiles.find, profiles.parse)


def _money(fen: int | None) -> str | None:
    return None if fen is None else format_money(fen)


def _described(taken: imports.ImportedStatement) -> dict[str, object]:
    return {
        "statement": taken.statement_no,
        "account": taken.account,
        "kind": taken.kind,
        "format": taken.format,
        "stated_id": taken.stated_id,
        "first_day": taken.first_day,
        "last_day": taken.last_day,
        "opening_cny": _money(taken.opening_fen),
        "closing_cny": _money(taken.closing_fen),
        "entries": taken.entries,
        "new_entries": taken.new,
        "known": taken.known,
        "notes": Both("; ".join(taken.notes), list(taken.notes)),
    }


@bank_group.command("statements")
@click.option("--bank-account", "account", help="Only those of this account.")
@PAGE
@click.pass_obj
def list_statements(by: str, account: str | None, page: PageRequest) -> None:
    """Show statements with their days, balances and entries."""
    show(
        by,
        page,
        "statement account kind format stated_id first_day last_day opening_cny closing_cny entries file void",
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
            row.void_no,
        ),
    )


@bank_group.command("statement")
@JSON
@NUMBER
@click.pass_obj
def show_statement(by: str, number: int) -> None:
    """Show the statement NUMBER, with the notes that were made when it was read."""
    row = read(by, lambda connection: imports.find(connection, number))
    print_record(
        {
            "statement": number,
            "account": row.account_number,
            "kind": row.kind,
            "format": row.format,
            "stated_id": row.stated_id,
            "first_day": row.first_day,
            "last_day": row.last_day,
            "opening_cny": _money(row.opening_fen),
            "closing_cny": _money(row.closing_fen),
            "entries": row.entries,
            "file": row.file_no,
            "by": row.taken_by,
            "void": row.void_no,
            "void_reason": row.void_reason,
            "notes": [{"note": note} for note in row.notes],
        }
    )


@bank_group.command("entries")
@click.option("--statement", type=int, help="Only those of the statement of this number.")
@PAGE
@click.pass_obj
def list_entries(by: str, statement: int | None, page: PageRequest) -> None:
    """Show the payments in statements; a reversal takes another one back, name and account are the other side's.

    A voided one is in a statement that counts for nothing.
    """

    def cells(row: Any) -> Iterable[object]:
        amount = format_money(row.amount_fen)
        sides = (row.name, row.account, row.virtual_account, row.text)
        numbers = (row.item_no, row.statement_no, row.place)
        marks = (bool(row.reversal), bool(row.voided))
        return *numbers, row.day, amount, *marks, row.bank_reference, row.reference, *sides

    columns = "number statement entry day amount_cny reversal voided bank_reference reference name account"
    columns += " virtual_account text"
    show(by, page, columns, lambda connection, part: imports.items(connection, part, statement=statement), cells)


@bank_group.command("void")
@NUMBER
@REASON
@click.option("--with-later", is_flag=True, help="Void those too that follow it and rest on its balance.")
@click.pass_obj
def void_statement(by: str, number: int, reason: str, with_later: bool) -> None:
    """Propose to void the statement NUMBER, which is wrong: what its payments have booked is undone."""
    propose(by, lambda connection: voids.propose(connection, by, number, reason, with_later=with_later))


@bank_group.command("voids")
@PAGE
@click.pass_obj
def list_voids(by: str, page: PageRequest) -> None:
    """Show the statements that were voided as wrong, or are proposed to be, and those that were voided with them."""
    show(
        by,
        page,
        "void status account statement statements reason",
        voids.listing,
        lambda row: (
            row.void_no,
            row.status,
            row.account_number,
            row.statement_no,
            Both(", ".join(map(str, row.statements)), list(row.statements)),
            row.reason,
        ),
    )


@bank_group.command("virtual-account")
@click.argument("account_number")
@click.option("--account", required=True, help="The trading account that gets what is paid to it.")
@click.pass_obj
def add_virtual_account(by: str, account_number: str, account: str) -> None:
    """Assign the virtual account ACCOUNT_NUMBER to a trading account."""
    act(by, lambda connection: virtual_accounts.add(connection, by, account_number, account))
    click.echo(f"virtual account {account_number} is {account}'s")


@bank_group.command("virtual-accounts")
@PAGE
@click.pass_obj
def list_virtual_accounts(by: str, page: PageRequest) -> None:
    """Show virtual accounts and the trading accounts that they belong to."""
    columns = "virtual_account account ended_from"
    show(by, page, columns, virtual_accounts.listing, lambda row: (row.number, row.account, row.ended_from))


@bank_group.command("end-virtual-account")
@click.argument("account_number")
@click.option("--from-day", type=DAY, help="The first day of which payments to it wait in suspense; default: today.")
@REASON
@click.pass_obj
def end_virtual_account(by: str, account_number: str, from_day: date | None, reason: str) -> None:
    """Propose to end the virtual account ACCOUNT_NUMBER: no payment to it is a trading account's any more."""
    day = from_day or today()
    propose(by, lambda connection: virtual_accounts.propose_end(connection, by, account_number, day, reason))


for each in (
    bank_matching.match_payments,
    bank_matching.list_suspense,
    bank_matching.list_near_ties,
    bank_matching.tie_payments,
    bank_matching.list_ties,
    bank_matching.assign_payment,
    bank_matching.list_claims,
    bank_matching.collect_claim,
    *payments.COMMANDS,
):
    bank_group.add_command(each)


@bank_group.command("reconcile")
@JSON
@click.pass_context
def reconcile(context: click.Context) -> None:
    """Compare the bank's statements with the ledger, payment by payment; exit 1 if anything differs."""
    by: str = context.obj
    proof = act(by, lambda connection: bank_reconciliation.reconcile(connection, by))
    columns = "account day closing_cny"
    rows = [(account, day, format_money(closing)) for account, day, closing in proof.accounts]
    figures = (proof.bank_fen, proof.ledger_fen, proof.bank_fen - proof.ledger_fen)
    bank, ledger, difference = map(format_money, figures)
    if wants_json():
        accounts = [dict(zip(columns.split(), row, strict=True)) for row in rows]
        sums = {"bank_cny": bank, "ledger_cny": ledger, "difference_cny": difference}
        print_record({**sums, "accounts": accounts, "breaks": [break_record(found) for found in proof.breaks]})
    else:
        print_breaks(proof.breaks)
        print_table(columns, rows)
        click.echo(f"bank {bank}, ledger {ledger}, difference {difference}: {len(proof.breaks)} breaks")
    context.exit(1 if proof.breaks else 0)
