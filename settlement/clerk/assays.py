"""``goldx clerk``: laboratories, assays and their exchange between two parties, certificates, valuations."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import click
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.output import JSON, print_record, print_table, wants_json
from goldx.protocol.units import format_money, format_weight, parse_money, parse_price, parse_weight
from settlement.assays import assay, certificates, laboratories, two_parties, valuation
from settlement.assays.assay import STANDARDS, Result
from settlement.assays.laboratories import Bias
from settlement.assays.valuation import BASES, Figure, ValuationTerms
from settlement.base.arithmetic import format_fineness, parse_padded_decimal
from settlement.base.paging import PageRequest
from settlement.clerk.group import READERS, act, clerk, read, show
from settlement.clerk.options import DAY, LOT, NUMBER, REASON
from settlement.intake.bar_columns import MAX_PPM
from settlement.service.listings import PAGE, combined
from settlement.tables.assays import ACCREDITATIONS

REPLICATES = click.option(
    "--replicate",
    "replicates",
    multiple=True,
    required=True,
    metavar="PERMILLE",
    help="Per mille, at most 3 decimals; two to four.",
)
STANDARD = click.option("--standard", type=click.Choice(list(STANDARDS)), help="Default: the usual one of the form.")
SEAL = click.option("--seal", required=True, help="Number on the seal of the sample, as the laboratory reports it.")
PARTY = click.option("--party", required=True, type=click.Choice(["A", "B"]))


def _ppm(replicates: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(parse_padded_decimal("replicate", text, 3, 1, MAX_PPM, "per mille") for text in replicates)


@clerk.group("laboratory")
def laboratory_group() -> None:
    """The laboratories."""


class _Accreditation(NamedTuple):
    kinds: tuple[str, ...]
    number: str
    valid: tuple[date, date]


def _accreditation(kinds: tuple[str, ...], number: str, valid_from: date, valid_until: date) -> _Accreditation:
    return _Accreditation(kinds, number, (valid_from, valid_until))


ACCREDITATION = combined(
    "accreditation",
    _accreditation,
    click.option("--accreditation", "kinds", multiple=True, required=True, type=click.Choice(ACCREDITATIONS)),
    click.option("--accreditation-number", "number", required=True),
    click.option("--valid-from", required=True, type=DAY),
    click.option("--valid-until", required=True, type=DAY),
)


@laboratory_group.command("add")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--name-zh", default="")
@ACCREDITATION
@click.pass_obj
def add_laboratory(by: str, code: str, name: str, name_zh: str, accreditation: _Accreditation) -> None:
    """Register the laboratory CODE."""
    act(by, lambda connection: laboratories.add(connection, by, code, name, *accreditation, name_zh))
    click.echo(f"laboratory {code} is registered")


@laboratory_group.command("renew")
@click.argument("code")
@ACCREDITATION
@click.pass_obj
def renew_laboratory(by: str, code: str, accreditation: _Accreditation) -> None:
    """Record a new accreditation of the laboratory CODE."""
    act(by, lambda connection: laboratories.renew(connection, by, code, *accreditation))
    click.echo(f"laboratory {code} is accredited until {accreditation.valid[1]}")


def _laboratory(row: Row[Any]) -> Iterable[object]:
    return row.laboratory, row.name, row.accreditations, row.accreditation_no, row.valid_from, row.valid_until


@laboratory_group.command("list")
@PAGE
@click.pass_obj
def list_laboratories(by: str, page: PageRequest) -> None:
    """Show the laboratories and their accreditations."""
    columns = "laboratory name accreditations accreditation_no valid_from valid_until"
    show(by, page, columns, laboratories.listing, _laboratory)


def _bias(found: Bias) -> Iterable[object]:
    figures = [_permille(number) for number in (found.mean_difference_e7, found.deviation_e7)]
    return found.laboratory, found.results, *figures, found.flagged


@laboratory_group.command("bias")
@PAGE
@click.pass_obj
def show_bias(by: str, page: PageRequest) -> None:
    """Show how far each laboratory's results are from the final ones, and whether it is biased."""
    columns = "laboratory results mean_difference_permille deviation_permille biased"
    show(by, page, columns, laboratories.biases, _bias)


def _permille(e7: int) -> str:
    sign, size = ("-" if e7 < 0 else ""), abs(e7)
    return f"{sign}{size // 10_000}.{size % 10_000:04d}"


@clerk.group("assay")
def assay_group() -> None:
    """Results of laboratories, and their exchange between two parties."""


@assay_group.command("record")
@LOT
@click.option("--laboratory", required=True)
@REPLICATES
@SEAL
@STANDARD
@click.pass_obj
def record(by: str, lot_id: int, laboratory: str, replicates: tuple[str, ...], seal: str, standard: str | None) -> None:
    """Record the fire assay of a sampled lot by one laboratory that both parties take."""

    async def work(connection: AsyncConnection) -> int:
        await assay.fire_assay(connection, by, {lot_id: Result(laboratory, _ppm(replicates), seal, standard)})
        return int((await assay.findings(connection, [lot_id]))[lot_id].final_e5)

    click.echo(f"lot {lot_id}: {format_fineness(act(by, work))} per mille")


@assay_group.command("open")
@LOT
@click.option("--laboratory-a", required=True, help="Party A's: the seller's.")
@click.option("--laboratory-b", required=True, help="Party B's: the buyer's, or the venue's.")
@click.pass_obj
def open_assay_exchange(by: str, lot_id: int, laboratory_a: str, laboratory_b: str) -> None:
    """Open the exchange of two laboratories' results of a sampled lot."""
    number = act(by, lambda connection: two_parties.begin(connection, by, lot_id, laboratory_a, laboratory_b))
    click.echo(f"assay exchange {number} is open: both parties commit first")


@assay_group.command("commitment")
@JSON
@LOT
@REPLICATES
@click.option("--nonce", help="32 to 64 hexadecimal digits; default: a new one.")
def show_commitment(lot_id: int, replicates: tuple[str, ...], nonce: str | None) -> None:
    """Compute what a laboratory commits to. Needs no database: a laboratory runs it on its own machine."""
    secret = nonce or two_parties.new_nonce()
    print_record({"nonce": secret, "commitment": two_parties.commitment(lot_id, _ppm(replicates), secret).hex()})


@assay_group.command("commit")
@NUMBER
@PARTY
@click.option("--commitment", required=True, help="SHA-256, 64 hexadecimal digits.")
@click.pass_obj
def commit(by: str, number: int, party: str, commitment: str) -> None:
    """Enter a party's commitment in the exchange of assays NUMBER."""
    try:
        hashed = bytes.fromhex(commitment)
    except ValueError as error:
        raise click.BadParameter("it must be 64 hexadecimal digits", param_hint="--commitment") from error
    status = act(by, lambda connection: two_parties.commit(connection, by, number, party, hashed))
    click.echo(f"assay exchange {number} is {status}")


@assay_group.command("reveal")
@NUMBER
@PARTY
@REPLICATES
@click.option("--nonce", required=True)
@SEAL
@STANDARD
@click.pass_obj
def reveal(
    by: str, number: int, party: str, replicates: tuple[str, ...], nonce: str, seal: str, standard: str | None
) -> None:
    """Reveal what a party has committed to, when both have."""

    async def work(connection: AsyncConnection) -> tuple[str, str]:
        status = await two_parties.reveal(connection, by, number, party, _ppm(replicates), nonce, seal, standard)
        lot_id = (await two_parties.find(connection, number)).row.lot_id
        final = (await assay.findings(connection, [lot_id])).get(lot_id) if status == "AGREED" else None
        return status, "" if final is None else f": {format_fineness(final.final_e5)} per mille, {final.rule}"

    status, text = act(by, work)
    click.echo(f"assay exchange {number} is {status}{text}")


@assay_group.command("umpire")
@NUMBER
@click.option("--laboratory", required=True, help="Of neither party.")
@REPLICATES
@SEAL
@STANDARD
@click.pass_obj
def umpire(by: str, number: int, laboratory: str, replicates: tuple[str, ...], seal: str, standard: str | None) -> None:
    """Enter the umpire's result, where the parties differ beyond the splitting limit."""

    async def work(connection: AsyncConnection) -> str:
        result = Result(laboratory, _ppm(replicates), seal, standard)
        decision = await two_parties.report(connection, by, number, result)
        return f"{format_fineness(decision.final_e5)} per mille by {decision.rule}; {decision.umpire_paid_by} pays"

    click.echo(f"assay exchange {number} is DECIDED: {act(by, work)}")


@assay_group.command("void")
@NUMBER
@REASON
@click.pass_obj
def void(by: str, number: int, reason: str) -> None:
    """End an exchange of assays without a result."""
    act(by, lambda connection: two_parties.void(connection, by, number, reason))
    click.echo(f"assay exchange {number} is void")


def _assay_exchange(row: Row[Any]) -> Iterable[object]:
    return row.assay_exchange_no, row.lot_id, row.status, format_fineness(row.split_limit_e5), row.umpire_rule


@assay_group.command("exchanges")
@PAGE
@click.pass_obj
def list_assay_exchanges(by: str, page: PageRequest) -> None:
    """Show the exchanges of assays with their splitting limits."""
    show(by, page, "assay_exchange lot status split_limit_permille umpire_rule", two_parties.listing, _assay_exchange)


class _Certificates(click.Group):
    """``certificate 17 --out FILE`` is ``certificate print 17 --out FILE``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, ["print", *args] if args[0].isdigit() else args)


@clerk.group("certificate", cls=_Certificates)
def certificate_group() -> None:
    """Certificates; `certificate 17 --out FILE` prints one."""


@certificate_group.command("print")
@NUMBER
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The PDF to write.")
@click.pass_obj
def print_certificate(by: str, number: int, out: Path) -> None:
    """Write certificate NUMBER as PDF."""
    # Only this command needs the fonts and the writer of PDF.
    from settlement.assays import certificate_pdf

    found = read(by, lambda connection: certificates.find(connection, number))
    out.write_bytes(certificate_pdf.render(found))
    click.echo(f"{out}: certificate {number}, SHA-256 {found.hash.hex()}")


@certificate_group.command("verify")
@JSON
@NUMBER
@click.argument("sha256")
@click.pass_context
def verify(context: click.Context, number: int, sha256: str) -> None:
    """Check NUMBER and SHA256, as the QR code holds them, against the register; exit 1 if it has no such one."""

    async def work(connection: AsyncConnection) -> certificates.CertificateVerdict:
        return await certificates.check(connection, number, certificates.parse_hash(sha256))

    verdict = read(context.obj, work, (*READERS, "operate"))
    if wants_json():
        print_record({"certificate": number, "status": verdict.status, "lot_status": verdict.lot_state})
    elif verdict.status == "VALID":
        click.echo(f"certificate {number} is in the register; its lot is {verdict.lot_state}")
    elif verdict.status == "DIFFERENT":
        click.echo(f"certificate {number} of the register has another SHA-256: this is not what was issued")
    else:
        click.echo(f"the register has no certificate {number}")
    context.exit(0 if verdict.status == "VALID" else 1)


@certificate_group.command("recompute")
@JSON
@click.argument("numbers", type=int, nargs=-1)
@click.pass_context
def recompute(context: click.Context, numbers: tuple[int, ...]) -> None:
    """Compute certificates NUMBERS (default: all) again from their raw replicates; exit 1 if a figure differs."""

    async def work(connection: AsyncConnection) -> tuple[int, list[str]]:
        wrong = []
        wanted = numbers or tuple(await certificates.numbers(connection))
        for number in wanted:
            found = await certificates.find(connection, number)
            texts = await certificates.against_register(connection, found)
            wrong += [f"certificate {number}: {text}" for text in texts]
        return len(wanted), wrong

    count, wrong = read(context.obj, work)
    if wants_json():
        print_record({"certificates": count, "differences": wrong})
    else:
        for text in wrong:
            click.echo(text)
        click.echo(f"{count} certificates computed again: {len(wrong)} differences")
    context.exit(1 if wrong else 0)


@certificate_group.command("show")
@JSON
@NUMBER
@click.pass_obj
def show_certificate(by: str, number: int) -> None:
    """Show the text of certificate NUMBER, as it is hashed."""
    found = read(by, lambda connection: certificates.find(connection, number))
    content = found.content
    fineness, fine = format_fineness(content["finding"]["fineness_e5"]), format_weight(content["fine"]["fine_mg"])
    about = {"certificate": number, "lot": found.lot_id, "fineness_permille": fineness, "fine_g": fine}
    print_record({**about, "sha256": found.hash.hex(), "text": found.text})


@clerk.command("value")
@JSON
@LOT
@click.option("--price", required=True, metavar="CNY", help="CNY per fine gram.")
@click.option("--payable", default="100", show_default=True, help="Per cent of the fine gold, such as 99.5")
@click.option("--min-deduction", default="0", metavar="GRAMS", help="Fine grams that are not paid at least.")
@click.option("--adjustment", default="0", metavar="CNY", help="CNY per payable gram, may be negative.")
@click.option("--refining", default="0", metavar="CNY", help="CNY per gram.")
@click.option("--refining-base", default="received", type=click.Choice(BASES), show_default=True)
@click.option("--assay-fee", default="0", metavar="CNY", help="CNY.")
@click.pass_obj
def value(
    by: str,
    lot_id: int,
    price: str,
    payable: str,
    min_deduction: str,
    adjustment: str,
    refining: str,
    refining_base: str,
    assay_fee: str,
) -> None:
    """Value a certified lot: each figure with its unit and rule."""

    async def work(connection: AsyncConnection) -> list[Figure]:
        terms = ValuationTerms(
            parse_price(price),
            parse_padded_decimal("payable", payable, 3, 1, 100_000, "per cent"),
            parse_weight(min_deduction, "min_deduction"),
            parse_money(adjustment, "adjustment"),
            parse_money(refining, "refining"),
            refining_base,
            parse_money(assay_fee, "assay_fee"),
        )
        return await valuation.write(connection, by, lot_id, terms)

    print_table("figure amount unit rule", map(_figure, act(by, work)))


def _figure(figure: Figure) -> Iterable[object]:
    amount = (format_weight(figure.amount), "g") if figure.unit == "mg" else (format_money(figure.amount), "CNY")
    return figure.name, *amount, figure.rule
