"""``goldx clerk load-out`` and ``goldx clerk claim``: metal going out, and quality claims about it afterwards."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import click
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_weight, parse_money, parse_weight
from settlement.base.arithmetic import parse_padded_decimal
from settlement.base.paging import PageRequest
from settlement.clerk.group import act, clerk, joined, propose, show
from settlement.clerk.options import DAY, NUMBER, REASON
from settlement.load_outs import application, cancels, handing_over, load_outs, quality_claims
from settlement.service.listings import PAGE
from settlement.tables.load_outs import DECLARED_USES, LOAD_OUT_ORDERS


@clerk.group("load-out")
def load_out_group() -> None:
    """Withdraw metal."""


@load_out_group.command("apply")
@click.option("--account", required=True)
@click.option("--symbol", required=True)
@click.option("--warehouse", required=True)
@click.option("--fine", "weight", required=True, metavar="GRAMS", help="Fine grams, such as 3000 or 12.5")
@click.option("--collector", required=True, help="Who will come for it.")
@click.option("--collector-id", required=True, help="Number of the identity paper that will be shown.")
@click.option("--lots-by", type=click.Choice(LOAD_OUT_ORDERS), default="AGE", show_default=True)
@click.option("--declared-use", type=click.Choice(DECLARED_USES), default="NON_INVESTMENT", show_default=True)
@click.option("--from", "from_day", type=DAY, help="First day of collection, such as 2026-11-24; default: today.")
@click.option("--until", "until_day", type=DAY, help="Last day; default: as the tariff says.")
@click.option("--pickup-code", prompt=True, hide_input=True, confirmation_prompt=True, help="6 to 12 digits.")
@click.pass_obj
def load_out_apply(
    by: str,
    account: str,
    symbol: str,
    warehouse: str,
    weight: str,
    collector: str,
    collector_id: str,
    lots_by: str,
    declared_use: str,
    from_day: date | None,
    until_day: date | None,
    pickup_code: str,
) -> None:
    """Allocate lots and propose the load-out."""

    async def work(connection: AsyncConnection) -> int:
        who = (collector, collector_id, pickup_code, pickup_code)
        fine_mg = parse_weight(weight, "weight")
        days = (from_day, until_day)
        asked = application.Application(account, symbol, warehouse, fine_mg, *who, lots_by, declared_use, *days)
        return await application.apply(connection, by, asked)

    propose(by, work)


@load_out_group.command("sign")
@NUMBER
@click.option("--collector-id", required=True, help="Number of the identity paper as it is shown.")
@click.option("--pickup-code", prompt=True, hide_input=True)
@click.pass_obj
def load_out_sign(by: str, number: int, collector_id: str, pickup_code: str) -> None:
    """Sign first for load-out NUMBER: code and identity paper are right."""
    # A wrong code is counted, so the refusal is returned and the transaction committed.
    refusal = act(by, lambda connection: handing_over.sign(connection, by, number, pickup_code, collector_id))
    if refusal is not None:
        raise click.ClickException(str(refusal))
    click.echo(f"load-out {number} is signed; another person must hand it over")


@load_out_group.command("release")
@NUMBER
@click.pass_obj
def load_out_release(by: str, number: int) -> None:
    """Sign second for load-out NUMBER and hand its lots to the collector."""
    released = act(by, lambda connection: handing_over.release(connection, by, number))
    click.echo(f"released lots: {joined(released)}")


@load_out_group.command("unsign")
@NUMBER
@click.pass_obj
def load_out_unsign(by: str, number: int) -> None:
    """Take back the first signature: the collector left without the metal."""
    act(by, lambda connection: handing_over.withdraw_signature(connection, by, number))
    click.echo(f"load-out {number} waits for its collector again")


@load_out_group.command("new-code")
@NUMBER
@click.option("--pickup-code", prompt=True, hide_input=True, confirmation_prompt=True, help="6 to 12 digits.")
@click.pass_obj
def load_out_new_code(by: str, number: int, pickup_code: str) -> None:
    """Propose a new pick-up code for load-out NUMBER; it also ends a block."""
    propose(by, lambda connection: handing_over.propose_code(connection, by, number, pickup_code, pickup_code))


@load_out_group.command("cancel")
@NUMBER
@click.pass_obj
def load_out_cancel(by: str, number: int) -> None:
    """Propose to cancel the settled load-out NUMBER: its gold comes back. Free on the day of application."""
    propose(by, lambda connection: cancels.propose(connection, by, number))


def _sheet(row: Row[Any]) -> Iterable[object]:
    weights = (format_weight(row.ask_mg), format_weight(row.allocated_mg))
    place = (row.load_out_no, row.account, row.symbol, row.warehouse)
    return *place, *weights, row.type, row.from_day, row.until_day, row.status


@load_out_group.command("list")
@click.option("--status")
@PAGE
@click.pass_obj
def load_out_list(by: str, status: str | None, page: PageRequest) -> None:
    """Show the sheets of load-outs: what was asked for and allocated, and when it is collected."""
    columns = "load_out account symbol warehouse asked_g allocated_g type from until status"
    show(by, page, columns, lambda connection, part: load_outs.listing(connection, part, status=status), _sheet)


@clerk.group("claim")
def quality_claim_group() -> None:
    """Quality claims about metal that has left."""


@quality_claim_group.command("open")
@NUMBER
@click.option("--lot", "lot_ids", type=int, multiple=True, required=True)
@REASON
@click.option("--seal-whole/--seal-broken", required=True)
@click.pass_obj
def quality_claim_open(by: str, number: int, lot_ids: tuple[int, ...], reason: str, seal_whole: bool) -> None:
    """Open a claim about lots of the released load-out NUMBER."""
    opened = act(
        by,
        lambda connection: quality_claims.open_claim(connection, by, number, lot_ids, reason, seal_whole=seal_whole),
    )
    click.echo(f"claim {opened} is open; its samples go to an umpire")


@quality_claim_group.command("send")
@NUMBER
@click.option("--laboratory", required=True)
@click.pass_obj
def quality_claim_send(by: str, number: int, laboratory: str) -> None:
    """Send the samples of claim NUMBER to the umpire laboratory."""
    act(by, lambda connection: quality_claims.send(connection, by, number, laboratory))
    click.echo(f"claim {number} is with {laboratory}")


@quality_claim_group.command("decide")
@NUMBER
@click.option("--fineness", required=True, metavar="PERMILLE", help="The umpire's result, per mille.")
@click.option("--fee", required=True, metavar="CNY", help="What the umpire costs, CNY.")
@click.option("--upheld/--dismissed", default=None, help="The decision that you expect; default: that of the figures.")
@click.pass_obj
def quality_claim_decide(by: str, number: int, fineness: str, fee: str, upheld: bool | None) -> None:
    """Propose the decision of claim NUMBER by the umpire's result; the losing side pays the umpire."""

    async def work(connection: AsyncConnection) -> int:
        e5 = parse_padded_decimal("fineness", fineness, 2, 1, 100_000, "per mille")
        return await quality_claims.propose(connection, by, number, e5, parse_money(fee, "fee"), upheld=upheld)

    propose(by, work)
