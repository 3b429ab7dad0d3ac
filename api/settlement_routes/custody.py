"""Receipts, pledges, legal holds, and transfers between warehouses."""

from typing import Any

from pydantic import Field

from api.listing import ThePage, listed
from api.settlement_routes.access import (
    Clerk,
    DocumentRequest,
    LotNumber,
    LotsAndReasonRequest,
    Number,
    Reader,
    Strict,
    TheMember,
    Transaction,
    new_router,
)
from api.settlement_routes.rows import Projection
from goldx.protocol.units import BadValue, parse_weight
from settlement.custody import encumbrances, legal_holds, pledges, receipt_cancels, receipts, transfers
from settlement.lots import scales
from settlement.lots.scales import GrossWeight

router = new_router()
members = new_router("/v1", "custody")
"""The routes that members call with their own keys."""

RECEIPT = Projection(
    "receipt_no lot_id account symbol warehouse status reason locks issued_to trade_id", fine="fine_mg"
)
RECEIPT_OF_MEMBER = Projection("receipt_no account symbol refiner serial year form warehouse free", fine="fine_mg")
ENCUMBRANCE = Projection(
    "encumbrance_no account symbol lots in_favour_of document counter_document release_document "
    "release_counter_document status reason",
    fine="fine_mg",
)
ARRIVAL = Projection("seal_whole frozen")
TRANSFER = Projection(
    "transfer_no from_warehouse to_warehouse new_symbol permit reason status seal "
    "carrier shipped_by shipped_at received_by received_at lots"
)


class ReceiptRequest(Strict):
    lots: list[LotNumber] | None = Field(default=None, description="Default: every registered lot without a receipt")


class PledgeRequest(Strict):
    account: str
    pledgee: str = Field(description="a registered member")
    symbol: str
    weight: str = Field(default="0", description="fine grams; or name lots", examples=["1000"])
    lots: list[LotNumber] = Field(default=[], description="lots under the pledgor's own receipts")
    document: str


class PledgeesSideRequest(Strict):
    pledgee: str
    symbol: str
    weight: str
    document: str


class LegalHoldRequest(Strict):
    account: str
    symbol: str
    weight: str = Field(default="0", description="fine grams; 0 with lots holds the lots alone")
    lots: list[LotNumber] = Field(default=[], description="lots that the order names")
    authority: str
    document: str
    everything: bool = Field(default=False, description="all free grams, and the lots of open load-outs")


class TransferRequest(Strict):
    lots: list[LotNumber]
    to_warehouse: str
    reason: str
    permit: str | None = Field(default=None, description="across the customs border")
    new_symbol: str | None = Field(default=None, description="across the customs border: the class afterwards")


class ShipmentRequest(Strict):
    seal: str
    carrier: str


class ArrivedWeight(Strict):
    lot: LotNumber
    scale: str = Field(description="a balance of the new warehouse")
    grams: str = Field(description="as the balance shows it", examples=["1000.04"])


class ReceptionRequest(Strict):
    seal: str
    weights: list[ArrivedWeight] = Field(description="of each lot")


@members.get("/receipts")
async def get_own_receipts(principal: TheMember, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the live receipts of your accounts; a deal can name those whose lots are `free` of everything."""
    return listed("receipts", RECEIPT_OF_MEMBER, await receipts.of_member(connection, str(principal.member), page))


@router.get("/receipts")
async def get_receipts(_: Reader, connection: Transaction, page: ThePage, account: str | None = None) -> dict[str, Any]:
    """List receipts by number, each with its lot's warehouse and the kinds of its locks."""
    return listed("receipts", RECEIPT, await receipts.listing(connection, page, account=account))


@router.post("/receipts")
async def propose_receipts(by: Clerk, connection: Transaction, request: ReceiptRequest) -> dict[str, int]:
    """Propose receipts for registered lots."""
    chosen = request.lots if request.lots is not None else await receipts.issuable(connection)
    return {"proposal": await receipts.propose_issue(connection, by, chosen)}


@router.post("/receipts/cancel")
async def propose_cancel(by: Clerk, connection: Transaction, request: LotsAndReasonRequest) -> dict[str, int]:
    """Propose to take back the receipts of lots."""
    return {"proposal": await receipt_cancels.propose(connection, by, request.lots, request.reason)}


@router.get("/pledges")
async def get_pledges(_: Reader, connection: Transaction, page: ThePage, status: str | None = None) -> dict[str, Any]:
    """List pledges, oldest first."""
    rows = await encumbrances.listing(connection, encumbrances.PLEDGE, page, status=status)
    return listed("pledges", ENCUMBRANCE, rows)


@router.post("/pledges")
async def enter_pledge(by: Clerk, connection: Transaction, request: PledgeRequest) -> dict[str, int]:
    """Enter the pledgor's side."""
    fine_mg = parse_weight(request.weight, "weight")
    side = (request.account, request.pledgee, request.symbol, fine_mg, request.document, request.lots)
    return {"pledge": await pledges.enter(connection, by, *side)}


@router.post("/pledges/{number}/pair")
async def pair_pledge(
    by: Clerk, connection: Transaction, number: Number, request: PledgeesSideRequest
) -> dict[str, int]:
    """Enter the pledgee's side, which must agree with the pledgor's."""
    side = (request.pledgee, request.symbol, parse_weight(request.weight, "weight"), request.document)
    return {"proposal": await pledges.pair(connection, by, number, *side)}


@router.post("/pledges/{number}/withdraw")
async def withdraw_pledge(by: Clerk, connection: Transaction, number: Number) -> dict[str, int]:
    """Take back a side that the other has not answered."""
    await pledges.withdraw(connection, by, number)
    return {"pledge": number}


@router.post("/pledges/{number}/release")
async def release_pledge(
    by: Clerk, connection: Transaction, number: Number, request: DocumentRequest
) -> dict[str, int]:
    """Enter the pledgee's side of a release."""
    await pledges.enter_release(connection, by, number, request.document)
    return {"pledge": number}


@router.post("/pledges/{number}/release/pair")
async def pair_release(by: Clerk, connection: Transaction, number: Number, request: DocumentRequest) -> dict[str, int]:
    """Enter the pledgor's side of a release."""
    return {"proposal": await pledges.pair_release(connection, by, number, request.document)}


@router.get("/holds")
async def get_holds(_: Reader, connection: Transaction, page: ThePage, status: str | None = None) -> dict[str, Any]:
    """List legal holds, oldest first."""
    rows = await encumbrances.listing(connection, encumbrances.LEGAL_HOLD, page, status=status)
    return listed("holds", ENCUMBRANCE, rows)


@router.post("/holds")
async def propose_hold(by: Clerk, connection: Transaction, request: LegalHoldRequest) -> dict[str, int]:
    """Propose a legal hold."""
    of, order = (request.account, request.symbol), (request.authority, request.document, request.lots)
    if request.everything:
        if request.lots or request.weight != "0":
            raise BadValue("everything", True, "false where a weight or lots are given")
        return {"proposal": await legal_holds.propose_everything(connection, by, *of, *order[:2])}
    gold = (*of, parse_weight(request.weight, "weight"))
    return {"proposal": await legal_holds.propose(connection, by, *gold, *order)}


@router.post("/holds/{number}/lift")
async def propose_lifting(
    by: Clerk, connection: Transaction, number: Number, request: DocumentRequest
) -> dict[str, int]:
    """Propose to lift a legal hold."""
    return {"proposal": await legal_holds.propose_lifting(connection, by, number, request.document)}


@router.get("/transfers")
async def get_transfers(_: Reader, connection: Transaction, page: ThePage, status: str | None = None) -> dict[str, Any]:
    """List transfers, oldest first, with their lots."""
    return listed("transfers", TRANSFER, await transfers.listing(connection, page, status=status))


@router.post("/transfers")
async def propose_transfer(by: Clerk, connection: Transaction, request: TransferRequest) -> dict[str, int]:
    """Propose to move lots to another warehouse."""
    crossing = {"permit": request.permit, "new_symbol": request.new_symbol}
    to, reason = request.to_warehouse, request.reason
    return {"proposal": await transfers.propose(connection, by, request.lots, to, reason, **crossing)}


@router.post("/transfers/{number}/ship")
async def ship(by: Clerk, connection: Transaction, number: Number, request: ShipmentRequest) -> dict[str, list[int]]:
    """Let the lots go."""
    return {"lots": await transfers.ship(connection, by, number, request.seal, request.carrier)}


@router.post("/transfers/{number}/receive")
async def receive(by: Clerk, connection: Transaction, number: Number, request: ReceptionRequest) -> dict[str, Any]:
    """Take in and weigh lots that another person has shipped. They arrive frozen if seal or weight differs."""
    weights = {
        one.lot: GrossWeight(one.scale, scales.parse_shown_weight("grams", one.grams)) for one in request.weights
    }
    return ARRIVAL(await transfers.receive(connection, by, number, request.seal, weights))


@router.post("/transfers/{number}/cancel")
async def cancel_transfer(by: Clerk, connection: Transaction, number: Number) -> dict[str, int]:
    """End a transfer before its lots leave."""
    await transfers.cancel(connection, by, number)
    return {"transfer": number}
