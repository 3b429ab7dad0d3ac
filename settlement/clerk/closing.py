"""``goldx clerk account-statements`` and ``goldx clerk bulletin``: the papers of the close."""

from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base.paging import PageRequest
from settlement.base.working_days import parse_day
from settlement.clerk.group import act, clerk, read, show
from settlement.clerk.options import NUMBER, PAGE, write_new
from settlement.closing import bulletin, bulletin_paper, statement_paper, statements
from settlement.closing.paper import LANGUAGES, Language
from settlement.documents.statements import ACCOUNT_STATEMENT

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
@click.option("--day", help="A trading day, such as 2026-11-24.")
@click.option("--member")
@click.option("--account")
@click.option("--status", type=click.Choice(ACCOUNT_STATEMENT.states))
@PAGE
@click.pass_obj
def statements_list(
    by: str, day: str | None, member: str | None, account: str | None, status: str | None, page: PageRequest
) -> None:
    """Show statements: until when a member can object, and who has confirmed or accepted them."""

    async def listing(connection: AsyncConnection, part: PageRequest) -> statements.Listed:
        of_day = None if day is None else parse_day("day", day)
        wanted = {"member": member, "account": account, "status": status}
        return await statements.listing(connection, part, day=of_day, **wanted)

    show(
        by,
        page,
        "statement day member account status due_day settled_by objection answer sha256",
        listing,
        lambda row: (
            row.statement_no,
            row.day,
            row.member,
            row.account,
            row.status,
            row.due_day,
            row.settled_by,
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
@click.argument("day")
@OUT
@LANGUAGE
@click.option("--part", type=click.Choice(bulletin_paper.PARTS), default="instruments", show_default=True)
@click.pass_obj
def bulletin_write(by: str, day: str, out: Path, language: Language, part: str) -> None:
    """Write the bulletin of DAY as .pdf or .xlsx, one --part of it as .csv, or as .json its content."""

    async def work(connection: AsyncConnection) -> bytes:
        kind = _ending(out, *bulletin_paper.KINDS)
        return bulletin_paper.write(await bulletin.find(connection, parse_day("day", day)), kind, language, part)

    _written(out, read(by, work))
