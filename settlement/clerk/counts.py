"""``goldx clerk count``: inventory counts of warehouses."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.output import JSON, print_record, wants_json
from goldx.protocol.units import BadValue
from settlement.base.paging import PageRequest
from settlement.base.working_days import parse_day, shown_time
from settlement.clerk.group import act, clerk, propose, read, show
from settlement.clerk.options import FILE, NUMBER, OUT, REASON, STATED, contents, write_new
from settlement.clerk.reconciliation import break_record, print_breaks
from settlement.intake.bar_rows import BarKey
from settlement.lots import scales
from settlement.reconciliation import (
    count_cancels,
    count_files,
    count_paper,
    count_results,
    count_sessions,
    counting,
    last_counts,
)
from settlement.reconciliation.count_results import CountResult
from settlement.reconciliation.count_sessions import CountExtent
from settlement.service.listings import PAGE
from settlement.workbooks import sheets
from settlement.workbooks.cells import BadFile
from settlement.workbooks.formats import Stated


@clerk.group("count")
def count_group() -> None:
    """Counts of the bars in a warehouse; custody is frozen while one is open."""


@count_group.command("propose")
@click.argument("warehouse")
@click.option("--counter", "counters", multiple=True, required=True, help="One of the two who count; given twice.")
@click.option("--lot", "lots", type=int, multiple=True, help="Count these lots alone; may be given several times.")
@click.option("--sample-size", "sample", type=int, help="Count so many lots, drawn by the seed.")
@click.option("--seed", help="The seed of the sample; default: a new one.")
@REASON
@click.pass_obj
def propose_count(
    by: str,
    warehouse: str,
    counters: tuple[str, ...],
    lots: tuple[int, ...],
    sample: int | None,
    seed: str | None,
    reason: str,
) -> None:
    """Propose a count of WAREHOUSE; another person's approval opens it."""
    extent = CountExtent(lots, sample, seed)
    propose(by, lambda connection: count_sessions.propose(connection, by, warehouse, counters, reason, extent))


def _count(row: Any) -> Iterable[object]:
    counters = list(count_results.counters_of(row))
    about = (row.count_no, row.warehouse, row.status, row.extent, row.bars, row.seed, counters, row.supervisor)
    return *about, *(None if at is None else shown_time(at) for at in (row.opened_at, row.closed_at)), row.why


@count_group.command("list")
@PAGE
@click.pass_obj
def list_counts(by: str, page: PageRequest) -> None:
    """Show counts, with the numbers of bars on their lists."""
    columns = "count warehouse status extent bars seed counters supervisor opened_at closed_at reason"
    show(by, page, columns, count_sessions.listing, _count)


@count_group.command("bars")
@NUMBER
@PAGE
@click.pass_obj
def list_bars(by: str, number: int, page: PageRequest) -> None:
    """Show the bars that are to be counted in the present round of the count NUMBER, without weights and seals."""
    show(
        by,
        page,
        "line lot refiner serial year",
        lambda connection, part: count_sessions.lines(connection, number, part),
        lambda row: (row.line, row.lot_id, row.refiner, row.serial, row.year or None),
    )


def _day(_context: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    return None if value is None else parse_day("not_since", value)


def _last_count(row: last_counts.LastCount) -> Iterable[object]:
    bar = (row.lot_id, row.refiner, row.serial, row.year or None, row.warehouse)
    return *bar, row.count_no, None if row.counted_at is None else shown_time(row.counted_at), row.found


@count_group.command("last")
@click.option("--warehouse", help="The bars of one warehouse alone.")
@click.option(
    "--not-since", "before", callback=_day, metavar="DATE", help="Only bars that were not counted on that day or since."
)
@PAGE
@click.pass_obj
def list_last(by: str, warehouse: str | None, before: date | None, page: PageRequest) -> None:
    """Show when each bar that should be in a warehouse was last counted, and whether it was found."""
    show(
        by,
        page,
        "lot refiner serial year warehouse count counted_at found",
        lambda connection, part: last_counts.listing(connection, part, warehouse=warehouse, before=before),
        _last_count,
    )


@count_group.command("paper")
@NUMBER
@OUT
@click.pass_obj
def write_paper(by: str, number: int, out: Path) -> None:
    """Write the blind list of the count NUMBER as PDF or XLSX, by the end of the name."""
    writers = {".pdf": count_paper.blank_list, ".xlsx": count_files.blank_list}
    if out.suffix.lower() not in writers:
        raise click.UsageError("--out must end with .pdf or .xlsx")

    async def work(connection: AsyncConnection) -> bytes:
        row, bars = await count_sessions.opened(connection, number)
        return writers[out.suffix.lower()](row, bars)

    write_new(out, read(by, work))
    click.echo(f"{out}: list of count {number}")


@count_group.command("enter")
@NUMBER
@click.option("--refiner", required=True)
@click.option("--serial", required=True)
@click.option("--year", type=int, default=0, help="Where one is stamped on it.")
@click.option("--missing", is_flag=True, help="The bar is not there.")
@click.option("--gross", metavar="GRAMS", help="Where it was weighed.")
@click.option("--seal", help="The seal, where it was looked at.")
@click.option("--condition", default="")
@click.pass_obj
def enter(
    by: str,
    number: int,
    refiner: str,
    serial: str,
    year: int,
    missing: bool,
    gross: str | None,
    seal: str | None,
    condition: str,
) -> None:
    """Enter one bar of the count NUMBER, as one of its counters; a later entry takes the place of an earlier one."""
    try:
        weight = None if gross is None else scales.parse_shown_weight("gross", gross).cg
    except BadValue as error:
        raise click.ClickException(str(error)) from error
    result = CountResult(BarKey(refiner, serial, year), not missing, weight, seal, condition)
    act(by, lambda connection: count_results.enter(connection, by, number, [result]))
    click.echo(f"{result.key} {'is not there' if missing else 'is there'}")


@count_group.command("read")
@NUMBER
@FILE
@STATED
@click.pass_obj
def read_file(by: str, number: int, file: Path, stated: Stated) -> None:
    """Enter a filled-in list, or numbers that a scanner has read, as one of the counters of the count NUMBER."""
    data = contents(file)
    try:
        table = sheets.read(data, stated)
        entered = act(by, lambda connection: count_files.take_in(connection, by, number, file.name, data, table))
    except BadFile as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{file.name}: {entered} bars")


@count_group.command("sign")
@NUMBER
@click.pass_obj
def sign(by: str, number: int) -> None:
    """Sign what one has entered in the present round of the count NUMBER."""
    act(by, lambda connection: count_results.sign(connection, by, number))
    click.echo(f"count {number} is signed by {by}")


@count_group.command("recount")
@NUMBER
@click.pass_obj
def recount(by: str, number: int) -> None:
    """Let the bars of the count NUMBER that differ be counted again, once both counters have signed."""
    bars = act(by, lambda connection: counting.recount(connection, by, number))
    click.echo(f"count {number}: {bars} bars are counted again")


@count_group.command("close")
@JSON
@NUMBER
@click.pass_context
def close(context: click.Context, number: int) -> None:
    """Close the count NUMBER as its supervisor, who has not counted; exit 1 if anything differs."""
    by: str = context.obj
    found = act(by, lambda connection: counting.close(connection, by, number))
    if wants_json():
        record = {"count": number, "run_id": found.run_id, "bars": found.bars, "found": found.found}
        print_record({**record, "breaks": [break_record(one) for one in found.breaks]})
    else:
        print_breaks(found.breaks)
        click.echo(f"count {number}: {found.found} of {found.bars} bars found: {len(found.breaks)} breaks")
    context.exit(1 if found.breaks else 0)


@count_group.command("cancel")
@NUMBER
@REASON
@click.pass_obj
def cancel(by: str, number: int, reason: str) -> None:
    """End the count NUMBER without a record; what counters have signed as missing or different becomes breaks."""
    found = act(by, lambda connection: count_cancels.cancel(connection, by, number, reason))
    print_breaks(found)
    click.echo(f"count {number} is cancelled" + (f": {len(found)} breaks" if found else ""))


@count_group.command("report")
@NUMBER
@OUT
@click.pass_obj
def write_report(by: str, number: int, out: Path) -> None:
    """Write the signed report of the closed count NUMBER as PDF."""
    record = read(by, lambda connection: count_sessions.record_of(connection, number))
    write_new(out, count_paper.report(record.content, bytes(record.hash)))
    click.echo(f"{out}: SHA-256 of the record {record.hash.hex()}")
