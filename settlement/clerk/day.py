"""``goldx day``: the close of trading days, their signatures and records."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goldx.hosting.settings import Settings
from goldx.output import JSON, print_record, print_table, wants_json
from goldx.protocol.terms import FORMS
from goldx.protocol.units import format_money, format_price, format_weight
from goldx.timetable.venue_time import shown_time
from settlement.clerk.day_differences import difference
from settlement.clerk.group import ANYBODY, act, check_actor, joined, may, read, show
from settlement.clerk.options import DAY, write_new
from settlement.closing import (
    archive,
    benchmark_prices,
    day_report,
    listing,
    opening,
    prices,
    records,
    signing,
    time_stamps,
)
from settlement.closing import close as closing
from settlement.closing import why as reasons
from settlement.closing.progress import StepProgress
from settlement.documents.closing import CAPACITIES
from settlement.ledger import market_proposals
from settlement.service.commands import on_database
from settlement.service.listings import PAGE

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from settlement.base.paging import PageRequest


@click.group("day")
@click.option("--as", "name", default="", envvar="GOLDX_CLERK", help="Who acts: the code of one of the staff.")
@click.pass_context
def day(context: click.Context, name: str) -> None:
    """Close trading days, sign them, and prove their records."""
    context.obj = name


day.add_command(difference)
DATE = click.argument("date", type=DAY)


@day.command("close")
@JSON
@click.option("--until", type=DAY, metavar="DATE", help="The last day to close; default: all that are over.")
@click.pass_obj
def close(by: str, until: date | None) -> None:
    """Close the days that are over, oldest first, step by step; exit 1 if something stands in the way."""
    check_actor(by)

    def report(made: StepProgress) -> None:
        if not wants_json():
            click.echo(str(made))

    async def work(engine: AsyncEngine) -> list[date]:
        async with engine.connect() as connection:
            await may(connection, by, "settle")
        return await closing.close(engine, by, report, until)

    closed = on_database(work)
    if wants_json():
        print_record({"closed": [found.isoformat() for found in closed]})
    else:
        click.echo(f"closed: {', '.join(map(str, closed)) or 'no day is over that is not closed'}")


@day.command("list")
@PAGE
@click.pass_obj
def list_days(by: str, page: PageRequest) -> None:
    """Show the days that are over: OVER, CLOSING, CLOSED (to be signed) or SIGNED."""
    show(
        by,
        page,
        "day first last state closing_hash record",
        listing.listing,
        lambda one: (one.day, one.first, one.last, one.state, _hex(one.closing_hash), _hex(one.record)),
        ANYBODY,
    )


@day.command("status")
@JSON
@DATE
@click.pass_obj
def status(by: str, date: date) -> None:
    """Show the range of DATE, its state, the steps of its close, and who has signed it."""

    async def work(connection: AsyncConnection) -> listing.Status:
        return await listing.status(connection, date)

    found = read(by, work, ANYBODY)
    print_record(
        {
            **{name: _hex(value) if isinstance(value, bytes) else value for name, value in found.day._asdict().items()},
            "steps": [
                {
                    "step": row.step,
                    "status": row.status,
                    "input_hash": _hex(row.input_hash),
                    "output_hash": _hex(row.output_hash),
                }
                for row in found.steps
            ],
            "progress": None if found.progress is None else found.progress._asdict(),
            "signatures": [{"capacity": row.capacity, "signed_by": row.signed_by} for row in found.signatures],
        }
    )


@day.command("show")
@JSON
@DATE
@click.pass_obj
def show_day(by: str, date: date) -> None:
    """Show what is signed for the closed day DATE: prices, fees, papers, breaks, what stays open, and the hashes."""
    print_record(read(by, lambda connection: day_report.of_day(connection, date), ANYBODY))


def _hex(hashed: bytes | None) -> str | None:
    return None if hashed is None else hashed.hex()


@day.command("why")
@PAGE
@click.pass_context
def why(context: click.Context, page: PageRequest) -> None:
    """Show what stands in the way of closing, signing and opening, and who can clear it; exit 1 if anything does."""
    found = show(context.obj, page, "step what who", reasons.listing, lambda one: one, ANYBODY)
    context.exit(1 if found else 0)


@day.command("proposals")
@PAGE
@click.pass_obj
def list_proposals(by: str, page: PageRequest) -> None:
    """Show what one operator has proposed in the market and no second one has confirmed, and what confirms it.

    It is void with the end of the trading day that `lapses` names.
    """
    show(
        by,
        page,
        "number method subject proposed_by proposed_at lapses does confirm",
        market_proposals.listing,
        lambda one: (
            one.number,
            one.method,
            one.subject,
            one.proposed_by,
            shown_time(one.proposed_at),
            one.lapses,
            one.does,
            one.command,
        ),
        ANYBODY,
    )


@day.command("left-open")
@DATE
@PAGE
@click.pass_obj
def left_open(by: str, date: date, page: PageRequest) -> None:
    """Show what stayed open when DATE was closed, and why."""
    show(
        by,
        page,
        "kind subject state why",
        lambda connection, part: day_report.left_open(connection, date, part),
        lambda one: one,
        ANYBODY,
    )


@day.command("sign")
@JSON
@DATE
@click.option("--for", "capacity", type=click.Choice(list(CAPACITIES)), required=True, help="In which capacity.")
@click.pass_obj
def sign(by: str, date: date, capacity: str) -> None:
    """Sign the closed day DATE; settlement, warehouse and risk are three different people."""

    async def work(connection: AsyncConnection) -> signing.Signed:
        return await signing.sign(connection, by, date, capacity)

    signed = act(by, work, CAPACITIES.values())
    record = None if signed.record is None else signed.record.hex()
    if wants_json():
        print_record({"day": date, "capacity": capacity, "missing": list(signed.missing), "record": record})
    elif record is None:
        click.echo(f"{date} is signed for {capacity}; still to sign: {', '.join(signed.missing)}")
    else:
        click.echo(f"{date} is signed by all three; its record is {record}")


@day.command("open")
@JSON
@DATE
@click.option("--reason", required=True, help="Why the day opens in spite of what stands in the way.")
@click.pass_obj
def open_day(by: str, date: date, reason: str) -> None:
    """Open the trading day DATE in spite of what stands in the way; it takes two people, one of them an operator."""

    async def work(connection: AsyncConnection) -> opening.Opening:
        return await opening.open_anyway(connection, by, date, reason)

    found = act(by, work, opening.OPENERS)
    if wants_json():
        print_record(found._asdict() | {"may_open": found.may_open})
    elif found.may_open:
        click.echo(f"{date} opens in spite of {len(found.obstacles)} obstacles: {' and '.join(found.opened_by)}")
    else:
        click.echo(f"{date} waits for another person, who gives the same command; in the way: {found.obstacles[0]}")


def _hash(_context: click.Context, _parameter: click.Parameter, value: str | None) -> bytes | None:
    try:
        return None if value is None else bytes.fromhex(value)
    except ValueError:
        raise click.BadParameter("must be a hash in hexadecimal digits") from None


@day.command("verify")
@JSON
@DATE
@click.option(
    "--record", "anchor", callback=_hash, metavar="HASH", help="The hash as it was printed or kept elsewhere."
)
@click.option(
    "--records",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the archived records; default: that of the settings, record_dir.",
)
@click.pass_obj
def verify(by: str, date: date, anchor: bytes | None, folder: Path | None) -> None:
    """Prove that the record of DATE, its steps, all records before it and its archived file are as they were made."""
    settings = Settings()
    roots = time_stamps.read_roots(settings.timestamp_roots)

    async def work(connection: AsyncConnection) -> tuple[bytes, time_stamps.Stamp | None, Path | None]:
        hashed = await records.verify(connection, date, anchor)
        stamp = await time_stamps.verify(connection, date, roots)
        return hashed, stamp, await archive.check(connection, date, folder or archive.folder_of(settings))

    found, stamp, file = read(by, work, ANYBODY)
    if wants_json():
        stamped = None if stamp is None else {**stamp._asdict(), "at": stamp.at.isoformat()}
        archived = None if file is None else str(file)
        print_record({"day": date, "record": found.hex(), "time_stamp": stamped, "archived": archived})
        return
    click.echo(f"the record of {date} and all before it are as they were made: {found.hex()}")
    click.echo("it is not archived yet" if file is None else f"{file} is as it was written")
    if stamp is not None:
        trusted = "checked" if stamp.checked else "not checked, as timestamp_roots is not set"
        click.echo(f"it was there at {stamp.at.isoformat()}, by the time stamp of {stamp.service}: {trusted}")


@day.command("recompute")
@JSON
@DATE
@click.pass_context
def recompute(context: click.Context, date: date) -> None:
    """Compute the steps of DATE anew and compare the bytes; exit 1 if any differ. Nothing is changed.

    `how` is ANEW for a step that follows from events and records alone, PARTLY where it also takes the facts in `kept`
    as the close kept them, KEPT where its output is such facts. Of these only the signed hash is checked.
    """
    found = read(context.obj, lambda connection: records.recompute(connection, date), ANYBODY)
    rows = ((one.step, one.same, one.how, joined(one.kept), one.recorded, one.computed, one.why) for one in found)
    print_table("step same how kept recorded computed why", rows)
    context.exit(0 if all(one.same for one in found) else 1)


@day.command("record")
@DATE
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A new file.")
@click.pass_obj
def record(by: str, date: date, out: Path) -> None:
    """Write the record of DATE to a file: what was signed, and facts and outputs of all steps."""
    data = read(by, lambda connection: records.archive(connection, date), ANYBODY)
    write_new(out, data)
    click.echo(f"{out}: the record of {date}, {len(data)} bytes")


@day.command("prices")
@DATE
@PAGE
@click.pass_obj
def list_prices(by: str, date: date, page: PageRequest) -> None:
    """Show closing and settlement prices of DATE, how each was found, and from what."""
    show(
        by,
        page,
        "symbol closing_cny closing_method settlement_cny settlement_method inputs",
        lambda connection, part: prices.listing(connection, part, day=date),
        lambda row: (
            row.symbol,
            None if row.closing_price is None else format_price(row.closing_price),
            row.closing_method,
            None if row.settlement_price is None else format_price(row.settlement_price),
            row.settlement_method,
            prices.shown_inputs(row.inputs),
        ),
        ANYBODY,
    )


@day.command("benchmarks")
@click.option("--form", type=click.Choice(FORMS), help="Only those of one form of gold.")
@click.option("--since", type=DAY, metavar="DATE", help="The first day.")
@click.option("--until", type=DAY, metavar="DATE", help="The last day.")
@PAGE
@click.pass_obj
def list_benchmarks(by: str, form: str | None, since: date | None, until: date | None, page: PageRequest) -> None:
    """Show the benchmarks by form of all closed days, oldest first, how each was found, and from what."""
    show(
        by,
        page,
        "day form price_cny method trades quantity_g amount_cny minimum_g traded",
        lambda connection, part: benchmark_prices.listing(connection, part, form=form, since=since, until=until),
        lambda row: (
            row.day.isoformat(),
            row.form,
            None if row.price is None else format_price(row.price),
            row.method,
            row.trades,
            format_weight(int(row.quantity_mg)),
            format_money(int(row.amount_fen)),
            format_weight(row.inputs["minimum_mg"]),
            row.inputs["traded"],
        ),
        ANYBODY,
    )
