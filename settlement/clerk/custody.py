"""``goldx clerk``: receipts, pledges, legal holds, and transfers between warehouses."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_weight, parse_weight
from settlement.base.paging import PageRequest
from settlement.clerk.group import act, clerk, joined, propose, show
from settlement.clerk.options import LOTS, NUMBER, REASON
from settlement.custody import encumbrances, legal_holds, pledges, receipt_cancels, receipts, transfers
from settlement.lots import scales
from settlement.lots.scales import GrossWeight
from settlement.service.listings import PAGE


@clerk.command("issue")
@click.argument("lot_ids", metavar="[LOTS]...", type=int, nargs=-1)
@click.pass_obj
def issue_receipts(by: str, lot_ids: tuple[int, ...]) -> None:
    """Propose receipts for LOTS, by default for every registered lot."""

    async def work(connection: AsyncConnection) -> int:
        return await receipts.propose_issue(connection, by, lot_ids or await receipts.issuable(connection))

    propose(by, work)


@clerk.command("cancel-receipt")
@LOTS
@REASON
@click.pass_obj
def cancel_receipts(by: str, lot_ids: tuple[int, ...], reason: str) -> None:
    """Propose to take back the receipts of LOTS: their gold leaves the holdings, the lots stay."""
    propose(by, lambda connection: receipt_cancels.propose(connection, by, lot_ids, reason))


@clerk.group("pledge")
def pledge_group() -> None:
    """Pledge gold: each side declares, a third person approves."""


@pledge_group.command("enter")
@click.option("--account", required=True, help="Of the pledgor.")
@click.option("--pledgee", required=True, help="A registered member.")
@click.option("--symbol", required=True)
@click.option("--fine", "weight", default="0", metavar="GRAMS", help="Fine grams; or name lots.")
@click.option("--lot", "lot_ids", type=int, multiple=True, help="A lot under the pledgor's own receipt.")
@click.option("--document", required=True, help="Number of the pledgor's declaration.")
@click.pass_obj
def pledge_enter(
    by: str, account: str, pledgee: str, symbol: str, weight: str, lot_ids: tuple[int, ...], document: str
) -> None:
    """Enter the pledgor's side."""

    async def work(connection: AsyncConnection) -> int:
        fine_mg = parse_weight(weight, "weight")
        return await pledges.enter(connection, by, account, pledgee, symbol, fine_mg, document, lot_ids)

    click.echo(f"pledge {act(by, work)} waits for the pledgee's side")


@pledge_group.command("pair")
@NUMBER
@click.option("--pledgee", required=True)
@click.option("--symbol", required=True)
@click.option("--fine", "weight", required=True, metavar="GRAMS", help="Fine grams.")
@click.option("--document", required=True, help="Number of the pledgee's declaration.")
@click.pass_obj
def pledge_pair(by: str, number: int, pledgee: str, symbol: str, weight: str, document: str) -> None:
    """Enter the pledgee's side of pledge NUMBER, which must agree with the pledgor's."""

    async def work(connection: AsyncConnection) -> int:
        fine_mg = parse_weight(weight, "weight")
        return await pledges.pair(connection, by, number, pledgee, symbol, fine_mg, document)

    propose(by, work)


@pledge_group.command("withdraw")
@NUMBER
@click.pass_obj
def pledge_withdraw(by: str, number: int) -> None:
    """Take back a side of pledge NUMBER, or of its release, that the other has not answered."""
    act(by, lambda connection: pledges.withdraw(connection, by, number))
    click.echo(f"pledge {number}: withdrawn")


@pledge_group.command("release")
@NUMBER
@click.option("--document", required=True, help="Number of the pledgee's declaration.")
@click.pass_obj
def pledge_release(by: str, number: int, document: str) -> None:
    """Enter the pledgee's side of the release of pledge NUMBER."""
    act(by, lambda connection: pledges.enter_release(connection, by, number, document))
    click.echo(f"pledge {number}: its release waits for the pledgor's side")


@pledge_group.command("pair-release")
@NUMBER
@click.option("--document", required=True, help="Number of the pledgor's declaration.")
@click.pass_obj
def pledge_pair_release(by: str, number: int, document: str) -> None:
    """Enter the pledgor's side of the release of pledge NUMBER."""
    propose(by, lambda connection: pledges.pair_release(connection, by, number, document))


@pledge_group.command("list")
@click.option("--status")
@PAGE
@click.pass_obj
def pledge_list(by: str, status: str | None, page: PageRequest) -> None:
    """Show pledges with their gold and pledgees."""
    _show_encumbrances(by, encumbrances.PLEDGE, status, page, "pledge account symbol fine_g lots pledgee status")


def _show_encumbrances(
    by: str, kind: encumbrances.EncumbranceKind, status: str | None, page: PageRequest, columns: str
) -> None:
    show(
        by,
        page,
        columns,
        lambda connection, part: encumbrances.listing(connection, kind, part, status=status),
        lambda row: (
            row.encumbrance_no,
            row.account,
            row.symbol,
            format_weight(row.fine_mg),
            row.lots,
            row.in_favour_of,
            row.status,
        ),
    )


@clerk.group("hold")
def hold_group() -> None:
    """Hold gold by order of an authority."""


@hold_group.command("propose")
@click.option("--account", required=True)
@click.option("--symbol", required=True)
@click.option("--fine", "weight", default="0", metavar="GRAMS", help="Fine grams; 0 with lots holds the lots alone.")
@click.option("--lot", "lot_ids", type=int, multiple=True)
@click.option("--authority", required=True)
@click.option("--document", required=True, help="Number of the order.")
@click.option("--everything", is_flag=True, help="All free grams of the class, and the lots of open load-outs.")
@click.pass_obj
def hold_propose(
    by: str,
    account: str,
    symbol: str,
    weight: str,
    lot_ids: tuple[int, ...],
    authority: str,
    document: str,
    everything: bool,
) -> None:
    """Propose a legal hold."""
    if everything and (lot_ids or weight != "0"):
        raise click.UsageError("--everything names neither weight nor lots")

    async def work(connection: AsyncConnection) -> int:
        if everything:
            return await legal_holds.propose_everything(connection, by, account, symbol, authority, document)
        fine_mg = parse_weight(weight, "weight")
        return await legal_holds.propose(connection, by, account, symbol, fine_mg, authority, document, lot_ids)

    propose(by, work)


@hold_group.command("lift")
@NUMBER
@click.option("--document", required=True, help="Number of the authority's paper that lifts it.")
@click.pass_obj
def hold_lift(by: str, number: int, document: str) -> None:
    """Propose to lift legal hold NUMBER."""
    propose(by, lambda connection: legal_holds.propose_lifting(connection, by, number, document))


@hold_group.command("list")
@click.option("--status")
@PAGE
@click.pass_obj
def hold_list(by: str, status: str | None, page: PageRequest) -> None:
    """Show legal holds with their gold and authorities."""
    _show_encumbrances(by, encumbrances.LEGAL_HOLD, status, page, "hold account symbol fine_g lots authority status")


@clerk.group("transfer")
def transfer_group() -> None:
    """Move lots from warehouse to warehouse."""


@transfer_group.command("propose")
@LOTS
@click.option("--warehouse", "to_warehouse", required=True, help="The warehouse that they go to.")
@click.option("--reason", required=True, help="Such as: shortage, below minimum, above maximum.")
@click.option("--permit", help="Across the customs border: number of the permit.")
@click.option("--new-symbol", help="Across the customs border: the class afterwards.")
@click.pass_obj
def transfer_propose(
    by: str, lot_ids: tuple[int, ...], to_warehouse: str, reason: str, permit: str | None, new_symbol: str | None
) -> None:
    """Propose to move LOTS."""
    crossing = {"permit": permit, "new_symbol": new_symbol}
    propose(by, lambda connection: transfers.propose(connection, by, lot_ids, to_warehouse, reason, **crossing))


@transfer_group.command("ship")
@NUMBER
@click.option("--seal", required=True)
@click.option("--carrier", required=True)
@click.pass_obj
def transfer_ship(by: str, number: int, seal: str, carrier: str) -> None:
    """Let the lots of transfer NUMBER go."""
    shipped = act(by, lambda connection: transfers.ship(connection, by, number, seal, carrier))
    click.echo(f"shipped lots: {joined(shipped)}")


@transfer_group.command("receive")
@NUMBER
@click.option("--seal", required=True, help="The seal as it was found.")
@click.option("--scale", required=True, help="A balance of the new warehouse.")
@click.option(
    "--gross",
    "weights",
    type=(int, str),
    multiple=True,
    required=True,
    help="Given for each lot.",
    metavar="LOT GRAMS",
)
@click.pass_obj
def transfer_receive(by: str, number: int, seal: str, scale: str, weights: tuple[tuple[int, str], ...]) -> None:
    """Take in and weigh the lots of transfer NUMBER, which another person has shipped."""

    async def work(connection: AsyncConnection) -> transfers.Arrival:
        found = {lot_id: GrossWeight(scale, scales.parse_shown_weight("weight", grams)) for lot_id, grams in weights}
        return await transfers.receive(connection, by, number, seal, found)

    arrival = act(by, work)
    click.echo(f"transfer {number} has arrived")
    for lot_id, reason in arrival.frozen.items():
        click.echo(f"lot {lot_id} is frozen: {reason}")


@transfer_group.command("cancel")
@NUMBER
@click.pass_obj
def transfer_cancel(by: str, number: int) -> None:
    """End transfer NUMBER before its lots leave."""
    act(by, lambda connection: transfers.cancel(connection, by, number))
    click.echo(f"transfer {number} is cancelled")
