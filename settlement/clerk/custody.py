"""``goldx clerk``: what binds lots and gold, and lots on their way between warehouses."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_weight, parse_weight
from settlement.clerk.group import clerk, may
from settlement.custody import encumbrances, legal_holds, pledges, receipt_cancels, transfers
from settlement.lots import customs, locks
from settlement.service.cli import in_transaction
from settlement.tables.lots import CUSTOMS, LOCK_KINDS

WAITS = "proposal {} waits for another person's approval"


@clerk.command("freeze")
@click.argument("lot_ids", metavar="LOTS", type=int, nargs=-1, required=True)
@click.option("--reason", required=True)
@click.pass_obj
def freeze(by: str, lot_ids: tuple[int, ...], reason: str) -> None:
    """Freeze LOTS at once: their metal goes to nobody."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await locks.freeze(connection, by, lot_ids, reason)

    in_transaction(work)
    click.echo(f"frozen: {', '.join(map(str, lot_ids))}")


@clerk.command("unfreeze")
@click.argument("lot_ids", metavar="LOTS", type=int, nargs=-1, required=True)
@click.option("--reason", required=True)
@click.pass_obj
def unfreeze(by: str, lot_ids: tuple[int, ...], reason: str) -> None:
    """End the freeze of LOTS that another person has frozen."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await locks.unfreeze(connection, by, lot_ids, reason)

    in_transaction(work)
    click.echo(f"no longer frozen: {', '.join(map(str, lot_ids))}")


@clerk.command("locks")
@click.option("--kind", type=click.Choice(LOCK_KINDS))
@click.pass_obj
def list_locks(by: str, kind: str | None) -> None:
    """Show locked lots, tab separated: lot, lock, document, by, reason."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        after = 0
        while found := await locks.listing(connection, kind=kind, after=after):
            for row in found:
                click.echo(f"{row.lot_id}\t{row.kind}\t{row.subject or '-'}\t{row.by}\t{row.reason}")
            after = found[-1].lock_id

    in_transaction(work)


@clerk.command("cancel-receipt")
@click.argument("lot_ids", metavar="LOTS", type=int, nargs=-1, required=True)
@click.option("--reason", required=True)
@click.pass_obj
def cancel_receipt(by: str, lot_ids: tuple[int, ...], reason: str) -> None:
    """Propose to take back the receipts of LOTS: their gold leaves the holdings, the lots stay."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        return await receipt_cancels.propose(connection, by, lot_ids, reason)

    click.echo(WAITS.format(in_transaction(work)))


@clerk.command("class-customs")
@click.argument("symbol")
@click.argument("status", type=click.Choice(CUSTOMS))
@click.pass_obj
def class_customs(by: str, symbol: str, status: str) -> None:
    """Say that class SYMBOL takes metal of one customs STATUS; DOMESTIC if nobody says so."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await customs.assign(connection, by, symbol, status)

    in_transaction(work)
    click.echo(f"{symbol} takes {status} metal")


@clerk.group("pledge")
def pledge_group() -> None:
    """Pledge gold: each side declares, a third person approves."""


@pledge_group.command("enter")
@click.option("--account", required=True, help="Of the pledgor.")
@click.option("--pledgee", required=True, help="A registered member.")
@click.option("--symbol", required=True)
@click.option("--weight", default="0", help="Fine grams; or name lots.")
@click.option("--lot", "lot_ids", type=int, multiple=True, help="A lot under the pledgor's own receipt.")
@click.option("--document", required=True, help="Number of the pledgor's declaration.")
@click.pass_obj
def pledge_enter(
    by: str, account: str, pledgee: str, symbol: str, weight: str, lot_ids: tuple[int, ...], document: str
) -> None:
    """Enter the pledgor's side."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        fine_mg = parse_weight(weight, "weight")
        return await pledges.enter(connection, by, account, pledgee, symbol, fine_mg, document, lot_ids)

    click.echo(f"pledge {in_transaction(work)} waits for the pledgee's side")


@pledge_group.command("pair")
@click.argument("number", type=int)
@click.option("--pledgee", required=True)
@click.option("--symbol", required=True)
@click.option("--weight", required=True, help="Fine grams.")
@click.option("--document", required=True, help="Number of the pledgee's declaration.")
@click.pass_obj
def pledge_pair(by: str, number: int, pledgee: str, symbol: str, weight: str, document: str) -> None:
    """Enter the pledgee's side of pledge NUMBER, which must say the same."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        fine_mg = parse_weight(weight, "weight")
        return await pledges.pair(connection, by, number, pledgee, symbol, fine_mg, document)

    click.echo(WAITS.format(in_transaction(work)))


@pledge_group.command("withdraw")
@click.argument("number", type=int)
@click.pass_obj
def pledge_withdraw(by: str, number: int) -> None:
    """Take back a side of pledge NUMBER, or of its release, that the other has not answered."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await pledges.withdraw(connection, by, number)

    in_transaction(work)
    click.echo(f"pledge {number}: withdrawn")


@pledge_group.command("release")
@click.argument("number", type=int)
@click.option("--document", required=True, help="Number of the pledgee's declaration.")
@click.pass_obj
def pledge_release(by: str, number: int, document: str) -> None:
    """Enter the pledgee's side of the release of pledge NUMBER."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await pledges.enter_release(connection, by, number, document)

    in_transaction(work)
    click.echo(f"pledge {number}: its release waits for the pledgor's side")


@pledge_group.command("pair-release")
@click.argument("number", type=int)
@click.option("--document", required=True, help="Number of the pledgor's declaration.")
@click.pass_obj
def pledge_pair_release(by: str, number: int, document: str) -> None:
    """Enter the pledgor's side of the release of pledge NUMBER."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        return await pledges.pair_release(connection, by, number, document)

    click.echo(WAITS.format(in_transaction(work)))


@pledge_group.command("list")
@click.option("--status")
@click.pass_obj
def pledge_list(by: str, status: str | None) -> None:
    """Show pledges, tab separated: number, account, class, fine grams, lots, pledgee, status."""
    _list(by, encumbrances.PLEDGE, status)


def _list(by: str, kind: encumbrances.Kind, status: str | None) -> None:
    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle", "supervise")
        for row in await encumbrances.listing(connection, kind, status):
            numbers = ",".join(map(str, row.lots)) or "-"
            fine = format_weight(row.fine_mg)
            fields = (row.encumbrance_no, row.account, row.symbol, fine, numbers, row.in_favour_of, row.status)
            click.echo("\t".join(map(str, fields)))

    in_transaction(work)


@clerk.group("hold")
def hold_group() -> None:
    """Hold gold by order of an authority."""


@hold_group.command("propose")
@click.option("--account", required=True)
@click.option("--symbol", required=True)
@click.option("--weight", default="0", help="Fine grams; 0 with lots holds the lots alone.")
@click.option("--lot", "lot_ids", type=int, multiple=True)
@click.option("--authority", required=True)
@click.option("--document", required=True, help="Number of the order.")
@click.pass_obj
def hold_propose(
    by: str, account: str, symbol: str, weight: str, lot_ids: tuple[int, ...], authority: str, document: str
) -> None:
    """Propose a legal hold."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        fine_mg = parse_weight(weight, "weight")
        return await legal_holds.propose(connection, by, account, symbol, fine_mg, authority, document, lot_ids)

    click.echo(WAITS.format(in_transaction(work)))


@hold_group.command("lift")
@click.argument("number", type=int)
@click.option("--document", required=True, help="Number of the authority's paper that lifts it.")
@click.pass_obj
def hold_lift(by: str, number: int, document: str) -> None:
    """Propose to lift legal hold NUMBER."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        return await legal_holds.propose_lifting(connection, by, number, document)

    click.echo(WAITS.format(in_transaction(work)))


@hold_group.command("list")
@click.option("--status")
@click.pass_obj
def hold_list(by: str, status: str | None) -> None:
    """Show legal holds, tab separated: number, account, class, fine grams, lots, authority, status."""
    _list(by, encumbrances.LEGAL_HOLD, status)


@clerk.group("transfer")
def transfer_group() -> None:
    """Move lots from warehouse to warehouse."""


@transfer_group.command("propose")
@click.argument("lot_ids", metavar="LOTS", type=int, nargs=-1, required=True)
@click.option("--to", "to_warehouse", required=True, help="Code of the warehouse.")
@click.option("--reason", required=True, help="Such as: shortage, below minimum, above maximum.")
@click.option("--permit", help="Across the customs border: number of the permit.")
@click.option("--new-symbol", help="Across the customs border: the class afterwards.")
@click.pass_obj
def transfer_propose(
    by: str, lot_ids: tuple[int, ...], to_warehouse: str, reason: str, permit: str | None, new_symbol: str | None
) -> None:
    """Propose to move LOTS."""

    async def work(connection: AsyncConnection) -> int:
        await may(connection, by, "settle")
        crossing = {"permit": permit, "new_symbol": new_symbol}
        return await transfers.propose(connection, by, lot_ids, to_warehouse, reason, **crossing)

    click.echo(WAITS.format(in_transaction(work)))


@transfer_group.command("ship")
@click.argument("number", type=int)
@click.option("--seal", required=True)
@click.option("--carrier", required=True)
@click.pass_obj
def transfer_ship(by: str, number: int, seal: str, carrier: str) -> None:
    """Let the lots of transfer NUMBER go."""

    async def work(connection: AsyncConnection) -> list[int]:
        await may(connection, by, "settle")
        return await transfers.ship(connection, by, number, seal, carrier)

    click.echo(f"shipped lots: {', '.join(map(str, in_transaction(work)))}")


@transfer_group.command("receive")
@click.argument("number", type=int)
@click.option("--seal", required=True, help="The seal as it was found.")
@click.pass_obj
def transfer_receive(by: str, number: int, seal: str) -> None:
    """Take in the lots of transfer NUMBER, which another person has shipped."""

    async def work(connection: AsyncConnection) -> bool:
        await may(connection, by, "settle")
        return await transfers.receive(connection, by, number, seal)

    frozen = "" if in_transaction(work) else "; it left under another seal: its lots are frozen"
    click.echo(f"transfer {number} has arrived{frozen}")


@transfer_group.command("cancel")
@click.argument("number", type=int)
@click.pass_obj
def transfer_cancel(by: str, number: int) -> None:
    """End transfer NUMBER before its lots leave."""

    async def work(connection: AsyncConnection) -> None:
        await may(connection, by, "settle")
        await transfers.cancel(connection, by, number)

    in_transaction(work)
    click.echo(f"transfer {number} is cancelled")
