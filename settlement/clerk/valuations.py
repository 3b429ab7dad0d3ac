"""``goldx clerk value``: what a certified lot is worth on stated terms."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money, format_weight, parse_money, parse_price, parse_weight
from settlement.assays import valuation
from settlement.assays.valuation import BASES, Figure, Terms
from settlement.base.arithmetic import parse_decimal
from settlement.clerk.group import act, clerk


@clerk.command("value")
@click.argument("lot_id", type=int)
@click.option("--price", required=True, help="CNY per fine gram.")
@click.option("--payable", default="100", show_default=True, help="Per cent of the fine gold, such as 99.5")
@click.option("--min-deduction", default="0", help="Fine grams that are not paid at least.")
@click.option("--adjustment", default="0", help="CNY per payable gram, may be negative.")
@click.option("--refining", default="0", help="CNY per gram.")
@click.option("--refining-base", default="received", type=click.Choice(BASES), show_default=True)
@click.option("--assay-fee", default="0", help="CNY.")
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
    """Value a certified lot, tab separated: figure, amount, unit, rule."""

    async def work(connection: AsyncConnection) -> list[Figure]:
        terms = Terms(
            parse_price(price),
            parse_decimal("payable", payable, 3, 1, 100_000, "per cent"),
            parse_weight(min_deduction, "min_deduction"),
            parse_money(adjustment, "adjustment"),
            parse_money(refining, "refining"),
            refining_base,
            parse_money(assay_fee, "assay_fee"),
        )
        return await valuation.write(connection, by, lot_id, terms)

    for figure in act(by, work):
        shown = (format_weight(figure.amount), "g") if figure.unit == "mg" else (format_money(figure.amount), "CNY")
        click.echo("\t".join((figure.name, *shown, figure.rule)))
