"""What binds lots and gold, and lots on their way between warehouses."""

from typing import Any

from pydantic import Field
from sqlalchemy import Row

from api.settlement_routes.access import Clerk, Reader, Strict, Transaction, new_router
from goldx.protocol.units import format_weight, parse_weight
from settlement.custody import encumbrances, legal_holds, pledges, receipt_cancels, receipts, transfers
from settlement.lots import customs, locks

router = new_router()


class Lots(Strict):
    lots: list[int]
    reason: str


class Customs(Strict):
    customs: str = Field(description="DOMESTIC or BONDED")


class Pledge(Strict):
    account: str
    pledgee: str = Field(description="a registered member")
    symbol: str
    weight: str = Field(default="0", description="fine grams; or name lots", examples=["1000"])
    lots: list[int] = Field(default=[], description="lots under the pledgor's own receipts")
    document: str


class PledgeesSide(Strict):
    pledgee: str
    symbol: str
    weight: str
    document: str


class Document(Strict):
    document: str


class Hold(Strict):
    account: str
    symbol: str
    weight: str = Field(default="0", description="fine grams; 0 with lots holds the lots alone")
    lots: list[int] = Field(default=[], description="lots that the order names")
    authority: str
    document: str


class Transfer(Strict):
    lots: list[int]
    to_warehouse: str
    reason: str
    permit: str | None = Field(default=None, description="across the customs border")
    new_symbol: str | None = Field(default=None, description="across the customs border: the class afterwards")


class Shipment(Strict):
    seal: str
    carrier: str


class Arrival(Strict):
    seal: str


@router.get("/receipts")
async def get_receipts(
    _: Reader, connection: Transaction, account: str | None = None, after: int = 0
) -> dict[str, Any]:
    """Receipts by number, a thousand after receipt `after`."""
    names = ("receipt_no", "lot_id", "account", "symbol", "warehouse", "status", "reason", "locks")
    rows = await receipts.listing(connection, account=account, after=after)
    return {"receipts": [{**_named(row, names), "fine": format_weight(row.fine_mg)} for row in rows]}


@router.post("/receipts/cancel")
async def propose_cancel(by: Clerk, connection: Transaction, wish: Lots) -> dict[str, int]:
    """Proposes to take back the receipts of lots."""
    return {"proposal": await receipt_cancels.propose(connection, by, wish.lots, wish.reason)}


@router.get("/locks")
async def get_locks(_: Reader, connection: Transaction, kind: str | None = None, after: int = 0) -> dict[str, Any]:
    """Locks that lie on lots now, a thousand after lock `after`."""
    names = ("lock_id", "lot_id", "kind", "subject", "reason", "by", "at")
    return {"locks": [_named(row, names) for row in await locks.listing(connection, kind=kind, after=after)]}


@router.post("/locks/freeze")
async def freeze(by: Clerk, connection: Transaction, wish: Lots) -> dict[str, list[int]]:
    """Freezes lots at once."""
    await locks.freeze(connection, by, wish.lots, wish.reason)
    return {"lots": wish.lots}


@router.post("/locks/unfreeze")
async def unfreeze(by: Clerk, connection: Transaction, wish: Lots) -> dict[str, list[int]]:
    """Ends the freeze of lots that another person has frozen."""
    await locks.unfreeze(connection, by, wish.lots, wish.reason)
    return {"lots": wish.lots}


@router.put("/classes/{symbol}/customs")
async def assign_customs(by: Clerk, connection: Transaction, symbol: str, wish: Customs) -> dict[str, str]:
    """Says which customs status the metal of a class has."""
    await customs.assign(connection, by, symbol, wish.customs)
    return {"symbol": symbol, "customs": wish.customs}


@router.get("/pledges")
async def get_pledges(_: Reader, connection: Transaction, status: str | None = None) -> dict[str, Any]:
    """Pledges, oldest first."""
    rows = await encumbrances.listing(connection, encumbrances.PLEDGE, status)
    return {"pledges": [_encumbrance(row) for row in rows]}


@router.post("/pledges")
async def enter_pledge(by: Clerk, connection: Transaction, wish: Pledge) -> dict[str, int]:
    """Enters the pledgor's side."""
    fine_mg = parse_weight(wish.weight, "weight")
    side = (wish.account, wish.pledgee, wish.symbol, fine_mg, wish.document, wish.lots)
    return {"pledge": await pledges.enter(connection, by, *side)}


@router.post("/pledges/{number}/pair")
async def pair_pledge(by: Clerk, connection: Transaction, number: int, side: PledgeesSide) -> dict[str, int]:
    """Enters the pledgee's side, which must say the same."""
    fine_mg = parse_weight(side.weight, "weight")
    return {"proposal": await pledges.pair(connection, by, number, side.pledgee, side.symbol, fine_mg, side.document)}


@router.post("/pledges/{number}/withdraw")
async def withdraw_pledge(by: Clerk, connection: Transaction, number: int) -> dict[str, int]:
    """Takes back a side that the other has not answered."""
    await pledges.withdraw(connection, by, number)
    return {"pledge": number}


@router.post("/pledges/{number}/release")
async def release_pledge(by: Clerk, connection: Transaction, number: int, side: Document) -> dict[str, int]:
    """Enters the pledgee's side of a release."""
    await pledges.enter_release(connection, by, number, side.document)
    return {"pledge": number}


@router.post("/pledges/{number}/release/pair")
async def pair_release(by: Clerk, connection: Transaction, number: int, side: Document) -> dict[str, int]:
    """Enters the pledgor's side of a release."""
    return {"proposal": await pledges.pair_release(connection, by, number, side.document)}


@router.get("/holds")
async def get_holds(_: Reader, connection: Transaction, status: str | None = None) -> dict[str, Any]:
    """Legal holds, oldest first."""
    rows = await encumbrances.listing(connection, encumbrances.LEGAL_HOLD, status)
    return {"holds": [_encumbrance(row) for row in rows]}


@router.post("/holds")
async def propose_hold(by: Clerk, connection: Transaction, wish: Hold) -> dict[str, int]:
    """Proposes a legal hold."""
    order = (wish.account, wish.symbol, parse_weight(wish.weight, "weight"), wish.authority, wish.document, wish.lots)
    return {"proposal": await legal_holds.propose(connection, by, *order)}


@router.post("/holds/{number}/lift")
async def propose_lifting(by: Clerk, connection: Transaction, number: int, paper: Document) -> dict[str, int]:
    """Proposes to lift a legal hold."""
    return {"proposal": await legal_holds.propose_lifting(connection, by, number, paper.document)}


@router.get("/transfers")
async def get_transfers(_: Reader, connection: Transaction, status: str | None = None) -> dict[str, Any]:
    """Transfers, oldest first, with their lots."""
    names = (
        *("transfer_no", "from_warehouse", "to_warehouse", "new_symbol", "permit", "reason", "status", "seal"),
        *("carrier", "shipped_by", "shipped_at", "received_by", "received_at"),
    )
    rows = await transfers.listing(connection, status)
    return {
        "transfers": [
            {**_named(row, names), "lots": await transfers.lots_of(connection, row.transfer_no)} for row in rows
        ]
    }


@router.post("/transfers")
async def propose_transfer(by: Clerk, connection: Transaction, wish: Transfer) -> dict[str, int]:
    """Proposes to move lots to another warehouse."""
    crossing = {"permit": wish.permit, "new_symbol": wish.new_symbol}
    return {"proposal": await transfers.propose(connection, by, wish.lots, wish.to_warehouse, wish.reason, **crossing)}


@router.post("/transfers/{number}/ship")
async def ship(by: Clerk, connection: Transaction, number: int, shipment: Shipment) -> dict[str, list[int]]:
    """Lets the lots go."""
    return {"lots": await transfers.ship(connection, by, number, shipment.seal, shipment.carrier)}


@router.post("/transfers/{number}/receive")
async def receive(by: Clerk, connection: Transaction, number: int, arrival: Arrival) -> dict[str, bool]:
    """Takes in lots that another person has shipped; under another seal they arrive frozen."""
    return {"seal_whole": await transfers.receive(connection, by, number, arrival.seal)}


@router.post("/transfers/{number}/cancel")
async def cancel_transfer(by: Clerk, connection: Transaction, number: int) -> dict[str, int]:
    """Ends a transfer before its lots leave."""
    await transfers.cancel(connection, by, number)
    return {"transfer": number}


def _named(row: Row[Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _encumbrance(row: Row[Any]) -> dict[str, Any]:
    names = (
        *("encumbrance_no", "account", "symbol", "lots", "in_favour_of", "document", "counter_document"),
        *("release_document", "release_counter_document", "status", "reason"),
    )
    return {**_named(row, names), "fine": format_weight(row.fine_mg)}
