"""``goldx clerk``: breaks, what is done about them, and the limits of their age and value."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click

from goldx.output import JSON, Both, print_record
from goldx.protocol.units import BadValue, format_money
from settlement.base.paging import PageRequest
from settlement.base.working_days import shown_time
from settlement.clerk.group import act, clerk, propose, read, show, tend
from settlement.clerk.options import FILE, NUMBER, OUT, REASON, contents, write_new
from settlement.clerk.reconciliation import DIFFERENCE, difference
from settlement.reconciliation import break_limits, break_listing, break_work, past_limits, resolutions
from settlement.reconciliation.break_listing import ListedBreak
from settlement.service.listings import PAGE
from settlement.tables.reconciliation import BREAK_AREAS, BREAK_LIMITS

_COLUMNS: Final = f"break area owner status working_days responsible past_limit value_cny {DIFFERENCE} explanation"


def _break(found: ListedBreak) -> Iterable[object]:
    row, value = found.row, None if found.value_fen is None else format_money(found.value_fen)
    about = (row.break_id, found.area, row.owner, row.status, row.days, found.desk, found.past_limit, value)
    return *about, *difference(row), row.explanation


@clerk.command("breaks")
@click.option("--past-limit", is_flag=True, help="Only those that stop the next day from opening.")
@PAGE
@click.pass_obj
def list_breaks(by: str, past_limit: bool, page: PageRequest) -> None:
    """Show breaks that are not corrected, their age, value, and who is responsible at that age.

    An explained or written-off break that has grown or changed is OPEN again, and a resolved one that is still there.
    """
    listing = break_listing.listing
    show(by, page, _COLUMNS, lambda connection, part: listing(connection, part, past_limit=past_limit), _break)


@clerk.command("explain")
@NUMBER
@click.option("--owner", required=True, help="Who deals with it: the code of one of the staff.")
@click.option("--explanation", required=True)
@click.pass_obj
def explain(by: str, number: int, owner: str, explanation: str) -> None:
    """Record who deals with the break NUMBER and what is known of it."""
    act(by, lambda connection: break_work.explain(connection, by, number, owner, explanation))
    click.echo(f"break {number} is {owner}'s: {explanation}")


@clerk.group("break")
def break_group() -> None:
    """One break: its owner, notes, files and resolution; and the limits of all breaks."""


@break_group.command("show")
@JSON
@NUMBER
@click.pass_obj
def show_break(by: str, number: int) -> None:
    """Show the break NUMBER with all that was done about it, and its files."""

    async def work(connection: Any) -> dict[str, object]:
        found = await break_listing.show(connection, number)
        steps, files = await break_work.steps(connection, number), await break_work.files(connection, number)
        return {
            **dict(zip(_COLUMNS.split(), _break(found), strict=True)),
            "lot": found.row.lot_id,
            "account": found.row.account,
            "cash": found.row.cash_id,
            "steps": [
                {"at": shown_time(row.at), "by": row.by, "step": row.step, "document": row.document, "text": row.text}
                for row in steps
            ],
            "files": [
                {"file": row.file_no, "name": row.name, "bytes": row.size, "sha256": row.sha256.hex(), "by": row.by}
                for row in files
            ],
        }

    print_record(read(by, work))


@break_group.command("assign")
@NUMBER
@click.argument("owner")
@REASON
@click.pass_obj
def assign(by: str, number: int, owner: str, reason: str) -> None:
    """Give the break NUMBER to OWNER, one of the staff."""
    act(by, lambda connection: break_work.assign(connection, by, number, owner, reason))
    click.echo(f"break {number} is {owner}'s")


@break_group.command("note")
@NUMBER
@click.argument("text")
@click.pass_obj
def note(by: str, number: int, text: str) -> None:
    """Note TEXT about the break NUMBER."""
    act(by, lambda connection: break_work.note(connection, by, number, text))
    click.echo(f"noted about break {number}")


@break_group.command("attach")
@NUMBER
@FILE
@click.pass_obj
def attach(by: str, number: int, file: Path) -> None:
    """Keep FILE (PDF, PNG, JPEG, XLSX, CSV or text, up to 5 MiB) with the break NUMBER."""
    data = contents(file)
    kept = act(by, lambda connection: break_work.attach(connection, by, number, file.name, data))
    click.echo(f"file {kept} of break {number}: {file.name}, {len(data)} bytes")


@break_group.command("file")
@NUMBER
@click.argument("file_no", type=int)
@OUT
@click.pass_obj
def write_file(by: str, number: int, file_no: int, out: Path) -> None:
    """Write the file FILE_NO of the break NUMBER as it came."""
    row = read(by, lambda connection: break_work.content(connection, number, file_no))
    write_new(out, bytes(row.content))
    click.echo(f"{out}: {row.name}")


@break_group.command("resolve")
@NUMBER
@click.option("--by-correction", type=int, metavar="PROPOSAL", help="The proposal of the correction of money.")
@click.option("--by-weight", type=int, metavar="PROPOSAL", help="The proposal of the corrected weight.")
@click.option("--by-assay", type=int, metavar="ASSAY", help="The new fire assay of the lot.")
@REASON
@click.pass_obj
def resolve(
    by: str, number: int, by_correction: int | None, by_weight: int | None, by_assay: int | None, reason: str
) -> None:
    """Record what has ended the break NUMBER: one of the three; the next run must find it no more."""
    given = dict(zip(resolutions.RESOLUTIONS, (by_correction, by_weight, by_assay), strict=True))
    ((name, document), *others) = [pair for pair in given.items() if pair[1] is not None] or [("", 0)]
    if not name or others:
        raise click.UsageError("give one of --by-correction, --by-weight, --by-assay")
    resolved = resolutions.resolve
    act(by, lambda connection: resolved(connection, by, number, name, int(document or 0), reason))
    click.echo(f"break {number} is resolved; it is open again if a run still finds it")


@break_group.command("write-off")
@NUMBER
@REASON
@click.pass_obj
def write_off(by: str, number: int, reason: str) -> None:
    """Propose to leave the break NUMBER as it is; its value may not be above the limit of its area."""
    propose(by, lambda connection: resolutions.propose_write_off(connection, by, number, reason))


def _stop(found: past_limits.Stop) -> Iterable[object]:
    value = None if found.value_fen is None else format_money(found.value_fen)
    about = (found.break_id, found.area, found.kind, found.subject, found.status, found.owner)
    ages = (found.days, found.limit, found.desk)
    return *about, *ages, value, found.why, Both("; ".join(found.clear), list(found.clear))


@break_group.command("stops")
@PAGE
@click.pass_context
def stops(context: click.Context, page: PageRequest) -> None:
    """Show the breaks that stop the next day, why, and who can clear each; exit 1 if there are any."""
    columns = "break area kind subject status owner working_days limit responsible value_cny why clear"
    found = show(context.obj, page, columns, past_limits.listing, _stop)
    context.exit(1 if found else 0)


def _limit(one: break_limits.CurrentLimit) -> Iterable[object]:
    return one.area, one.name, *break_limits.shown(one.name, one.value), one.by, one.reason


@break_group.command("limits")
@PAGE
@click.pass_obj
def list_limits(by: str, page: PageRequest) -> None:
    """Show from which age each desk deals with breaks, when they stop the day, and what may be written off."""
    show(by, page, "area name value unit by reason", break_limits.listing, _limit)


@break_group.command("set-limit")
@click.argument("area", type=click.Choice(BREAK_AREAS))
@click.argument("name", type=click.Choice(BREAK_LIMITS))
@click.argument("value")
@REASON
@click.pass_obj
def set_limit(by: str, area: str, name: str, value: str, reason: str) -> None:
    """Change a limit of an area of breaks: working days, or CNY of WRITE_OFF. Takes the permission operate."""
    try:
        figure = break_limits.parse(name, value)
    except BadValue as error:
        raise click.ClickException(str(error)) from error
    tend(by, lambda connection: break_limits.change(connection, by, area, name, figure, reason))
    click.echo(f"{area} {name}: {' '.join(break_limits.shown(name, figure))}")
