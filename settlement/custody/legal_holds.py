"""Legal holds (法律冻结): an authority's order binds grams of an account, lots, or both, until it is lifted.

Named lots are locked from the proposal on, in addition to other locks. Grams in open orders cannot be held: the
operator kills the member first, which cancels its orders. A hold of lots alone moves no grams. A hold of everything
takes the account's free grams of a class, and the lots with which metal may still leave to it.
"""

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_weight
from settlement.base import audit, proposals
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.spelling import same
from settlement.base.texts import printable
from settlement.custody import encumbrances
from settlement.custody.encumbrances import LEGAL_HOLD
from settlement.documents.load_outs import STOPPABLE
from settlement.ledger import holdings
from settlement.lots import locks, lots
from settlement.tables.custody import encumbrance
from settlement.tables.load_outs import load_out, load_out_lot


async def propose(
    connection: AsyncConnection,
    by: str,
    account: str,
    symbol: str,
    fine_mg: int,
    authority: str,
    document: str,
    lot_ids: Sequence[int] = (),
) -> int:
    """Propose a hold by an authority's document; return the proposal's number.

    Raises BadValue for what is unknown or malformed, Refused where a lot is held already or is not in the warehouse,
    is of another class (ILLEGAL_STEP), or the account has not the gold (INSUFFICIENT_GOLD).
    """
    await audit.lock(connection)
    await encumbrances.check(connection, LEGAL_HOLD, account, symbol)
    printable("authority", authority, 64)
    printable("document", document, 64)
    chosen = sorted(set(lot_ids))
    if fine_mg < 0 or (fine_mg == 0 and not chosen):
        raise BadValue("weight", format_weight(fine_mg), "more than zero where no lots are named")
    for row in (await lots.find(connection, chosen)).values():
        if row.symbol != symbol:
            raise BadValue("symbol", symbol, f"{row.symbol}, the class of lot {row.lot_id}")
    if fine_mg:
        await holdings.check_available(connection, account, symbol, fine_mg, before_applications=True)
    values = {
        "kind": "LEGAL_HOLD",
        "account": account,
        "symbol": symbol,
        "fine_mg": fine_mg,
        "lots": chosen,
        "in_favour_of": authority,
        "document": document,
        "status": LEGAL_HOLD.machine.steps["propose"].after,
        "entered_by": by,
        "entered_at": now_ms(),
    }
    try:
        added = await connection.execute(insert(encumbrance).values(values).returning(encumbrance))
    except IntegrityError as error:
        raise BadValue("document", document, "the number of an order that is not entered yet") from error
    made = added.one()
    await locks.lay(connection, by, "LEGAL_HOLD", chosen, f"order {document} of {authority}", made.encumbrance_no)
    return await proposals.propose(connection, by, "legal_hold", [made.encumbrance_no], encumbrances.described(made))


async def propose_everything(
    connection: AsyncConnection, by: str, account: str, symbol: str, authority: str, document: str
) -> int:
    """Propose to hold everything that an account has of a class; return the proposal's number.

    That is every gram outside orders, and every lot of a load-out that has not left and is not held already. Raises as
    ``propose``, also if there is nothing to hold.
    """
    await audit.lock(connection)
    fine_mg = await holdings.unbound(connection, account, symbol)
    leaving = select(load_out_lot.c.lot_id).join(load_out, load_out.c.load_out_no == load_out_lot.c.load_out_no)
    leaving = leaving.where(load_out.c.account == account, load_out.c.symbol == symbol)
    leaving = leaving.where(load_out.c.status.in_(STOPPABLE))
    ids = sorted((await connection.execute(leaving)).scalars())
    held = await locks.on_lots(connection, ids)
    free = [lot_id for lot_id in ids if LEGAL_HOLD.lock not in [row.kind for row in held.get(lot_id, [])]]
    return await propose(connection, by, account, symbol, fine_mg, authority, document, free)


async def propose_lifting(connection: AsyncConnection, by: str, number: int, document: str) -> int:
    """Propose to lift a hold by the authority's document; return the proposal's number."""
    row = await encumbrances.one(connection, LEGAL_HOLD, number)
    printable("document", document, 64)
    if same(document, row.document):
        raise Refused(
            "NOT_PAIRED", f"legal hold {number}: {document} is the order itself; its lifting is another paper"
        )
    await encumbrances.step(connection, LEGAL_HOLD, by, "propose_lifting", [number], release_document=document)
    summary = {**encumbrances.described(row), "release": document}
    return await proposals.propose(connection, by, "legal_lift", [number], summary)
