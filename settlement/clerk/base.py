"""``goldx clerk``: proposals, documents, and the calendar of working days."""

import json
from collections.abc import Iterable

import click
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from settlement.base import working_days
from settlement.base.paging import PageRequest
from settlement.clerk.group import act, clerk, joined, read, show
from settlement.clerk.options import NUMBER, PAGE
from settlement.documents.kinds import PROPOSAL
from settlement.service import documents, movements
from settlement.service.commands import on_database


@clerk.command("proposals")
@click.option("--status", type=click.Choice(PROPOSAL.states), default="PROPOSED", show_default=True)
@PAGE
@click.pass_obj
def list_proposals(by: str, status: str, page: PageRequest) -> None:
    """Show proposals that wait for a second person, tab separated: number, kind, by whom, summary, lots, accounts."""
    show(
        by,
        page,
        lambda connection, part: documents.proposals_with_lots(connection, part, status=status),
        lambda found: (
            found.proposal_id,
            found.kind,
            f"by {found.proposed_by}",
            _json(found.summary),
            documents.ranges(found.lots),
            ", ".join(found.accounts),
        ),
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@clerk.command("proposal")
@NUMBER
@click.pass_obj
def show_proposal(by: str, number: int) -> None:
    """Show the proposal NUMBER, its lots and accounts, and its outcome, tab separated."""
    found = read(by, lambda connection: documents.show_proposal(connection, number))
    decided = f"by {found.decided_by}" if found.decided_by else "by nobody yet"
    click.echo(f"{found.kind}\t{found.status}\tproposed by {found.proposed_by}\tdecided {decided}")
    click.echo(f"summary\t{_json(found.summary)}")
    click.echo(f"lots\t{documents.ranges(found.lots) or '-'}")
    click.echo(f"accounts\t{', '.join(found.accounts) or '-'}")
    _echo_answers(found.answers)


def _echo_answers(answers: Iterable[documents.Answer]) -> None:
    for answer in answers:
        click.echo(f"engine\t{answer.reference}\t{answer.status}\t{answer.reason or '-'}")


@clerk.command("documents")
@click.argument("kind", type=click.Choice(list(documents.TABLES)))
@click.option("--status", help="Only those in this state; `states KIND` lists the states.")
@PAGE
@click.pass_obj
def list_documents(by: str, kind: str, status: str | None, page: PageRequest) -> None:
    """Show the documents of a KIND, tab separated: number, state, contents with the reason of its end."""
    show(
        by,
        page,
        lambda connection, part: documents.listing(connection, kind, part, status=status),
        lambda found: (found.number, found.status, _json(found.says)),
    )


@clerk.command("document")
@click.argument("kind", type=click.Choice(list(documents.TABLES)))
@NUMBER
@click.pass_obj
def show_document(by: str, kind: str, number: int) -> None:
    """Show one document, its lots, the proposals about it and the engine's answers, tab separated."""
    found = read(by, lambda connection: documents.show(connection, kind, number))
    click.echo(f"{kind}\t{number}\t{found.status}")
    for name, value in found.says.items():
        click.echo(f"{name}\t{'-' if value in (None, '') else value}")
    click.echo(f"lots\t{documents.ranges(found.lots) or '-'}")
    for about in found.proposals:
        decided = about["decided_by"] or "nobody yet"
        shown = (about["proposal_id"], about["kind"], about["status"], f"by {about['proposed_by']}", f"by {decided}")
        click.echo("proposal\t" + "\t".join(map(str, shown)))
    _echo_answers(found.answers)


@clerk.command("approve")
@click.argument("numbers", type=int, nargs=-1, required=True)
@click.option("--wait", "waits", is_flag=True, help="Wait for the engine's answers and print them.")
@click.option("--seconds", type=click.IntRange(1), default=60, show_default=True, help="How long to wait at most.")
@click.pass_obj
def approve(by: str, numbers: tuple[int, ...], waits: bool, seconds: int) -> None:
    """Approve other people's proposals NUMBERS, all or none.

    With --wait the exit code is 1 if the engine refuses, or has not answered in time.
    """

    async def work(connection: AsyncConnection) -> None:
        for number in numbers:
            await movements.approve(connection, by, number)

    act(by, work)
    click.echo(f"approved: {joined(numbers)}")
    if waits:
        _say_what_came(numbers, seconds)


def _say_what_came(numbers: tuple[int, ...], seconds: int) -> None:
    """Print the outcome of approved proposals; exit with code 1 unless everything is done."""

    async def work(engine: AsyncEngine) -> list[documents.Shown]:
        return [await documents.wait_for(engine, number, seconds) for number in numbers]

    bad = False
    for found in on_database(work):
        if not found.answers:
            click.echo(f"proposal {found.proposal_id}: {found.kind} is done; the engine is not concerned")
        for answer in found.answers:
            bad |= answer.status != "DONE"
            said = {"DONE": "done", "REFUSED": f"refused by the engine: {answer.reason}"}
            waiting = f"{answer.status}: no answer of the engine yet; `clerk proposal {found.proposal_id}` has it later"
            click.echo(f"proposal {found.proposal_id}: {answer.reference} {said.get(answer.status, waiting)}")
    if bad:
        raise click.exceptions.Exit(1)


@clerk.command("decline")
@NUMBER
@click.pass_obj
def decline(by: str, number: int) -> None:
    """End the proposal NUMBER without effect."""
    act(by, lambda connection: movements.decline(connection, by, number))
    click.echo(f"declined: {number}")


@clerk.group("calendar")
def calendar_group() -> None:
    """Working days: Monday to Friday, except for the days entered here."""


@calendar_group.command("set")
@click.argument("day")
@click.option("--working/--holiday", default=False, help="Worked although it is a weekend; default: a holiday.")
@click.option("--name", required=True, help="Why, such as National Day.")
@click.pass_obj
def set_day(by: str, day: str, working: bool, name: str) -> None:
    """Enter DAY (such as 2026-10-01) as a holiday, or with --working as a working day."""

    async def work(connection: AsyncConnection) -> None:
        await working_days.set_day(connection, by, working_days.parse_day("day", day), working, name)

    act(by, work)
    click.echo(f"{day} is {'worked' if working else 'a holiday'}: {name}")


@calendar_group.command("list")
@click.option("--year", type=int, required=True)
@PAGE
@click.pass_obj
def list_days(by: str, year: int, page: PageRequest) -> None:
    """Show the days of a year that differ from their weekday, tab separated."""
    show(
        by,
        page,
        lambda connection, part: working_days.days(connection, year, part),
        lambda found: (found.day, "worked" if found.working else "holiday", found.name),
    )
