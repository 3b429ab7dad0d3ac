"""Pledges (质押): the pledgor and the pledgee declare separately, are paired, and somebody else approves.

The states follow the exchange practice of domain sheet 2.9 (entered, paired, approved; withdrawn, refused). The person
who enters one side's document may not enter the other's. A pledge never passes title: the remedies of an unpaid pledgee
are a matter of law and courts, not of this register.
"""

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_weight
from settlement.base import audit, proposals
from settlement.base.database import among, now_ms
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.custody import encumbrances
from settlement.custody.encumbrances import PLEDGE
from settlement.documents.custody import RECEIPT_LIVE
from settlement.ledger import holdings
from settlement.lots import locks, lots
from settlement.tables.base import member
from settlement.tables.custody import encumbrance, receipt


async def enter(
    connection: AsyncConnection,
    by: str,
    account: str,
    pledgee: str,
    symbol: str,
    fine_mg: int,
    document: str,
    lot_ids: Sequence[int] = (),
) -> int:
    """Enter the pledgor's side: fine mg of a class, or 0 for exactly what the named lots hold. Return the number.

    Raises BadValue for what is unknown or malformed, Refused where a lot is not the pledgor's to pledge (NOT_OWN_LOT)
    or locked (LOCKED), or the account has not the gold (INSUFFICIENT_GOLD).
    """
    await audit.lock(connection)
    owner = await encumbrances.check(connection, PLEDGE, account, symbol)
    printable("document", document, 64)
    if await connection.scalar(select(member.c.member).where(member.c.member == pledgee)) is None:
        raise BadValue("pledgee", pledgee, "a registered member")
    if pledgee == owner:
        raise BadValue("pledgee", pledgee, f"somebody other than {owner}, whose account it is")
    chosen = sorted(set(lot_ids))
    if chosen:
        fine_mg = await _fine_of_own_lots(connection, account, symbol, chosen, fine_mg)
        await locks.check_free(connection, chosen)
    if fine_mg <= 0:
        raise BadValue("weight", format_weight(fine_mg), "more than zero")
    await holdings.check_available(connection, account, symbol, fine_mg)
    row = {
        "kind": "PLEDGE",
        "account": account,
        "symbol": symbol,
        "fine_mg": fine_mg,
        "lots": chosen,
        "in_favour_of": pledgee,
        "document": document,
        "status": PLEDGE.machine.steps["enter"].after,
        "entered_by": by,
        "entered_at": now_ms(),
    }
    try:
        added = await connection.execute(insert(encumbrance).values(row).returning(encumbrance.c.encumbrance_no))
    except IntegrityError as error:
        raise BadValue("document", document, "the number of a document that is not entered yet") from error
    number = int(added.scalar_one())
    detail = {"account": account, "pledgee": pledgee, "symbol": symbol, "fine_mg": fine_mg, "lots": chosen}
    await audit.record(connection, audit.Act(by, "pledge.enter", f"pledge:{number}", {**detail, "document": document}))
    return number


async def _fine_of_own_lots(
    connection: AsyncConnection, account: str, symbol: str, lot_ids: Sequence[int], fine_mg: int
) -> int:
    """Return the fine mg of these lots' live receipts; refuse lots that are not the pledgor's, of that class."""
    await lots.find(connection, lot_ids)
    live = select(receipt).where(among(receipt.c.lot_id, lot_ids), receipt.c.status == RECEIPT_LIVE)
    mine = {
        row.lot_id: row.fine_mg
        for row in await connection.execute(live)
        if row.account == account and row.symbol == symbol
    }
    for lot_id in lot_ids:
        if lot_id not in mine:
            raise Refused("NOT_OWN_LOT", f"lot {lot_id} has no live receipt of {symbol} in the name of {account}")
    total: int = sum(mine.values())
    if fine_mg not in (0, total):
        raise BadValue(
            "weight", format_weight(fine_mg), f"{format_weight(total)}, what the named lots hold, or nothing"
        )
    return total


async def pair(
    connection: AsyncConnection, by: str, number: int, pledgee: str, symbol: str, fine_mg: int, document: str
) -> int:
    """Enter the pledgee's side, which must say the same; lock the lots and return the number of the proposal.

    Raises BadValue for an unknown pledge, Refused for one that is not waiting (ILLEGAL_STEP), a declaration that
    differs (NOT_PAIRED), a lot that is no longer the pledgor's (NOT_OWN_LOT), and who entered the other side
    (SAME_PERSON).
    """
    row = await encumbrances.one(connection, PLEDGE, number)
    for field, declared, expected in (
        ("pledgee", pledgee, row.in_favour_of),
        ("symbol", symbol, row.symbol),
        ("weight", format_weight(fine_mg), format_weight(row.fine_mg)),
    ):
        if declared != expected:
            raise Refused("NOT_PAIRED", f"pledge {number}: the pledgee says {field} {declared}, the pledgor {expected}")
    printable("document", document, 64)
    if row.lots:
        # A lot that was in a load-out meanwhile may have come back under a receipt of another account.
        await _fine_of_own_lots(connection, row.account, row.symbol, row.lots, row.fine_mg)
    await encumbrances.step(connection, PLEDGE, by, "pair", [number], counter_document=document)
    await locks.lay(connection, by, "PLEDGE", row.lots, f"pledged to {row.in_favour_of}", number)
    summary = {**encumbrances.described(row), "counter_document": document}
    return await proposals.propose(connection, by, "pledge", [number], summary)


async def withdraw(connection: AsyncConnection, by: str, number: int) -> None:
    """Withdraw a declaration, of the pledge or of its release, that the other side has not answered."""
    row = await encumbrances.one(connection, PLEDGE, number)
    name = "withdraw_release" if row.status == "RELEASE_ENTERED" else "withdraw"
    await encumbrances.step(connection, PLEDGE, by, name, [number], release_document=None)


async def enter_release(connection: AsyncConnection, by: str, number: int, document: str) -> None:
    """Enter the pledgee's side of the release."""
    await encumbrances.one(connection, PLEDGE, number)
    printable("document", document, 64)
    values = {"release_document": document, "entered_by": by, "entered_at": now_ms()}
    await encumbrances.step(connection, PLEDGE, by, "enter_release", [number], **values)


async def pair_release(connection: AsyncConnection, by: str, number: int, document: str) -> int:
    """Enter the pledgor's side of the release; return the number of the proposal. Raises as ``pair`` does."""
    row = await encumbrances.one(connection, PLEDGE, number)
    printable("document", document, 64)
    await encumbrances.step(connection, PLEDGE, by, "pair_release", [number], release_counter_document=document)
    summary = {**encumbrances.described(row), "release": row.release_document, "release_counter": document}
    return await proposals.propose(connection, by, "pledge_release", [number], summary)
