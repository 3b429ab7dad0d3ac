"""Freezes: a locked lot can be neither taken nor moved, and another person ends a lock than who set it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.custody import pledges, receipt_cancels, transfers
from settlement.load_outs import application
from settlement.lots import locks, lots
from tests.settlement.custody.conftest import stocked
from tests.settlement.small_exchange import (
    ONE,
    OTHER,
    SmallExchange,
    do,
    find_breaks,
    load_out_application,
    refused,
)

LOT_MG = 99_900

pytestmark = pytest.mark.parametrize("preparation", [stocked], ids=["stocked"])


async def steps(exchange: SmallExchange, lot_id: int) -> list[str]:
    async with exchange.engine.connect() as connection:
        return [event.step for event in await lots.history(connection, lot_id)]


async def ask(connection: AsyncConnection, by: str, account: str, ask_mg: int) -> int:
    return await application.apply(connection, by, load_out_application(account, ask_mg))


async def test_a_frozen_lot_can_be_neither_taken_nor_moved(exchange: SmallExchange) -> None:
    await do(exchange, locks.freeze, ONE, [1, 2, 1], "stamp looks forged")
    await refused(exchange, "NO_FITTING_LOTS", ask, ONE, "A.H", 2 * LOT_MG)
    await refused(exchange, "LOCKED", receipt_cancels.propose, ONE, [1], "mistake")
    await refused(exchange, "LOCKED", pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [2])
    await refused(exchange, "LOCKED", transfers.propose, ONE, [1], "XM2", "shortage")
    await refused(exchange, "LOCKED", locks.freeze, OTHER, [1], "again")
    why = await refused(exchange, "SAME_PERSON", locks.unfreeze, ONE, [1], "is genuine")
    assert why == "clerk-1 has frozen lot 1; another person must end it"
    await refused(exchange, "ILLEGAL_STEP", locks.unfreeze, OTHER, [1, 3], "is genuine")
    assert await find_breaks(exchange) == (), "a frozen lot stays in the pool"
    await do(exchange, locks.unfreeze, OTHER, [1, 2], "is genuine")
    await do(exchange, ask, ONE, "A.H", 2 * LOT_MG)
    assert (await steps(exchange, 1))[-3:] == ["lock_freeze", "unlock_freeze", "allocate"]
    await do(exchange, locks.freeze, ONE, [1], "another doubt, now that it is promised")


async def test_the_database_itself_keeps_locked_lots(exchange: SmallExchange) -> None:
    await do(exchange, locks.freeze, ONE, [1], "stamp looks forged")
    for statement, why in (
        ("UPDATE lot SET state = 'ALLOCATED' WHERE lot_id = 1", "lot 1 is locked and cannot become ALLOCATED"),
        ("UPDATE lot_lock SET lifted_by = by, lifted_at = at", "two_people"),
        ("INSERT INTO lot_lock (lot_id, kind, reason, by, at) VALUES (1, 'FREEZE', '', 'x', 1)", "uq_lot_lock"),
        ("UPDATE lot SET warehouse = 'FTZ' WHERE lot_id = 2", "lot 2 of AU cannot lie in FTZ: it is BONDED"),
        ("INSERT INTO grade_customs VALUES ('AU', 'FREE', 'x', 1)", "customs_known"),
    ):
        with pytest.raises(DBAPIError, match=why):
            async with exchange.engine.begin() as connection:
                await connection.execute(text(statement))
