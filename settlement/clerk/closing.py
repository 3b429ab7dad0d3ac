"""``goldx clerk account-statements``, ``bulletin`` and ``invoice``: the papers of the close."""

from datetime import date
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money
from settlement.base.paging import Page, PageRequest
from settlement.clerk.group import act, clerk, joined, read, show
from settlement.clerk.options import DAY, NUMBER, write_new
from settlement.closing import (
    bulletin,
    bulletin_paper,
    invoice_paper,
    invoice_parts,
    invoices,
    red_invoices,
    statement_paper,
    statements,
    tax_profiles,
)
from settlement.closing.invoice_parts import Part
from settlement.closing.paper import LANGUAGES, Language
from settlement.closing.red_invoices import LineLeft
from settlement.closing.tax_profiles import Buyer
from settlement.documents.statements import ACCOUNT_STATEMENT, INVOICE
from settlement.service.listings import PAGE
from settlement.tables.papers import INVOICE_KINDS, INVOICE_PERIODS

OUT = click.option("--out", required=True, type=click.Path(path_type=Path), help="A file that must not exist.")
LANGUAGE = click.option("--language", type=click.Choice(LANGUAGES), default="zh", show_default=True)


def _ending(out: Path, *allowed: str) -> str:
    """Return the ending of a file's name without its point. Raises BadValue for one that is not allowed."""
    ending = out.suffix.removeprefix(".")
    if ending not in allowed:
        raise BadValue("out", out.name, "a file with the ending " + " or ".join("." + one for one in allowed))
    return ending


def _written(out: Path, data: bytes) -> None:
    write_new(out, data)
    click.echo(f"{out}: {len(data)} bytes")


@clerk.group("account-statements")
def statements_group() -> None:
    """Statements of account, one for each account and each member of a trading day."""


@statements_group.command("list")
@click.option("--day", type=DAY, help="A trading day, such as 2026-11-24.")
@click.option("--member")
@click.option("--account")
@click.option("--status", type=click.Choice(ACCOUNT_STATEMENT.states))
@PAGE
@click.pass_obj
def statements_list(
    by: str, day: date | None, member: str | None, account: str | None, status: str | None, page: PageRequest
) -> None:
    """Show statements: until when a member can object, and who has confirmed or accepted them."""

    async def listing(connection: AsyncConnection, part: PageRequest) -> statements.Listed:
        wanted = {"member": member, "account": account, "status": status}
        return await statements.listing(connection, part, day=day, **wanted)

    show(
        by,
        page,
        "statement day member account status due_day accepted_by objection answer sha256",
        listing,
        lambda row: (
            row.statement_no,
            row.day,
            row.member,
            row.account,
            row.status,
            row.due_day,
            row.accepted_by,
            row.objection,
            row.answer,
            row.hash.hex(),
        ),
    )


@statements_group.command("write")
@NUMBER
@OUT
@LANGUAGE
@click.pass_obj
def statements_write(by: str, number: int, out: Path, language: Language) -> None:
    """Write statement NUMBER as .pdf or .xlsx, or as .json its content, which is what the SHA-256 is of."""

    async def work(connection: AsyncConnection) -> bytes:
        kind = _ending(out, *statement_paper.KINDS)
        return statement_paper.write(await statements.find(connection, number), kind, language)

    _written(out, read(by, work))


@statements_group.command("answer")
@NUMBER
@click.option("--answer", "text", required=True, help="What the member is told; up to 500 characters.")
@click.pass_obj
def statements_answer(by: str, number: int, text: str) -> None:
    """Answer the objection to statement NUMBER, which then waits for its member again."""
    due = act(by, lambda connection: statements.answer(connection, by, number, text))
    click.echo(f"statement {number} waits for its member until {due}")


@clerk.group("bulletin")
def bulletin_group() -> None:
    """The bulletin of each closed day: prices, volumes, gold under receipt, stock, open breaks."""


@bulletin_group.command("list")
@PAGE
@click.pass_obj
def bulletin_list(by: str, page: PageRequest) -> None:
    """Show the days that have a bulletin."""
    show(by, page, "day sha256", bulletin.listing, lambda row: (row.day, row.hash.hex()))


@bulletin_group.command("write")
@click.argument("day", type=DAY)
@OUT
@LANGUAGE
@click.option("--part", type=click.Choice(bulletin_paper.PARTS), default="instruments", show_default=True)
@click.pass_obj
def bulletin_write(by: str, day: date, out: Path, language: Language, part: str) -> None:
    """Write the bulletin of DAY as .pdf or .xlsx, one --part of it as .csv, or as .json its content."""

    async def work(connection: AsyncConnection) -> bytes:
        kind = _ending(out, *bulletin_paper.KINDS)
        return bulletin_paper.write(await bulletin.find(connection, day), kind, language, part)

    _written(out, read(by, work))


@clerk.group("invoice")
def invoice_group() -> None:
    """Invoices of the venue's fees, and the buyers that they name."""


@invoice_group.command("list")
@click.option("--member")
@click.option("--status", type=click.Choice(INVOICE.states))
@PAGE
@click.pass_obj
def invoice_list(by: str, member: str | None, status: str | None, page: PageRequest) -> None:
    """Show invoices, red ones too, with what is left of each and the ones that they correct or replace."""
    show(
        by,
        page,
        "invoice day member kind net_cny tax_cny total_cny remaining_cny status corrects replaces reason",
        lambda connection, part: invoices.listing(connection, part, member=member, status=status),
        lambda row: (
            row.invoice_no,
            row.day,
            row.member,
            row.kind,
            format_money(row.net_fen),
            format_money(row.tax_fen),
            format_money(row.total_fen),
            None if row.remaining_fen is None else format_money(row.remaining_fen),
            row.status,
            row.corrects,
            row.replaces,
            row.reason,
        ),
    )


@invoice_group.command("write")
@NUMBER
@OUT
@LANGUAGE
@click.pass_obj
def invoice_write(by: str, number: int, out: Path, language: Language) -> None:
    """Write invoice NUMBER as .pdf or .xlsx, or as .json its content, which is what the SHA-256 is of."""

    async def work(connection: AsyncConnection) -> bytes:
        kind = _ending(out, *invoice_paper.KINDS)
        return invoice_paper.write(await invoices.find(connection, number), kind, language)

    _written(out, read(by, work))


@invoice_group.command("lines")
@NUMBER
@PAGE
@click.pass_obj
def invoice_lines(by: str, number: int, page: PageRequest) -> None:
    """Show the lines of invoice NUMBER, and what red invoices have left of each."""

    async def listing(connection: AsyncConnection, part: PageRequest) -> Page[LineLeft]:
        return await red_invoices.lines_left(connection, await invoices.find(connection, number), part)

    def cells(one: LineLeft) -> tuple[object, ...]:
        about = (one.line[name] for name in ("fee", "account", "symbol", "document"))
        return (one.number, *about, format_money(one.line["amount_fen"]), format_money(one.remaining_fen))

    show(by, page, "line fee account class document amount_cny remaining_cny", listing, cells)


def _parts(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[Part]:
    try:
        return [invoice_parts.parse(line, amount if equals else None) for line, equals, amount in map(_split, values)]
    except BadValue as error:
        raise click.BadParameter(str(error)) from None


def _split(text: str) -> tuple[str, str, str]:
    return text.partition("=")


@invoice_group.command("correct")
@NUMBER
@click.option("--reason", required=True, help="The member reads it on the red invoice.")
@click.option("--again", is_flag=True, help="Issue what is left again, to the buyer that holds by then.")
@click.option(
    "--line",
    "parts",
    multiple=True,
    callback=_parts,
    metavar="LINE[=CNY]",
    help="Only this line, or an amount with tax of it; may be given for several lines. Default: all that is left.",
)
@click.pass_obj
def invoice_correct(by: str, number: int, reason: str, again: bool, parts: list[Part]) -> None:
    """Propose to cancel invoice NUMBER, or a part of it, out by a red one; another person approves."""
    act(by, lambda connection: red_invoices.propose(connection, by, number, reason, again=again, parts=parts))
    click.echo(f"invoice {number} waits for another person: goldx clerk invoice approve-correction {number}")


@invoice_group.command("approve-correction")
@NUMBER
@click.pass_obj
def invoice_approve_correction(by: str, number: int) -> None:
    """Cancel invoice NUMBER out, or the part of it that another person has proposed."""

    async def work(connection: AsyncConnection) -> tuple[list[int], int]:
        made = await red_invoices.approve(connection, by, number)
        left = await red_invoices.lines_left(connection, await invoices.find(connection, number))
        return made, sum(one.remaining_fen for one in left)

    made, remaining = act(by, work)
    became = f"has {format_money(remaining)} CNY left" if remaining else "is cancelled out"
    click.echo(f"invoice {number} {became}; issued: {joined(made)}")


@invoice_group.command("decline-correction")
@NUMBER
@click.pass_obj
def invoice_decline_correction(by: str, number: int) -> None:
    """Let invoice NUMBER stand as it is."""
    act(by, lambda connection: red_invoices.decline(connection, by, number))
    click.echo(f"invoice {number} stands")


@invoice_group.command("seller")
@click.option("--title", required=True, help="The venue's name on invoices.")
@click.option("--tax-number", required=True, help="15 to 20 digits and capital letters.")
@click.pass_obj
def invoice_seller(by: str, title: str, tax_number: str) -> None:
    """Record the seller that invoices name from the present trading day on: the venue."""
    day = act(by, lambda connection: tax_profiles.add_seller(connection, by, title, tax_number))
    click.echo(f"invoices name this seller from {day} on")


@invoice_group.command("buyer")
@click.argument("member")
@click.option("--title", required=True, help="The buyer's name on the invoice.")
@click.option("--tax-number", default="", help="15 to 20 digits and capital letters; a special invoice needs it.")
@click.option("--kind", type=click.Choice(INVOICE_KINDS), default="ORDINARY", show_default=True)
@click.option("--period", type=click.Choice(INVOICE_PERIODS), default="MONTH", show_default=True)
@click.pass_obj
def invoice_buyer(by: str, member: str, title: str, tax_number: str, kind: str, period: str) -> None:
    """Record the buyer that MEMBER's invoices name from the present trading day on."""
    buyer = Buyer(title, tax_number, kind, period)
    day = act(by, lambda connection: tax_profiles.add(connection, by, member, buyer))
    click.echo(f"invoices of {member} name this buyer from {day} on")


@invoice_group.command("buyers")
@PAGE
@click.pass_obj
def invoice_buyers(by: str, page: PageRequest) -> None:
    """Show the buyers that were recorded, oldest first."""
    columns = "member title tax_number kind period from_day recorded_by"
    show(
        by,
        page,
        columns,
        tax_profiles.listing,
        lambda row: (row.member, row.title, row.tax_number, row.kind, row.period, row.from_day, row.by),
    )
