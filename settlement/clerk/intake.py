"""``goldx clerk``: one lot step by step, from pre-advice to the register, and back."""

import json

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.terms import FORMS
from goldx.protocol.units import format_weight
from settlement.base.arithmetic import format_cg, format_fineness, parse_decimal, parse_scale_weight
from settlement.base.working_days import shown_time
from settlement.clerk.group import act, clerk, may, propose
from settlement.intake import bar_list, intake, melting
from settlement.intake.bar_list import BarKey, Declared
from settlement.intake.melting import Melted
from settlement.lots import lots, provenance, sampling, scales
from settlement.lots.provenance import Record
from settlement.lots.sampling import Drawn
from settlement.service.cli import in_transaction
from settlement.tables.lots import ORIGINS, PARTIES

_LOT = click.argument("lot_id", type=int)


def _record(
    origin: str,
    country: str | None,
    licence: str | None,
    tax_proof: str | None,
    seller_check: str | None,
    documents: tuple[str, ...],
    conflict_area: bool,
) -> Record:
    return Record(origin, country, licence, tax_proof, seller_check, documents, conflict_area)


_PAPERS = (
    click.option("--origin", required=True, type=click.Choice(ORIGINS)),
    click.option("--country", help="Two letters, such as CN."),
    click.option("--licence", help="The mine's licence; required for MINE."),
    click.option("--tax-proof", help="Proof of tax and royalty; required for MINE."),
    click.option("--seller-check", help="Number of the check of the seller's identity."),
    click.option("--document", "documents", multiple=True, help="Number of a paper; may be given several times."),
    click.option("--conflict-area", is_flag=True, help="From a conflict-affected or high-risk area."),
)


def _papers(command: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(_PAPERS):
        command = option(command)
    return command


@clerk.command("pre-advise")
@click.option("--refiner", required=True, help="Who made or marked it.")
@click.option("--serial", required=True, help="Its number, or that of the bag.")
@click.option("--year", type=int, default=0, help="Year stamped on it.")
@click.option("--symbol", required=True)
@click.option("--form", required=True, type=click.Choice(FORMS))
@click.option("--account", required=True)
@click.option("--warehouse", required=True)
@click.option("--gross", required=True, help="Declared grams.")
@click.option("--fineness", required=True, help="Declared per mille.")
@_papers
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
    origin: str,
    country: str | None,
    licence: str | None,
    tax_proof: str | None,
    seller_check: str | None,
    documents: tuple[str, ...],
    conflict_area: bool,
) -> None:
    """Advise one lot that is to come."""
    record = _record(origin, country, licence, tax_proof, seller_check, documents, conflict_area)

    async def work(connection: AsyncConnection) -> list[int]:
        await may(connection, by, "settle")
        weight = parse_scale_weight("gross", gross)
        permille = parse_decimal("fineness", fineness, 2, 1, 100_000, "per mille")
        key = BarKey(refiner, serial, year)
        row = Declared(1, key, symbol, form, account, warehouse, weight, permille, record)
        return await intake.pre_advise(connection, by, [row])

    click.echo(f"lot {in_transaction(work)[0]} is advised")


@clerk.command("arrive")
@_LOT
@click.option("--seal", required=True, help="Number of the seal it came under.")
@click.pass_obj
def arrive(by: str, lot_id: int, seal: str) -> None:
    """A lot has come."""
    act(by, lambda connection: intake.arrive(connection, by, {lot_id: seal}))
    click.echo(f"lot {lot_id} has arrived")


@clerk.command("weigh")
@_LOT
@click.option("--scale", required=True)
@click.option("--grams", required=True, help="As the balance shows it, with all its decimals.")
@click.pass_obj
def weigh(by: str, lot_id: int, scale: str, grams: str) -> None:
    """The gross weight of a lot."""

    async def work(connection: AsyncConnection) -> None:
        found = intake.Gross(scale, scales.parse_weight("grams", grams))
        await intake.weigh(connection, by, {lot_id: found})

    act(by, work)
    click.echo(f"lot {lot_id} weighs {grams} g")


@clerk.command("screen")
@_LOT
@click.option("--point", "points", multiple=True, required=True, help="Whole per mille; one mean, or three points.")
@click.option("--instrument", default="XRF", show_default=True)
@click.pass_obj
def screen(by: str, lot_id: int, points: tuple[str, ...], instrument: str) -> None:
    """X-ray screening of a lot; never final."""

    async def work(connection: AsyncConnection) -> None:
        read = [100 * parse_decimal("point", point, 0, 1, 1_000, "whole per mille") for point in points]
        await intake.screen(connection, by, {lot_id: read}, instrument)

    act(by, work)
    click.echo(f"lot {lot_id} is screened")


@clerk.command("melt")
@click.argument("lot_ids", type=int, nargs=-1, required=True)
@click.option("--scale", required=True)
@click.option("--grams", required=True, help="The weight after melting, as the balance shows it.")
@click.option("--refiner", help="Mark of the new lot, where several are melted into one.")
@click.option("--serial", help="Number of the new lot, where several are melted into one.")
@click.option("--again", is_flag=True, help="Melt a sampled or assayed lot once more.")
@click.pass_obj
def melt(
    by: str, lot_ids: tuple[int, ...], scale: str, grams: str, refiner: str | None, serial: str | None, again: bool
) -> None:
    """Melt one lot, or several LOT_IDS into a new one."""
    if (len(lot_ids) > 1) != (refiner is not None and serial is not None):
        raise click.UsageError("--refiner and --serial are the new lot's, where several are melted into one")

    async def work(connection: AsyncConnection) -> tuple[int, list[str]]:
        await may(connection, by, "settle")
        found = Melted(scale, scales.parse_weight("grams", grams))
        number = lot_ids[0]
        if len(lot_ids) > 1:
            key = BarKey(str(refiner), str(serial), 0)
            number = await melting.combine(connection, by, lot_ids, key, found)
        else:
            await melting.melt_each(connection, by, {number: found}, "remelt" if again else "melt")
        return number, [row.alarms for row in await melting.listing(connection) if row.lot_id == number][-1]

    number, alarms = in_transaction(work)
    click.echo(f"lot {number} weighs {grams} g after melting")
    for alarm in alarms:
        click.echo(f"alarm: {alarm}")


@clerk.command("melts")
@click.option("--alarmed", is_flag=True, help="Only those that wait for an explanation.")
@click.pass_obj
def melts(by: str, alarmed: bool) -> None:
    """Show melts, tab separated: number, lot, form, grams before, after, lost, fine grams lost, alarms, explanation."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        for row in await melting.listing(connection, alarmed=alarmed):
            weights = [format_weight(mg) for mg in (row.parents_mg, row.child_mg, row.loss_mg)]
            fine = "-" if row.fine_loss_mg is None else format_weight(row.fine_loss_mg)
            text = (row.melt_no, row.lot_id, row.form, *weights, fine, "; ".join(row.alarms) or "-")
            click.echo("\t".join(map(str, (*text, row.explanation or "-"))))

    in_transaction(work)


@clerk.command("melt-explain")
@click.argument("melt_no", type=int)
@click.option("--text", required=True)
@click.pass_obj
def melt_explain(by: str, melt_no: int, text: str) -> None:
    """Explain the alarm of a melt that somebody else has made."""
    act(by, lambda connection: melting.explain(connection, by, melt_no, text))
    click.echo(f"melt {melt_no} is explained")


@clerk.command("sample")
@_LOT
@click.option(
    "--sample",
    "drawn",
    nargs=3,
    multiple=True,
    required=True,
    metavar="PARTY SEAL GRAMS",
    help=f"PARTY: {', '.join(PARTIES)}.",
)
@click.pass_obj
def sample(by: str, lot_id: int, drawn: tuple[tuple[str, str, str], ...]) -> None:
    """Draw the samples of a lot, each under a seal."""

    async def work(connection: AsyncConnection) -> None:
        samples = [Drawn(party, seal, parse_scale_weight("weight", grams)) for party, seal, grams in drawn]
        await sampling.draw(connection, by, {lot_id: samples})

    act(by, work)
    click.echo(f"lot {lot_id} is sampled: {', '.join(seal for _, seal, _ in drawn)}")


@clerk.command("provenance")
@_LOT
@_papers
@click.pass_obj
def record_provenance(
    by: str,
    lot_id: int,
    origin: str,
    country: str | None,
    licence: str | None,
    tax_proof: str | None,
    seller_check: str | None,
    documents: tuple[str, ...],
    conflict_area: bool,
) -> None:
    """Record where a lot comes from, in place of what was recorded before."""
    record = _record(origin, country, licence, tax_proof, seller_check, documents, conflict_area)

    async def work(connection: AsyncConnection) -> tuple[str, list[str]]:
        await may(connection, by, "settle")
        await provenance.write(connection, by, {lot_id: record})
        row = (await provenance.of_lots(connection, [lot_id]))[lot_id]
        return row.grade, row.missing

    grade, missing = in_transaction(work)
    lacking = f"lacks {', '.join(missing)}" if missing else "complete"
    click.echo(f"lot {lot_id}: risk {grade}, {lacking}")


@clerk.command("provenance-accept")
@_LOT
@click.option("--due-diligence", required=True, help="Number of the enhanced due diligence.")
@click.pass_obj
def accept_provenance(by: str, lot_id: int, due_diligence: str) -> None:
    """Propose to accept a provenance of HIGH risk."""
    propose(by, lambda connection: provenance.propose_acceptance(connection, by, lot_id, due_diligence))


@clerk.command("certify")
@click.argument("lot_ids", type=int, nargs=-1, required=True)
@click.pass_obj
def certify(by: str, lot_ids: tuple[int, ...]) -> None:
    """Issue the certificates of assayed lots."""
    act(by, lambda connection: intake.certify(connection, by, lot_ids))
    click.echo(f"certified: {', '.join(map(str, lot_ids))}")


@clerk.command("register")
@click.argument("lot_ids", type=int, nargs=-1, required=True)
@click.pass_obj
def register(by: str, lot_ids: tuple[int, ...]) -> None:
    """Enter certified lots into the register."""
    act(by, lambda connection: intake.register(connection, by, lot_ids))
    click.echo(f"registered: {', '.join(map(str, lot_ids))}")


@clerk.command("cancel-advice")
@_LOT
@click.option("--reason", required=True)
@click.pass_obj
def cancel_advice(by: str, lot_id: int, reason: str) -> None:
    """A lot that was advised does not come."""
    act(by, lambda connection: intake.cancel(connection, by, lot_id, reason))
    click.echo(f"lot {lot_id} is cancelled")


@clerk.command("reject")
@_LOT
@click.option("--reason", required=True)
@click.pass_obj
def reject(by: str, lot_id: int, reason: str) -> None:
    """Refuse a lot that is not registered yet."""
    act(by, lambda connection: intake.reject(connection, by, lot_id, reason))
    click.echo(f"lot {lot_id} is rejected")


@clerk.command("return")
@_LOT
@click.option("--collector", required=True, help="Who takes it back.")
@click.pass_obj
def give_back(by: str, lot_id: int, collector: str) -> None:
    """Propose to hand a rejected lot back."""
    propose(by, lambda connection: intake.propose_return(connection, by, lot_id, collector))


@clerk.command("quarantine")
@_LOT
@click.option("--reason", required=True)
@click.option("--authority", required=True, help="Whose hold it is, or the number of its order.")
@click.pass_obj
def quarantine(by: str, lot_id: int, reason: str, authority: str) -> None:
    """Hold a lot at once: money laundering, or the police."""
    act(by, lambda connection: intake.quarantine(connection, by, lot_id, reason, authority))
    click.echo(f"lot {lot_id} is in quarantine")


@clerk.command("lift")
@_LOT
@click.option("--reason", required=True)
@click.pass_obj
def lift(by: str, lot_id: int, reason: str) -> None:
    """Propose to end the quarantine of a lot."""
    propose(by, lambda connection: intake.propose_lift(connection, by, lot_id, reason))


@clerk.command("lot")
@_LOT
@click.pass_obj
def show_lot(by: str, lot_id: int) -> None:
    """Show a lot, and everything that has happened to it."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        row = (await lots.find(connection, [lot_id]))[lot_id]
        origin = (await provenance.of_lots(connection, [lot_id])).get(lot_id)
        key = bar_list.BarKey(row.refiner, row.serial, row.year)
        click.echo(f"lot {lot_id}\t{key}\t{row.symbol}\t{row.form}\t{row.account}\t{row.warehouse}\t{row.state}")
        weight = row.melt_cg or row.gross_cg or row.declared_gross_cg
        fine = "-" if row.fine_mg is None else f"{format_weight(row.fine_mg)} g"
        fineness = format_fineness(row.fineness_e5 or row.declared_fineness_e5)
        click.echo(f"weight {format_cg(weight)} g\tfineness {fineness} per mille\tfine {fine}")
        if origin is not None:
            lacking = f", lacks {', '.join(origin.missing)}" if origin.missing else ""
            click.echo(f"provenance {origin.origin}, risk {origin.grade}{lacking}")
        for parent in await melting.parents_of(connection, lot_id):
            click.echo(f"parent lot {parent.lot_id}\t{format_weight(parent.weight_mg)} g")
        for event in await lots.history(connection, lot_id):
            detail = json.dumps(event.detail, ensure_ascii=False)
            fields = (shown_time(event.at), event.step, event.state, f"by {event.by}", event.warehouse, detail)
            click.echo("\t".join(fields))

    in_transaction(work)
