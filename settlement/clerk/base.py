"""``goldx clerk``: proposals, documents, and the calendar of working days."""

from collections.abc import Iterable, Sequence
from datetime import date

import click
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.output import JSON, Both, print_record
from settlement.base import working_days
from settlement.base.paging import Page, PageRequest
from settlement.base.units import in_units
from settlement.clerk.group import ANYBODY, act, clerk, joined, read, show
from settlement.clerk.options import DAY, NUMBER
from settlement.documents.kinds import PROPOSAL, PROPOSED
from settlement.documents.ledger import OUTBOX, OUTBOX_DONE
from settlement.service import documents, movements, waiting
from settlement.service.commands import on_database
from settlement.service.listings import PAGE


@clerk.command("proposals")
@click.option("--status", type=click.Choice(PROPOSAL.states), default=PROPOSED, show_default=True)
@PAGE
@click.pass_obj
def list_proposals(by: str, status: str, page: PageRequest) -> None:
    """Show proposals that wait for a second person, with their lots and accounts."""
    show(
        by,
        page,
        "proposal kind proposed_by summary lots accounts",
        lambda connection, part: documents.proposals_with_lots(connection, part, status=status),
        lambda found: (
            found.proposal_id,
            found.kind,
            found.proposed_by,
            in_units(found.summary),
            _ranges(found.lots),
            found.accounts,
        ),
    )


def _ranges(lots: Sequence[int]) -> Both:
    return Both(documents.ranges(lots), list(lots))


@clerk.command("proposal")
@JSON
@NUMBER
@click.pass_obj
def show_proposal(by: str, number: int) -> None:
    """Show the proposal NUMBER, its lots and accounts, and its outcome."""
    found = read(by, lambda connection: documents.show_proposal(connection, number))
    print_record(
        {
            "proposal": number,
            "kind": found.kind,
            "status": found.status,
            "proposed_by": found.proposed_by,
            "decided_by": found.decided_by,
            "summary": in_units(found.summary),
            "lots": _ranges(found.lots),
            "accounts": found.accounts,
            "engine": _answers(found.answers),
        }
    )


def _answers(answers: Iterable[documents.EngineAnswer]) -> list[dict[str, object]]:
    return [{"reference": one.reference, "status": one.status, "reason": one.reason} for one in answers]


@clerk.command("documents")
@click.argument("kind", type=click.Choice(list(documents.TABLES)))
@click.option("--status", help="Only those in this state; `states KIND` lists the states.")
@PAGE
@click.pass_obj
def list_documents(by: str, kind: str, status: str | None, page: PageRequest) -> None:
    """Show the documents of a KIND: the contents of each, with the reason of its end."""
    show(
        by,
        page,
        "number status document",
        lambda connection, part: documents.listing(connection, kind, part, status=status),
        lambda found: (found.number, found.status, found.says),
    )


@clerk.command("document")
@JSON
@click.argument("kind", type=click.Choice(list(documents.TABLES)))
@NUMBER
@click.pass_obj
def show_document(by: str, kind: str, number: int) -> None:
    """Show one document, its lots, the proposals about it and the engine's answers."""
    found = read(by, lambda connection: documents.show(connection, kind, number))
    names = ("kind", "status", "proposed_by", "decided_by")
    print_record(
        {
            "document": kind,
            "number": number,
            **found.says,
            "lots": _ranges(found.lots),
            "proposals": [
                {"proposal": about["proposal_id"], **{name: about[name] for name in names}} for about in found.proposals
            ],
            "engine": _answers(found.answers),
        }
    )


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
            bad |= answer.status != OUTBOX_DONE
            said = {OUTBOX_DONE: "done", OUTBOX.steps["refuse"].after: f"refused by the engine: {answer.reason}"}
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
@click.argument("day", type=DAY)
@click.option("--working/--holiday", default=False, help="Worked although it is a weekend; default: a holiday.")
@click.option("--name", required=True, help="Why, such as National Day.")
@click.pass_obj
def set_day(by: str, day: date, working: bool, name: str) -> None:
    """Enter DAY (such as 2026-10-01) as a holiday, or with --working as a working day."""

    async def work(connection: AsyncConnection) -> None:
        await working_days.set_day(connection, by, day, working, name)

    act(by, work)
    click.echo(f"{day} is {'worked' if working else 'a holiday'}: {name}")


@calendar_group.command("list")
@click.option("--year", type=int, required=True)
@PAGE
@click.pass_obj
def list_days(by: str, year: int, page: PageRequest) -> None:
    """Show the days of a year that differ from their weekday."""
    show(
        by,
        page,
        "day working name",
        lambda connection, part: working_days.days(connection, year, part),
        lambda found: (found.day, found.working, found.name),
    )


@clerk.command("waiting")
@PAGE
@click.pass_obj
def list_waiting(by: str, page: PageRequest) -> None:
    """Show all that waits for you: to approve, sign, deal with or answer, each with the command that goes on."""

    async def listing(connection: AsyncConnection, part: PageRequest) -> Page[waiting.Waiting]:
        return await waiting.listing(connection, by, part)

    show(by, page, "kind subject what days command", listing, lambda found: found[:5], ANYBODY)
