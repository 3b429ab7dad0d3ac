"""``goldx clerk``: lots from pre-advice to the register and back, one by one or by a bar list, and the files read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.output import JSON, Both, print_record, wants_json
from goldx.protocol.terms import FORMS
from goldx.protocol.units import format_weight
from settlement.base.arithmetic import format_cg, parse_padded_decimal, parse_scale_weight
from settlement.base.paging import PageRequest
from settlement.base.units import in_units
from settlement.clerk.group import act, clerk, joined, propose, read, show
from settlement.clerk.options import (
    FILE,
    LOT,
    LOTS,
    NUMBER,
    OTHER_YEARS,
    OUT,
    PREVIEW,
    PROVENANCE,
    READING,
    READING_WITH_COLUMNS,
    REASON,
    contents,
    write_new,
)
from settlement.intake import files, imports, intake, melting, pre_advice, screening_alarms, weight_corrections
from settlement.intake.bar_list import Declared
from settlement.intake.bar_rows import BarKey, Reading
from settlement.intake.melting import MeltWeight
from settlement.lots import scales
from settlement.lots.provenance import ProvenanceRecord
from settlement.service.listings import PAGE


@clerk.command("pre-advise")
@click.option("--refiner", required=True, help="Who made or marked it.")
@click.option("--serial", required=True, help="Its number, or that of the bag.")
@click.option("--year", type=int, default=0, help="Year stamped on it.")
@click.option("--symbol", required=True)
@click.option("--form", required=True, type=click.Choice(FORMS))
@click.option("--account", required=True)
@click.option("--warehouse", required=True)
@click.option("--gross", required=True, metavar="GRAMS", help="Declared grams.")
@click.option("--fineness", required=True, metavar="PERMILLE", help="Declared per mille.")
@OTHER_YEARS
@PROVENANCE
@click.pass_obj
def pre_advise(
    by: str,
    refiner: str,
    serial: str,
    year: int,
    symbol: str,
    form: str,
    account: str,
    warehouse: str,
    gross: str,
    fineness: str,
    other_years: bool,
    record: ProvenanceRecord,
) -> None:
    """Advise one expected lot."""

    async def work(connection: AsyncConnection) -> list[int]:
        weight = parse_scale_weight("gross", gross)
        permille = parse_padded_decimal("fineness", fineness, 2, 1, 100_000, "per mille")
        key = BarKey(refiner, serial, year)
        row = Declared(1, key, symbol, form, account, warehouse, weight, permille, record)
        return await pre_advice.pre_advise(connection, by, [row], other_years=other_years)

    click.echo(f"lot {act(by, work)[0]} is advised")


@clerk.command("arrive")
@LOT
@click.option("--seal", required=True, help="Number of the seal it came under.")
@click.pass_obj
def arrive(by: str, lot_id: int, seal: str) -> None:
    """Record that a lot has come."""
    act(by, lambda connection: intake.arrive(connection, by, {lot_id: seal}))
    click.echo(f"lot {lot_id} has arrived")


@clerk.command("weigh")
@LOT
@click.option("--scale", required=True)
@click.option(
    "--gross", "grams", metavar="GRAMS", required=True, help="As the balance shows it, with all its decimals."
)
@click.pass_obj
def weigh(by: str, lot_id: int, scale: str, grams: str) -> None:
    """Record the gross weight of a lot."""

    async def work(connection: AsyncConnection) -> None:
        found = scales.GrossWeight(scale, scales.parse_shown_weight("gross", grams))
        await intake.weigh(connection, by, {lot_id: found})

    act(by, work)
    click.echo(f"lot {lot_id} weighs {grams} g")


@clerk.command("screen")
@LOT
@click.option("--point", "points", multiple=True, required=True, help="Whole per mille; one mean, or three points.")
@click.option("--instrument", default="XRF", show_default=True)
@click.pass_obj
def screen(by: str, lot_id: int, points: tuple[str, ...], instrument: str) -> None:
    """Record the X-ray screening of a lot; never final."""

    async def work(connection: AsyncConnection) -> None:
        readings = [100 * parse_padded_decimal("point", point, 0, 1, 1_000, "whole per mille") for point in points]
        await intake.screen(connection, by, {lot_id: readings}, instrument)

    act(by, work)
    click.echo(f"lot {lot_id} is screened")


@clerk.command("melt")
@LOTS
@click.option("--scale", required=True)
@click.option(
    "--gross", "grams", metavar="GRAMS", required=True, help="The weight after melting, as the balance shows it."
)
@click.option("--refiner", help="Mark of the new lot, where several are melted into one.")
@click.option("--serial", help="Number of the new lot, where several are melted into one.")
@click.option("--again", is_flag=True, help="Melt a sampled or assayed lot once more.")
@click.pass_obj
def melt(
    by: str, lot_ids: tuple[int, ...], scale: str, grams: str, refiner: str | None, serial: str | None, again: bool
) -> None:
    """Melt one lot, or several LOTS into a new one."""
    if (len(lot_ids) > 1) != (refiner is not None and serial is not None):
        raise click.UsageError("--refiner and --serial are the new lot's, where several are melted into one")

    async def work(connection: AsyncConnection) -> tuple[int, Row[Any]]:
        melted = MeltWeight(scale, scales.parse_shown_weight("gross", grams))
        number = lot_ids[0]
        if len(lot_ids) > 1:
            key = BarKey(str(refiner), str(serial), 0)
            number = await melting.combine(connection, by, lot_ids, key, melted)
        else:
            await melting.melt_each(connection, by, {number: melted}, "remelt" if again else "melt")
        return number, await melting.newest(connection, number)

    number, made = act(by, work)
    click.echo(f"melt {made.melt_no}: lot {number} weighs {grams} g after melting")
    for alarm in made.alarms:
        click.echo(f"alarm: {alarm}")


def _melt(row: Row[Any]) -> Iterable[object]:
    weights = [format_weight(mg) for mg in (row.parents_mg, row.child_mg, row.loss_mg)]
    fine = None if row.fine_loss_mg is None else format_weight(row.fine_loss_mg)
    return row.melt_no, row.lot_id, row.form, *weights, fine, Both("; ".join(row.alarms), row.alarms), row.explanation


@clerk.command("melts")
@click.option("--alarmed", is_flag=True, help="Only those that wait for an explanation.")
@PAGE
@click.pass_obj
def melts(by: str, alarmed: bool, page: PageRequest) -> None:
    """Show melts: what they weighed before and after, what was lost, and what was noticed."""
    columns = "melt lot form before_g after_g lost_g fine_lost_g alarms explanation"
    show(by, page, columns, lambda connection, part: melting.listing(connection, part, alarmed=alarmed), _melt)


@clerk.command("melt-explain")
@NUMBER
@click.option("--explanation", "text", required=True)
@click.pass_obj
def melt_explain(by: str, number: int, text: str) -> None:
    """Explain the alarm of a melt that somebody else has made."""
    act(by, lambda connection: melting.explain(connection, by, number, text))
    click.echo(f"melt {number} is explained")


@clerk.command("certify")
@LOTS
@click.pass_obj
def certify(by: str, lot_ids: tuple[int, ...]) -> None:
    """Issue the certificates of assayed lots."""
    for lot_id, number in act(by, lambda connection: intake.certify(connection, by, lot_ids)).items():
        click.echo(f"lot {lot_id} is certified: certificate {number}")


@clerk.command("register")
@LOTS
@click.pass_obj
def register(by: str, lot_ids: tuple[int, ...]) -> None:
    """Enter certified lots into the register."""
    act(by, lambda connection: intake.register(connection, by, lot_ids))
    click.echo(f"registered: {joined(lot_ids)}")


@clerk.command("cancel-advice")
@LOT
@REASON
@click.pass_obj
def cancel_advice(by: str, lot_id: int, reason: str) -> None:
    """Cancel the advice of a lot that does not come."""
    act(by, lambda connection: intake.cancel(connection, by, lot_id, reason))
    click.echo(f"lot {lot_id} is cancelled")


@clerk.command("reject")
@LOT
@REASON
@click.pass_obj
def reject(by: str, lot_id: int, reason: str) -> None:
    """Refuse a lot that is not registered yet."""
    act(by, lambda connection: intake.reject(connection, by, lot_id, reason))
    click.echo(f"lot {lot_id} is rejected")


@clerk.command("return")
@LOT
@click.option("--collector", required=True, help="Who takes it back.")
@click.pass_obj
def return_lot(by: str, lot_id: int, collector: str) -> None:
    """Propose to hand a rejected lot back."""
    propose(by, lambda connection: intake.propose_return(connection, by, lot_id, collector))


@clerk.command("screening-explain")
@LOT
@click.option("--explanation", "text", required=True, help="Why X-ray and assay differ so much.")
@click.pass_obj
def screening_explain(by: str, lot_id: int, text: str) -> None:
    """Explain the difference between X-ray and assay of a lot that other people have screened and assayed."""
    act(by, lambda connection: screening_alarms.explain(connection, by, lot_id, text))
    click.echo(f"lot {lot_id}: its screening is explained")


@clerk.command("correct-weight")
@LOT
@click.option("--scale", required=True, help="The balance on which the lot was weighed again.")
@click.option("--gross", "grams", metavar="GRAMS", required=True, help="The weight that the balance shows.")
@REASON
@click.pass_obj
def correct_weight(by: str, lot_id: int, scale: str, grams: str, reason: str) -> None:
    """Propose another gross weight for a lot that is neither melted nor certified."""

    async def work(connection: AsyncConnection) -> int:
        found = scales.GrossWeight(scale, scales.parse_shown_weight("gross", grams))
        return await weight_corrections.propose(connection, by, lot_id, found, reason)

    propose(by, work)


@clerk.command("quarantine")
@LOT
@REASON
@click.option("--authority", required=True, help="Who orders the hold, or the number of the order.")
@click.pass_obj
def quarantine(by: str, lot_id: int, reason: str, authority: str) -> None:
    """Hold a lot at once, for suspected money laundering or the police."""
    hold = act(by, lambda connection: intake.quarantine(connection, by, lot_id, reason, authority))
    how = "in quarantine" if hold == "QUARANTINED" else "frozen; another person ends it with unfreeze"
    click.echo(f"lot {lot_id} is {how}")


@clerk.command("lift")
@LOT
@REASON
@click.pass_obj
def lift(by: str, lot_id: int, reason: str) -> None:
    """Propose to end the quarantine of a lot."""
    propose(by, lambda connection: intake.propose_lift(connection, by, lot_id, reason))


def _progress(done: int, total: int) -> None:
    if total > imports.CHUNK:
        click.echo(f"{done} of {total} lots", err=True)


def _take_in(by: str, kind: str, file: Path, reading: Reading) -> imports.ImportedLots:
    data = contents(file)
    return act(by, lambda connection: imports.take_in(connection, by, kind, file.name, data, reading, _progress))


def _preview(by: str, kind: str, file: Path, reading: Reading) -> None:
    """Print what would be taken in; exit 1 if there is any problem."""
    data = contents(file)
    found = read(by, lambda connection: imports.preview(connection, by, kind, file.name, data, reading))
    if wants_json():
        as_read = None if found.as_read is None else found.as_read.record()
        problems = [one._asdict() for one in found.problems]
        print_record({**in_units(found._asdict()), "problems": problems, "as_read": as_read})
        click.get_current_context().exit(1 if found.problems or found.known_as is not None else 0)
    click.echo(f"{file.name}: {found.format}, {found.dialect}; SHA-256 {found.sha256}")
    for line in found.as_read.lines() if found.as_read is not None else ():
        click.echo(line)
    for problem in found.problems:
        click.echo(f"problem: {problem}")
    if found.known_as is not None:
        click.echo(f"the same file was taken in before, as file {found.known_as}")
    if found.problems or found.known_as is not None:
        click.echo(f"{found.rows} rows, {len(found.problems)} problems: nothing of it would be taken in")
        click.get_current_context().exit(1)
    for number, obstacle in found.waiting.items():
        click.echo(f"lot {number} would be certified and wait: {obstacle}")
    click.echo(f"{found.rows} lots, {format_cg(found.gross_cg)} g gross, could be taken in; nothing was")


@clerk.command("import-bars")
@FILE
@PREVIEW
@JSON
@READING_WITH_COLUMNS
@click.pass_obj
def import_bars(by: str, file: Path, only_preview: bool, reading: Reading) -> None:
    """Advise the lots of a bar list (CSV, XLSX or XLS): all of FILE or none of it."""
    if only_preview:
        _preview(by, "declared", file, reading)
        return
    taken = _take_in(by, "declared", file, reading)
    if wants_json():
        print_record({"file": taken.file, "lots": taken.lots})
        return
    click.echo(f"file {taken.file}: {len(taken.lots)} lots are advised: {taken.lots[0]} to {taken.lots[-1]}")


@clerk.command("process")
@FILE
@PREVIEW
@JSON
@READING
@click.pass_obj
def process(by: str, file: Path, only_preview: bool, reading: Reading) -> None:
    """Take the lots of FILE from arrival to the register by their measured values: all or none."""
    if only_preview:
        _preview(by, "measured", file, reading)
        return
    taken = _take_in(by, "measured", file, reading)
    if wants_json():
        waiting = [{"lot": number, "obstacle": obstacle} for number, obstacle in taken.waiting.items()]
        print_record({"file": taken.file, "lots": taken.lots, "waiting": waiting})
        return
    for number, obstacle in taken.waiting.items():
        click.echo(f"lot {number} is certified and waits: {obstacle}")
    ready = len(taken.lots) - len(taken.waiting)
    click.echo(f"file {taken.file}: {ready} lots are weighed, screened, sampled, assayed, certified and registered")


@clerk.group("files")
def files_group() -> None:
    """Bar lists and statements, kept as they came."""


@files_group.command("list")
@PAGE
@click.pass_obj
def list_files(by: str, page: PageRequest) -> None:
    """Show the files, with their rows and who brought them."""
    show(
        by,
        page,
        "file kind name rows by sha256",
        files.listing,
        lambda row: (row.file_no, row.kind, row.name, row.rows, row.taken_by, row.sha256.hex()),
    )


@files_group.command("get")
@NUMBER
@OUT
@click.pass_obj
def get_file(by: str, number: int, out: Path) -> None:
    """Write the file NUMBER as it came."""
    row = read(by, lambda connection: files.original(connection, number))
    write_new(out, row.content)
    click.echo(f"{out}: {row.name}, {len(row.content)} bytes, SHA-256 {row.sha256.hex()}")
