"""``goldx clerk``: what a class accepts, balances, laboratories, assays and their exchange."""

from datetime import datetime

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.terms import FORMS
from goldx.protocol.units import format_weight, parse_weight
from settlement.assays import assay, laboratories, two_parties
from settlement.assays.assay import STANDARDS, Result
from settlement.base.arithmetic import FINENESS_RULES, format_cg, format_fineness, parse_decimal, parse_scale_weight
from settlement.clerk.group import act, clerk, may, propose
from settlement.intake.bar_list import MAX_PPM
from settlement.lots import acceptance, scales
from settlement.lots.acceptance import Wish
from settlement.lots.splitting import UMPIRE_RULES
from settlement.service.cli import in_transaction
from settlement.tables.assays import ACCREDITATIONS

_DAY = click.DateTime(["%Y-%m-%d"])
_REPLICATES = click.option(
    "--replicate", "replicates", multiple=True, required=True, help="Per mille, at most 3 decimals; two to four."
)
_STANDARD = click.option("--standard", type=click.Choice(list(STANDARDS)), help="Default: the usual one of the form.")


def _ppm(replicates: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(parse_decimal("replicate", text, 3, 1, MAX_PPM, "per mille") for text in replicates)


@clerk.group("acceptance")
def acceptance_group() -> None:
    """What a class accepts."""


@acceptance_group.command("propose")
@click.argument("symbol")
@click.option("--form", "forms", multiple=True, required=True, type=click.Choice(FORMS))
@click.option("--warehouse", "warehouses", multiple=True, help="Default: every warehouse.")
@click.option("--minimum-lot", default="0", help="Fine grams.")
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
        wish = Wish(forms, warehouses, parse_weight(minimum_lot, "minimum_lot"), fineness_rule, umpire_rule)
        return await acceptance.propose(connection, by, symbol, wish)

    propose(by, work)


@acceptance_group.command("list")
@click.pass_obj
def list_acceptance(by: str) -> None:
    """Show the terms of all classes, tab separated: class, band, forms, warehouses, minimum lot, rules."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        for terms in (await acceptance.terms(connection)).values():
            band = f"{format_fineness(terms.min_fineness)} to {format_fineness(terms.max_fineness)}"
            places = ",".join(terms.warehouses) or "every warehouse"
            least = f"{format_weight(terms.min_fine_mg)} g"
            fields = (terms.symbol, band, ",".join(terms.forms), places, least, terms.fineness_rule, terms.umpire_rule)
            click.echo("\t".join(fields))

    in_transaction(work)


@clerk.group("scale")
def scale_group() -> None:
    """The balances of the warehouses."""


@scale_group.command("add")
@click.argument("code")
@click.option("--warehouse", required=True)
@click.option("--resolution", required=True, help="Grams, such as 0.01")
@click.option("--capacity", required=True, help="Grams, such as 10000.00")
@click.option("--calibration", required=True, help="Number of the calibration certificate.")
@click.option("--valid-until", required=True, type=_DAY)
@click.pass_obj
def add_scale(
    by: str, code: str, warehouse: str, resolution: str, capacity: str, calibration: str, valid_until: datetime
) -> None:
    """Register the balance CODE."""

    async def work(connection: AsyncConnection) -> None:
        step = parse_scale_weight("resolution", resolution)
        most = parse_scale_weight("capacity", capacity)
        await scales.add(connection, by, code, warehouse, step, most, calibration, valid_until.date())

    act(by, work)
    click.echo(f"balance {code} is registered")


@scale_group.command("calibrate")
@click.argument("code")
@click.option("--calibration", required=True, help="Number of the calibration certificate.")
@click.option("--valid-until", required=True, type=_DAY)
@click.pass_obj
def calibrate_scale(by: str, code: str, calibration: str, valid_until: datetime) -> None:
    """Record a new calibration of the balance CODE."""
    act(by, lambda connection: scales.calibrate(connection, by, code, calibration, valid_until.date()))
    click.echo(f"balance {code} is calibrated until {valid_until.date()}")


@scale_group.command("list")
@click.pass_obj
def list_scales(by: str) -> None:
    """Show balances, tab separated: code, warehouse, resolution, capacity, calibration, valid until."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        for row in await scales.listing(connection):
            weights = (f"{format_cg(row.resolution_cg)} g", f"{format_cg(row.capacity_cg)} g")
            click.echo("\t".join((row.scale, row.warehouse, *weights, row.calibration, str(row.calibrated_until))))

    in_transaction(work)


@clerk.group("laboratory")
def laboratory_group() -> None:
    """The laboratories."""


_ACCREDITED = (
    click.option("--accreditation", "kinds", multiple=True, required=True, type=click.Choice(ACCREDITATIONS)),
    click.option("--number", required=True, help="Number of the accreditation."),
    click.option("--valid-from", required=True, type=_DAY),
    click.option("--valid-until", required=True, type=_DAY),
)


def _accredited(command: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(_ACCREDITED):
        command = option(command)
    return command


@laboratory_group.command("add")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--name-zh", default="")
@_accredited
@click.pass_obj
def add_laboratory(
    by: str,
    code: str,
    name: str,
    name_zh: str,
    kinds: tuple[str, ...],
    number: str,
    valid_from: datetime,
    valid_until: datetime,
) -> None:
    """Register the laboratory CODE."""
    valid = (valid_from.date(), valid_until.date())
    act(by, lambda connection: laboratories.add(connection, by, code, name, kinds, number, valid, name_zh))
    click.echo(f"laboratory {code} is registered")


@laboratory_group.command("renew")
@click.argument("code")
@_accredited
@click.pass_obj
def renew_laboratory(
    by: str, code: str, kinds: tuple[str, ...], number: str, valid_from: datetime, valid_until: datetime
) -> None:
    """Record a new accreditation of the laboratory CODE."""
    valid = (valid_from.date(), valid_until.date())
    act(by, lambda connection: laboratories.renew(connection, by, code, kinds, number, valid))
    click.echo(f"laboratory {code} is accredited until {valid[1]}")


@laboratory_group.command("list")
@click.pass_obj
def list_laboratories(by: str) -> None:
    """Show laboratories, tab separated: code, name, accreditation, valid from, until."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        for row in await laboratories.listing(connection):
            kinds = f"{'+'.join(row.accreditations)} {row.accreditation_no}"
            click.echo(f"{row.laboratory}\t{row.name}\t{kinds}\t{row.valid_from}\t{row.valid_until}")

    in_transaction(work)


@laboratory_group.command("bias")
@click.pass_obj
def show_bias(by: str) -> None:
    """Show each laboratory against the finals, tab separated: code, results, mean difference, deviation, flag."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        for found in await laboratories.biases(connection):
            figures = [_permille(number) for number in (found.mean_difference_e7, found.deviation_e7)]
            flag = "BIASED" if found.flagged else "-"
            click.echo("\t".join((found.laboratory, str(found.results), *figures, flag)))

    in_transaction(work)


def _permille(e7: int) -> str:
    sign, size = ("-" if e7 < 0 else ""), abs(e7)
    return f"{sign}{size // 10_000}.{size % 10_000:04d} per mille"


@clerk.group("assay")
def assay_group() -> None:
    """Results of laboratories, and their exchange between two parties."""


@assay_group.command("record")
@click.argument("lot_id", type=int)
@click.option("--laboratory", required=True)
@_REPLICATES
@_STANDARD
@click.pass_obj
def record(by: str, lot_id: int, laboratory: str, replicates: tuple[str, ...], standard: str | None) -> None:
    """The fire assay of a sampled lot by one laboratory that both parties take."""

    async def work(connection: AsyncConnection) -> int:
        await assay.fire_assay(connection, by, {lot_id: Result(laboratory, _ppm(replicates), standard)})
        return int((await assay.findings(connection, [lot_id]))[lot_id].final_e5)

    click.echo(f"lot {lot_id}: {format_fineness(act(by, work))} per mille")


@assay_group.command("open")
@click.argument("lot_id", type=int)
@click.option("--laboratory-a", required=True, help="Party A's: the seller's.")
@click.option("--laboratory-b", required=True, help="Party B's: the buyer's, or the venue's.")
@click.pass_obj
def open_exchange(by: str, lot_id: int, laboratory_a: str, laboratory_b: str) -> None:
    """Open the exchange of two laboratories' results of a sampled lot."""
    number = act(by, lambda connection: two_parties.begin(connection, by, lot_id, laboratory_a, laboratory_b))
    click.echo(f"exchange {number} is open: both parties commit first")


@assay_group.command("commitment")
@click.argument("lot_id", type=int)
@_REPLICATES
@click.option("--nonce", help="32 to 64 hexadecimal digits; default: a new one.")
def show_commitment(lot_id: int, replicates: tuple[str, ...], nonce: str | None) -> None:
    """Compute what a laboratory commits to. Needs no database: a laboratory runs it in its own house."""
    secret = nonce or two_parties.new_nonce()
    click.echo(f"nonce {secret}")
    click.echo(f"commitment {two_parties.commitment(lot_id, _ppm(replicates), secret).hex()}")


@assay_group.command("commit")
@click.argument("number", type=int)
@click.option("--party", required=True, type=click.Choice(["A", "B"]))
@click.option("--commitment", required=True, help="SHA-256, 64 hexadecimal digits.")
@click.pass_obj
def commit(by: str, number: int, party: str, commitment: str) -> None:
    """A party's commitment in exchange NUMBER."""
    try:
        hashed = bytes.fromhex(commitment)
    except ValueError as error:
        raise click.BadParameter("it must be 64 hexadecimal digits", param_hint="--commitment") from error
    status = act(by, lambda connection: two_parties.commit(connection, by, number, party, hashed))
    click.echo(f"exchange {number} is {status}")


@assay_group.command("reveal")
@click.argument("number", type=int)
@click.option("--party", required=True, type=click.Choice(["A", "B"]))
@_REPLICATES
@click.option("--nonce", required=True)
@_STANDARD
@click.pass_obj
def reveal(by: str, number: int, party: str, replicates: tuple[str, ...], nonce: str, standard: str | None) -> None:
    """Reveal what a party has committed to, when both have."""

    async def work(connection: AsyncConnection) -> tuple[str, str]:
        status = await two_parties.reveal(connection, by, number, party, _ppm(replicates), nonce, standard)
        lot_id = (await two_parties.find(connection, number)).row.lot_id
        final = (await assay.findings(connection, [lot_id])).get(lot_id) if status == "AGREED" else None
        return status, "" if final is None else f": {format_fineness(final.final_e5)} per mille, {final.rule}"

    status, text = act(by, work)
    click.echo(f"exchange {number} is {status}{text}")


@assay_group.command("umpire")
@click.argument("number", type=int)
@click.option("--laboratory", required=True, help="Of neither party.")
@_REPLICATES
@_STANDARD
@click.pass_obj
def umpire(by: str, number: int, laboratory: str, replicates: tuple[str, ...], standard: str | None) -> None:
    """The umpire's result, where the parties differ beyond the splitting limit."""

    async def work(connection: AsyncConnection) -> str:
        decision = await two_parties.report(connection, by, number, Result(laboratory, _ppm(replicates), standard))
        return f"{format_fineness(decision.final_e5)} per mille by {decision.rule}; {decision.umpire_paid_by} pays"

    click.echo(f"exchange {number} is DECIDED: {act(by, work)}")


@assay_group.command("void")
@click.argument("number", type=int)
@click.option("--reason", required=True)
@click.pass_obj
def void(by: str, number: int, reason: str) -> None:
    """End an exchange that comes to nothing."""
    act(by, lambda connection: two_parties.void(connection, by, number, reason))
    click.echo(f"exchange {number} is void")


@assay_group.command("exchanges")
@click.pass_obj
def list_exchanges(by: str) -> None:
    """Show exchanges, tab separated: number, lot, state, splitting limit, umpire's rule."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        for row in await two_parties.listing(connection):
            limit = f"{format_fineness(row.split_limit_e5)} per mille"
            click.echo(f"{row.exchange_no}\t{row.lot_id}\t{row.status}\t{limit}\t{row.umpire_rule}")

    in_transaction(work)
