"""``goldx clerk``: warehouses, terms of acceptance, balances, and lots with their records and locks."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import click
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.output import JSON, Both, print_record
from goldx.protocol.terms import FORMS
from goldx.protocol.units import format_weight, parse_weight
from settlement.base.arithmetic import FINENESS_RULES, format_cg, format_fineness, parse_scale_weight
from settlement.base.paging import PageRequest
from settlement.base.units import in_units
from settlement.base.working_days import midnight, shown_time
from settlement.clerk.group import act, clerk, joined, propose, read, show
from settlement.clerk.options import DAY, GONE, LOT, LOTS, PROVENANCE, REASON
from settlement.intake import melting
from settlement.intake.bar_rows import BarKey
from settlement.lots import acceptance, customs, locks, lots, provenance, sampling, scales, warehouses
from settlement.lots.acceptance import AcceptanceTerms, Rule
from settlement.lots.provenance import ProvenanceRecord
from settlement.lots.sampling import SealedSample
from settlement.lots.splitting import UMPIRE_RULES
from settlement.service.listings import PAGE, combined
from settlement.tables.lots import CUSTOMS, LOCK_KINDS, PARTIES

CALIBRATION = click.option("--calibration", required=True, help="Number of the calibration certificate.")
VALID_UNTIL = click.option("--valid-until", required=True, type=DAY)


@clerk.command("warehouse-add")
@click.argument("code")
@click.option("--name", "title", required=True)
@click.option("--city", required=True)
@click.option("--customs", "status", default="DOMESTIC", show_default=True, help="DOMESTIC or BONDED.")
@click.pass_obj
def add_warehouse(by: str, code: str, title: str, city: str, status: str) -> None:
    """Register the delivery warehouse CODE."""
    act(by, lambda connection: warehouses.add(connection, by, code, title, city, status))
    click.echo(f"warehouse {code} is registered")


@clerk.group("acceptance")
def acceptance_group() -> None:
    """Propose and show the terms on which classes accept lots."""


@acceptance_group.command("propose")
@click.argument("symbol")
@click.option("--form", "forms", multiple=True, required=True, type=click.Choice(FORMS))
@click.option("--warehouse", "warehouses", multiple=True, help="Default: every warehouse.")
@click.option("--min-fine", "minimum_lot", default="0", metavar="GRAMS", help="Fine grams.")
@click.option("--fineness-rule", default=FINENESS_RULES[0], type=click.Choice(FINENESS_RULES), show_default=True)
@click.option("--umpire-rule", default=UMPIRE_RULES[0], type=click.Choice(UMPIRE_RULES), show_default=True)
@click.pass_obj
def propose_acceptance(
    by: str,
    symbol: str,
    forms: tuple[str, ...],
    warehouses: tuple[str, ...],
    minimum_lot: str,
    fineness_rule: str,
    umpire_rule: str,
) -> None:
    """Propose what the class SYMBOL accepts from now on."""

    async def work(connection: AsyncConnection) -> int:
        rule = Rule(forms, warehouses, parse_weight(minimum_lot, "minimum_lot"), fineness_rule, umpire_rule)
        return await acceptance.propose(connection, by, symbol, rule)

    propose(by, work)


def _terms(terms: AcceptanceTerms) -> Iterable[object]:
    band = (format_fineness(terms.min_fineness), format_fineness(terms.max_fineness))
    places = Both(",".join(terms.warehouses) or "every warehouse", list(terms.warehouses))
    least = format_weight(terms.min_fine_mg)
    return terms.symbol, *band, list(terms.forms), places, least, terms.fineness_rule, terms.umpire_rule


@acceptance_group.command("list")
@PAGE
@click.pass_obj
def list_acceptance(by: str, page: PageRequest) -> None:
    """Show the terms of all classes: band of fineness, forms, warehouses, smallest lot, rules."""
    columns = "symbol min_fineness_permille max_fineness_permille forms warehouses min_fine_g fineness_rule umpire_rule"
    show(by, page, columns, acceptance.listing, _terms)


@clerk.group("scale")
def scale_group() -> None:
    """The balances of the warehouses."""


@scale_group.command("add")
@click.argument("code")
@click.option("--warehouse", required=True)
@click.option("--resolution", required=True, metavar="GRAMS", help="Grams, such as 0.01")
@click.option("--capacity", required=True, metavar="GRAMS", help="Grams, such as 10000.00")
@CALIBRATION
@VALID_UNTIL
@click.pass_obj
def add_scale(
    by: str, code: str, warehouse: str, resolution: str, capacity: str, calibration: str, valid_until: date
) -> None:
    """Register the balance CODE."""

    async def work(connection: AsyncConnection) -> None:
        step = parse_scale_weight("resolution", resolution)
        most = parse_scale_weight("capacity", capacity)
        await scales.add(connection, by, code, warehouse, step, most, calibration, valid_until)

    act(by, work)
    click.echo(f"balance {code} is registered")


@scale_group.command("calibrate")
@click.argument("code")
@CALIBRATION
@VALID_UNTIL
@click.pass_obj
def calibrate_scale(by: str, code: str, calibration: str, valid_until: date) -> None:
    """Record a new calibration of the balance CODE."""
    act(by, lambda connection: scales.calibrate(connection, by, code, calibration, valid_until))
    click.echo(f"balance {code} is calibrated until {valid_until}")


def _scale(row: Row[Any]) -> Iterable[object]:
    weights = (format_cg(row.resolution_cg), format_cg(row.capacity_cg))
    return row.scale, row.warehouse, *weights, row.calibration, row.calibrated_until


@scale_group.command("list")
@PAGE
@click.pass_obj
def list_scales(by: str, page: PageRequest) -> None:
    """Show the balances of the warehouses with their calibrations."""
    show(by, page, "scale warehouse resolution_g capacity_g calibration valid_until", scales.listing, _scale)


@clerk.command("sample")
@LOT
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
        samples = [SealedSample(party, seal, parse_scale_weight("weight", grams)) for party, seal, grams in drawn]
        await sampling.draw(connection, by, {lot_id: samples})

    act(by, work)
    click.echo(f"lot {lot_id} is sampled: {joined(seal for _, seal, _ in drawn)}")


@clerk.command("provenance")
@LOT
@PROVENANCE
@click.pass_obj
def record_provenance(by: str, lot_id: int, record: ProvenanceRecord) -> None:
    """Record where a lot comes from, in place of what was recorded before."""

    async def work(connection: AsyncConnection) -> Row[Any]:
        await provenance.write(connection, by, {lot_id: record})
        return (await provenance.of_lots(connection, [lot_id]))[lot_id]

    row = act(by, work)
    lacking = f"lacks {', '.join(row.missing)}" if row.missing else "complete"
    click.echo(f"lot {lot_id}: risk {row.grade}, {lacking}")


@clerk.command("provenance-accept")
@LOT
@click.option("--due-diligence", required=True, help="Number of the enhanced due diligence.")
@click.pass_obj
def accept_provenance(by: str, lot_id: int, due_diligence: str) -> None:
    """Propose to accept a provenance of HIGH risk."""
    propose(by, lambda connection: provenance.propose_acceptance(connection, by, lot_id, due_diligence))


@clerk.command("freeze")
@LOTS
@REASON
@click.pass_obj
def freeze(by: str, lot_ids: tuple[int, ...], reason: str) -> None:
    """Freeze LOTS at once: their metal cannot be given to anybody."""
    act(by, lambda connection: locks.freeze(connection, by, lot_ids, reason))
    click.echo(f"frozen: {joined(lot_ids)}")


@clerk.command("unfreeze")
@LOTS
@REASON
@click.pass_obj
def unfreeze(by: str, lot_ids: tuple[int, ...], reason: str) -> None:
    """End the freeze of LOTS that another person has frozen."""
    act(by, lambda connection: locks.unfreeze(connection, by, lot_ids, reason))
    click.echo(f"no longer frozen: {joined(lot_ids)}")


@clerk.command("locks")
@click.option("--kind", type=click.Choice(LOCK_KINDS))
@PAGE
@click.pass_obj
def list_locks(by: str, kind: str | None, page: PageRequest) -> None:
    """Show locked lots: the lock of each, the document behind it, and why."""
    show(
        by,
        page,
        "lot lock document by reason",
        lambda connection, part: locks.listing(connection, part, kind=kind),
        lambda row: (row.lot_id, row.kind, row.subject, row.by, row.reason),
    )


@clerk.command("class-customs")
@click.argument("symbol")
@click.argument("status", metavar="CUSTOMS", type=click.Choice(CUSTOMS))
@click.pass_obj
def class_customs(by: str, symbol: str, status: str) -> None:
    """Assign class SYMBOL to metal of one status of CUSTOMS; a class that is not assigned takes DOMESTIC metal."""
    act(by, lambda connection: customs.assign(connection, by, symbol, status))
    click.echo(f"{symbol} takes {status} metal")


def _days(first: date | None, last: date | None) -> tuple[int | None, int | None]:
    """Return the times at which the first day begins and the last one ends."""
    begins = None if first is None else midnight(first)
    return begins, None if last is None else midnight(last + timedelta(days=1))


def _lot(row: Row[Any]) -> Iterable[object]:
    gross = format_cg(row.gross_cg or row.declared_gross_cg)
    fineness = format_fineness(row.fineness_e5 or row.declared_fineness_e5)
    fine = None if row.fine_mg is None else format_weight(row.fine_mg)
    key = BarKey(row.refiner, row.serial, row.year)
    return row.lot_id, str(key), row.symbol, row.form, row.account, row.warehouse, row.state, gross, fineness, fine


def _search(
    state: str | None,
    symbol: str | None,
    account: str | None,
    warehouse: str | None,
    refiner: str | None,
    serial: str | None,
    first: date | None,
    last: date | None,
    gone: bool,
) -> lots.Search:
    days = _days(first, last)
    return lots.Search(state, symbol, account, warehouse, refiner, serial, *days, gone)


SEARCH = combined(
    "search",
    _search,
    click.option("--status", "state"),
    click.option("--symbol"),
    click.option("--account"),
    click.option("--warehouse"),
    click.option("--refiner"),
    click.option("--serial", help="May end in *: all that begin so."),
    click.option("--from", "first", type=DAY, help="Arrived on this day (2026-11-24) or later."),
    click.option("--until", "last", type=DAY, help="Arrived on this day or earlier."),
    GONE,
)


@clerk.command("lots")
@SEARCH
@PAGE
@click.pass_obj
def list_lots(by: str, search: lots.Search, page: PageRequest) -> None:
    """Show lots: where each lies, whose it is, and how much gold it is."""
    columns = "lot bar symbol form account warehouse status gross_g fineness_permille fine_g"
    show(by, page, columns, lambda connection, part: lots.listing(connection, search, part), _lot)


def _event_search(warehouse: str | None, first: date | None, last: date | None) -> lots.EventSearch:
    return lots.EventSearch(*_days(first, last), warehouse)


EVENT_SEARCH = combined(
    "search",
    _event_search,
    click.option("--warehouse"),
    click.option("--from", "first", type=DAY, help="On this day (2026-11-24) or later."),
    click.option("--until", "last", type=DAY, help="On this day or earlier."),
)


@clerk.command("events")
@EVENT_SEARCH
@PAGE
@click.pass_obj
def list_events(by: str, search: lots.EventSearch, page: PageRequest) -> None:
    """Show custody events: what happened to which lot, and its status afterwards."""
    show(
        by,
        page,
        "time lot step status warehouse by",
        lambda connection, part: lots.events(connection, search, part),
        lambda row: (shown_time(row.at), row.lot_id, row.step, row.state, row.warehouse, row.by),
    )


@clerk.command("lot")
@JSON
@LOT
@click.pass_obj
def show_lot(by: str, lot_id: int) -> None:
    """Show a lot, and everything that has happened to it."""

    async def work(connection: AsyncConnection) -> dict[str, object]:
        row = (await lots.find(connection, [lot_id]))[lot_id]
        origin = (await provenance.of_lots(connection, [lot_id])).get(lot_id)
        return {
            "lot": lot_id,
            "bar": str(BarKey(row.refiner, row.serial, row.year)),
            "symbol": row.symbol,
            "form": row.form,
            "account": row.account,
            "warehouse": row.warehouse,
            "status": row.state,
            "gross_g": format_cg(row.melt_cg or row.gross_cg or row.declared_gross_cg),
            "fineness_permille": format_fineness(row.fineness_e5 or row.declared_fineness_e5),
            "fine_g": None if row.fine_mg is None else format_weight(row.fine_mg),
            "origin": None if origin is None else origin.origin,
            "risk": None if origin is None else origin.grade,
            "missing": [] if origin is None else list(origin.missing),
            "parents": [
                {"lot": parent.lot_id, "weight_g": format_weight(parent.weight_mg)}
                for parent in await melting.parents_of(connection, lot_id)
            ],
            "history": [_event(event) for event in await lots.history(connection, lot_id)],
        }

    print_record(read(by, work))


def _event(event: Row[Any]) -> dict[str, object]:
    return {
        "time": shown_time(event.at),
        "step": event.step,
        "status": event.state,
        "by": event.by,
        "warehouse": event.warehouse,
        "detail": in_units(event.detail),
    }
