"""Locks on lots and gold: freezes, pledges, legal holds, cancelled receipts, transfers and the customs border."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol import terms
from goldx.protocol.commands import AccountOpen
from goldx.protocol.units import BadValue
from settlement.base import registry
from settlement.custody import encumbrances, legal_holds, pledges, receipt_cancels, receipts, transfers
from settlement.load_outs import application
from settlement.lots import acceptance, customs, locks, lots
from settlement.lots.scales import GrossWeight, parse_weight
from settlement.service import movements
from settlement.workbooks.cells import BadFile
from tests.settlement.small_exchange import (
    ONE,
    OTHER,
    THIRD,
    SmallExchange,
    do,
    find_breaks,
    load_out_application,
    refused,
)

LOT_MG = 99_900


async def state(exchange: SmallExchange, lot_id: int) -> str:
    async with exchange.engine.connect() as connection:
        return str((await lots.find(connection, [lot_id]))[lot_id].state)


async def steps(exchange: SmallExchange, lot_id: int) -> list[str]:
    async with exchange.engine.connect() as connection:
        return [event.step for event in await lots.history(connection, lot_id)]


async def status(exchange: SmallExchange, kind: encumbrances.EncumbranceKind, number: int) -> str:
    async with exchange.engine.begin() as connection:
        return str((await encumbrances.one(connection, kind, number)).status)


async def ask(connection: AsyncConnection, by: str, account: str, ask_mg: int) -> int:
    return await application.apply(connection, by, load_out_application(account, ask_mg))


async def test_a_frozen_lot_can_be_neither_taken_nor_moved(exchange: SmallExchange) -> None:
    await do(exchange, locks.freeze, ONE, [1, 2], "stamp looks forged")
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


async def pledged(exchange: SmallExchange, fine_mg: int, document: str, lot_ids: tuple[int, ...] = ()) -> int:
    """A live pledge of A.H's gold to BANK."""
    number = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0 if lot_ids else fine_mg, document, lot_ids)
    proposal = await do(exchange, pledges.pair, OTHER, number, "BANK", "AU", fine_mg, f"B-{document}")
    await do(exchange, movements.approve, THIRD, proposal)
    await exchange.round_trip()
    return number


async def test_a_pledge_from_declaration_to_release(exchange: SmallExchange) -> None:
    """Both sides declare and a third person approves; grams cannot be sold nor lots allocated until the release."""
    number = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [1, 2])
    pair = (number, "BANK", "AU", 2 * LOT_MG, "B-1")
    await refused(exchange, "SAME_PERSON", pledges.pair, ONE, *pair)
    why = await refused(exchange, "NOT_PAIRED", pledges.pair, OTHER, number, "BANK", "AU", 2 * LOT_MG - 1, "B-1")
    assert why == "pledge 1: the pledgee says weight 199.799, the pledgor 199.8"
    proposal = await do(exchange, pledges.pair, OTHER, *pair)
    await refused(exchange, "SAME_PERSON", movements.approve, OTHER, proposal)
    why = await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    assert why == "pledge 1: clerk-1 has entered one side; to approve it takes a third person"
    assert await find_breaks(exchange) == ()
    await do(exchange, movements.approve, THIRD, proposal)
    assert await find_breaks(exchange) == ()
    await exchange.round_trip()
    assert await find_breaks(exchange) == ()
    assert await status(exchange, encumbrances.PLEDGE, number) == "LIVE"
    assert (exchange.held("A.H", "AU"), exchange.held("A.H.PLEDGE", "AU")) == (LOT_MG, 2 * LOT_MG)

    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.trade("B.H", "A.H", 60_000, 100)
    assert exchange.held("B.H", "AU") == 0, "100 g cannot be sold: 99.9 g are free"
    await refused(exchange, "NO_FITTING_LOTS", ask, ONE, "A.H", 2 * LOT_MG)
    with pytest.raises(BadValue, match="a trading account"):
        await do(exchange, ask, ONE, "A.H.PLEDGE", LOT_MG)
    await refused(exchange, "ILLEGAL_STEP", pledges.withdraw, ONE, number)

    await do(exchange, pledges.enter_release, OTHER, number, "BR-1")
    await refused(exchange, "SAME_PERSON", pledges.pair_release, OTHER, number, "AR-1")
    release = await do(exchange, pledges.pair_release, ONE, number, "AR-1")
    await do(exchange, movements.decline, ONE, release)
    assert await status(exchange, encumbrances.PLEDGE, number) == "LIVE"
    await do(exchange, pledges.enter_release, OTHER, number, "BR-2")
    release = await do(exchange, pledges.pair_release, ONE, number, "AR-2")
    await refused(exchange, "SAME_PERSON", movements.approve, OTHER, release)
    await do(exchange, movements.approve, THIRD, release)
    await exchange.round_trip()
    assert await status(exchange, encumbrances.PLEDGE, number) == "RELEASED"
    assert (exchange.held("A.H", "AU"), exchange.held("A.H.PLEDGE", "AU")) == (3 * LOT_MG, 0)
    assert await find_breaks(exchange) == ()
    await do(exchange, ask, ONE, "A.H", 2 * LOT_MG)


async def test_bought_gold_is_pledged_by_weight(exchange: SmallExchange) -> None:
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.trade("B.H", "A.H", 60_000, 150)
    async with exchange.engine.begin() as connection:
        await registry.add_member(connection, "test", "B", "B")
    number = await do(exchange, pledges.enter, ONE, "B.H", "A", "AU", 120_000, "P-1")
    await do(
        exchange, movements.approve, THIRD, await do(exchange, pledges.pair, OTHER, number, "A", "AU", 120_000, "Q-1")
    )
    await exchange.round_trip()
    assert (exchange.held("B.H", "AU"), exchange.held("B.H.PLEDGE", "AU")) == (30_000, 120_000)
    assert await find_breaks(exchange) == ()
    await refused(exchange, "NOT_OWN_LOT", pledges.enter, ONE, "B.H", "A", "AU", 0, "P-2", [3])
    await refused(exchange, "INSUFFICIENT_GOLD", pledges.enter, ONE, "B.H", "A", "AU", 30_001, "P-2")


async def test_a_pledge_that_does_not_come_about(exchange: SmallExchange) -> None:
    """Withdrawn, declined, refused by the engine: lots and grams are free again, and the document may be used anew."""
    first = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [1])
    with pytest.raises(BadValue, match="not entered yet"):
        await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 1_000, "P-1")
    await do(exchange, pledges.withdraw, ONE, first)
    second = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [1])
    await do(
        exchange, movements.decline, ONE, await do(exchange, pledges.pair, OTHER, second, "BANK", "AU", LOT_MG, "B")
    )
    third = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 0, "P-1", [1])
    proposal = await do(exchange, pledges.pair, OTHER, third, "BANK", "AU", LOT_MG, "B")
    await exchange.engine_runner.order("A.H", terms.SELL, 60_000, 250)
    await do(exchange, movements.approve, THIRD, proposal)
    await exchange.round_trip()
    found = [await status(exchange, encumbrances.PLEDGE, number) for number in (first, second, third)]
    assert found == ["WITHDRAWN", "REFUSED", "REFUSED"]
    assert exchange.held("A.H.PLEDGE", "AU") == 0
    assert await find_breaks(exchange) == ()
    await do(exchange, locks.check_free, [1, 2, 3])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (("X.H", "BANK", "AU", 1_000, "P"), "account"),
        (("A.H", "NOBODY", "AU", 1_000, "P"), "pledgee"),
        (("A.H", "A", "AU", 1_000, "P"), "pledgee"),
        (("A.H", "BANK", "CNY", 1_000, "P"), "symbol"),
        (("A.H", "BANK", "AU", 0, "P"), "weight"),
        (("A.H", "BANK", "AU", LOT_MG + 1, "P", [1]), "weight"),
        (("A.H", "BANK", "AU", 1_000, ""), "document"),
        (("A.H", "BANK", "AU", 0, "P", [99]), "lot"),
    ],
)
async def test_malformed_pledges_are_refused(exchange: SmallExchange, values: tuple[Any, ...], field: str) -> None:
    with pytest.raises(BadValue) as bad:
        await do(exchange, pledges.enter, ONE, *values)
    assert bad.value.field == field


async def test_nobody_can_trade_a_sub_account(exchange: SmallExchange) -> None:
    with pytest.raises(BadValue, match="another code"):
        await do(exchange, registry.add_member, "test", "CUSTODY", "Somebody")
    await exchange.engine_runner.run(AccountOpen("A.H.PLEDGE", "B"))
    await exchange.post()
    with pytest.raises(BadValue, match="it belongs to B"):
        await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 1_000, "P-1")
    await pledged_hold(exchange)
    async with exchange.engine.connect() as connection:
        owner = await connection.scalar(text("SELECT member FROM trading_account WHERE account = 'A.H.HOLD'"))
    assert owner == "CUSTODY"


async def pledged_hold(exchange: SmallExchange) -> int:
    """A live hold of 50 g of A.H and of lot 1."""
    proposal = await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 50_000, "Court of Xiamen", "C-1", [1])
    await do(exchange, movements.approve, OTHER, proposal)
    await exchange.round_trip()
    return 1


async def test_a_legal_hold_and_its_lifting(exchange: SmallExchange) -> None:
    number = await pledged_hold(exchange)
    assert await status(exchange, encumbrances.LEGAL_HOLD, number) == "LIVE"
    assert (exchange.held("A.H", "AU"), exchange.held("A.H.HOLD", "AU")) == (3 * LOT_MG - 50_000, 50_000)
    assert await find_breaks(exchange) == ()
    await refused(exchange, "LOCKED", receipt_cancels.propose, ONE, [1], "mistake")
    await refused(exchange, "NOT_PAIRED", legal_holds.propose_lifting, ONE, number, "C-1")
    proposal = await do(exchange, legal_holds.propose_lifting, ONE, number, "C-2")
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    await do(exchange, movements.approve, OTHER, proposal)
    await exchange.round_trip()
    assert await status(exchange, encumbrances.LEGAL_HOLD, number) == "RELEASED"
    assert exchange.held("A.H", "AU") == 3 * LOT_MG
    assert await find_breaks(exchange) == ()
    await do(exchange, locks.check_free, [1, 2, 3])


async def test_a_hold_of_a_pledged_lot_keeps_it_when_the_pledge_ends(exchange: SmallExchange) -> None:
    pledge = await pledged(exchange, LOT_MG, "P-1", (1,))
    hold = await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 0, "Police", "C-1", [1])
    await do(exchange, movements.approve, OTHER, hold)
    assert await status(exchange, encumbrances.LEGAL_HOLD, 2) == "LIVE", (
        "no gold moves, so nothing waits for the engine"
    )
    await do(exchange, pledges.enter_release, OTHER, pledge, "BR-1")
    release = await do(exchange, pledges.pair_release, ONE, pledge, "AR-1")
    why = await refused(exchange, "LOCKED", movements.approve, THIRD, release)
    assert "lot 1 is under LEGAL_HOLD: order C-1 of Police" in why
    await do(exchange, movements.approve, OTHER, await do(exchange, legal_holds.propose_lifting, ONE, 2, "C-2"))
    await do(exchange, movements.approve, THIRD, release)
    await exchange.round_trip()
    assert exchange.held("A.H", "AU") == 3 * LOT_MG
    assert await find_breaks(exchange) == ()


async def test_a_receipt_is_taken_back(exchange: SmallExchange) -> None:
    proposal = await do(exchange, receipt_cancels.propose, ONE, [1, 2], "wrong account")
    await refused(exchange, "LOCKED", receipt_cancels.propose, ONE, [1], "again")
    await refused(exchange, "NO_FITTING_LOTS", ask, ONE, "A.H", 2 * LOT_MG)
    await do(exchange, movements.approve, OTHER, proposal)
    assert await find_breaks(exchange) == ()
    await exchange.round_trip()
    assert exchange.held("A.H", "AU") == LOT_MG
    assert [await state(exchange, number) for number in (1, 2, 3)] == ["REGISTERED", "REGISTERED", "RECEIPTED"]
    assert await find_breaks(exchange) == ()
    await refused(exchange, "NO_RECEIPT", receipt_cancels.propose, ONE, [1], "again")
    again = await do(exchange, receipts.propose_issue, ONE, [1])
    await do(exchange, movements.approve, OTHER, again)
    await exchange.round_trip()
    assert exchange.held("A.H", "AU") == 2 * LOT_MG
    assert await find_breaks(exchange) == ()


async def test_a_receipt_whose_gold_is_sold_stays(exchange: SmallExchange) -> None:
    proposal = await do(exchange, receipt_cancels.propose, ONE, [1, 2, 3], "wrong account")
    await exchange.engine_runner.order("A.H", terms.SELL, 60_000, 10)
    await do(exchange, movements.approve, OTHER, proposal)
    await exchange.round_trip()
    assert [await state(exchange, number) for number in (1, 2, 3)] == ["REGISTERED", "REGISTERED", "RECEIPTED"]
    await do(exchange, locks.check_free, [3])
    await refused(exchange, "INSUFFICIENT_GOLD", receipt_cancels.propose, ONE, [3], "wrong account")
    assert await find_breaks(exchange) == ()


def weighed(scale: str, **grams: str) -> dict[int, GrossWeight]:
    """Return the weights of lots on arrival, such as ``lot_1="100.00"``."""
    return {
        int(name.removeprefix("lot_")): GrossWeight(scale, parse_weight("grams", text)) for name, text in grams.items()
    }


async def shipped(exchange: SmallExchange, lot_ids: list[int]) -> None:
    """Take transfer 1 to XM2 on its way."""
    proposal = await do(exchange, transfers.propose, ONE, lot_ids, "XM2", "shortage")
    await do(exchange, movements.approve, OTHER, proposal)
    await do(exchange, transfers.ship, ONE, 1, "S-9", "Carrier")


async def test_a_transfer_between_warehouses(exchange: SmallExchange) -> None:
    proposal = await do(exchange, transfers.propose, ONE, [1, 2], "XM2", "shortage")
    await refused(exchange, "ILLEGAL_STEP", transfers.ship, ONE, 1, "S-9", "Carrier")
    await do(exchange, movements.approve, OTHER, proposal)
    await do(exchange, transfers.ship, ONE, 1, "S-9", "Carrier")
    await refused(exchange, "ILLEGAL_STEP", transfers.cancel, ONE, 1)
    await refused(exchange, "NO_FITTING_LOTS", ask, ONE, "A.H", 2 * LOT_MG)
    both = weighed("SCALE-2", lot_1="100.00", lot_2="100.02")
    await refused(exchange, "SAME_PERSON", transfers.receive, ONE, 1, "S-9", both)
    for some in ({}, weighed("SCALE-2", lot_1="100.00"), {**both, **weighed("SCALE-2", lot_3="100.00")}):
        with pytest.raises(BadValue, match="one of each lot of the transfer: 1, 2"):
            await do(exchange, transfers.receive, OTHER, 1, "S-9", some)
    await refused(exchange, "ELSEWHERE", transfers.receive, OTHER, 1, "S-9", weighed("SCALE-1", lot_1="1", lot_2="1"))
    assert await find_breaks(exchange) == (), "what is on its way is in the pool"
    assert await do(exchange, transfers.receive, OTHER, 1, "S-9", both) == (True, {})
    assert (await steps(exchange, 1))[-4:] == ["lock_transfer", "ship", "receive", "unlock_transfer"]
    async with exchange.engine.connect() as connection:
        assert [row.warehouse for row in await lots.listing(connection)] == ["XM2", "XM2", "XM1"]
    assert await find_breaks(exchange) == ()
    with pytest.raises(BadValue, match="lots of one warehouse"):
        await do(exchange, transfers.propose, ONE, [1, 3], "XM2", "shortage")
    await do(exchange, movements.decline, OTHER, await do(exchange, transfers.propose, ONE, [3], "XM2", "shortage"))
    third = await do(exchange, transfers.propose, ONE, [3], "XM2", "shortage")
    await do(exchange, movements.approve, OTHER, third)
    await do(exchange, transfers.cancel, ONE, 3)
    await do(exchange, locks.check_free, [1, 2, 3])


async def test_a_broken_seal_freezes_what_arrives(exchange: SmallExchange) -> None:
    """Neither who received it nor who shipped it ends the freeze."""
    await shipped(exchange, [1])
    arrival = await do(exchange, transfers.receive, OTHER, 1, "S-8", weighed("SCALE-2", lot_1="100.00"))
    assert arrival == (False, {1: "SEAL_DIFF: left under S-9, came under S-8"})
    why = await refused(exchange, "SAME_PERSON", locks.unfreeze, ONE, [1], "was opened by the customs")
    assert why == "clerk-1 has shipped lot 1 in transfer 1; another person must end the freeze"
    await refused(exchange, "SAME_PERSON", locks.unfreeze, OTHER, [1], "was opened by the customs")
    why = await refused(exchange, "LOCKED", locks.check_free, [1])
    assert why == "lot 1 is under FREEZE 1: SEAL_DIFF: left under S-9, came under S-8"
    assert await find_breaks(exchange) == ()
    await do(exchange, locks.unfreeze, THIRD, [1], "was opened by the customs")


async def test_another_weight_freezes_what_arrives(exchange: SmallExchange) -> None:
    """100.02 g is what the same balance may show of 100.00 g; 0.03 g less is not."""
    await shipped(exchange, [1, 2])
    arrival = await do(exchange, transfers.receive, OTHER, 1, "S-9", weighed("SCALE-2", lot_1="99.98", lot_2="99.97"))
    assert arrival == (True, {2: "WEIGHT_DIFF: 100.00 g in the register, 99.97 g on arrival"})
    await do(exchange, locks.check_free, [1])
    await refused(exchange, "LOCKED", locks.check_free, [2])
    async with exchange.engine.connect() as connection:
        event = next(one for one in await lots.history(connection, 2) if one.step == "receive")
    assert (event.detail["weighed_g"], event.detail["scale"]) == ("99.97", "SCALE-2")


async def test_lots_go_to_no_warehouse_that_their_class_excludes(exchange: SmallExchange) -> None:
    waiting = await do(exchange, transfers.propose, ONE, [2], "XM2", "shortage")
    rule = acceptance.Rule(("NONAPPROVED_BAR",), ("XM1",))
    await do(exchange, movements.approve, OTHER, await do(exchange, acceptance.propose, ONE, "AU", rule))
    why = await refused(exchange, "NOT_ACCEPTED", transfers.propose, ONE, [1], "XM2", "shortage")
    assert why == "lot 1: XM2 is not allowed; AU lies in XM1"
    await refused(exchange, "NOT_ACCEPTED", movements.approve, OTHER, waiting)


async def test_metal_crosses_the_customs_border_by_permit_alone(exchange: SmallExchange) -> None:
    """Out of the domestic class, over the border, into the bonded one: the two pools never hold the same gold."""
    await exchange.engine_runner.define("AU-B")
    await exchange.post()
    await do(exchange, customs.assign, ONE, "AU-B", "BONDED")
    await refused(exchange, "PERMIT_NEEDED", transfers.propose, ONE, [1], "FTZ", "export")
    crossing = {"permit": "J-2026-1", "new_symbol": "AU-B"}
    await refused(exchange, "RECEIPT_LIVE", transfers.propose, ONE, [1], "FTZ", "export", **crossing)
    await do(exchange, movements.approve, OTHER, await do(exchange, receipt_cancels.propose, ONE, [1], "export"))
    await exchange.round_trip()
    with pytest.raises(BadValue, match="takes BONDED metal"):
        await do(exchange, transfers.propose, ONE, [1], "FTZ", "export", permit="J-2026-1", new_symbol="AU")
    proposal = await do(exchange, transfers.propose, ONE, [1], "FTZ", "export", **crossing)
    assert await do(exchange, receipts.issuable) == [], "on its way it gets no receipt"
    await do(exchange, movements.approve, OTHER, proposal)
    await do(exchange, transfers.ship, ONE, 1, "S-9", "Carrier")
    await do(exchange, transfers.receive, OTHER, 1, "S-9", weighed("SCALE-3", lot_1="100.00"))
    await do(exchange, movements.approve, OTHER, await do(exchange, receipts.propose_issue, ONE, [1]))
    await exchange.round_trip()
    assert (exchange.held("A.H", "AU"), exchange.held("A.H", "AU-B")) == (2 * LOT_MG, LOT_MG)
    assert await find_breaks(exchange) == ()
    with pytest.raises(BadValue, match="absent"):
        await do(exchange, transfers.propose, ONE, [2], "XM2", "shortage", **crossing)


async def test_a_class_takes_one_customs_status(exchange: SmallExchange) -> None:
    await refused(exchange, "LOTS_THERE", customs.assign, ONE, "AU", "BONDED")
    with pytest.raises(BadFile, match=r"FTZ is BONDED; AU takes DOMESTIC metal"):
        await exchange.register([{"serial": "B1", "warehouse": "FTZ"}])
    await exchange.engine_runner.define("AU-B")
    await exchange.post()
    await do(exchange, customs.assign, ONE, "AU-B", "BONDED")
    await exchange.issue([{"serial": "B1", "warehouse": "FTZ", "symbol": "AU-B", "scale": "SCALE-3"}])
    assert exchange.held("A.H", "AU-B") == LOT_MG
    assert await find_breaks(exchange) == ()


async def test_a_permit_is_used_up(exchange: SmallExchange) -> None:
    await exchange.engine_runner.define("AU-B")
    await exchange.post()
    await do(exchange, customs.assign, ONE, "AU-B", "BONDED")
    numbers = await exchange.register([{"serial": f"C{n}"} for n in range(13)])
    crossing = {"permit": "J-2026-1", "new_symbol": "AU-B"}
    for number in numbers[:12]:
        await do(exchange, transfers.propose, ONE, [number], "FTZ", "export", **crossing)
    await refused(exchange, "PERMIT_USED_UP", transfers.propose, ONE, numbers[12:], "FTZ", "export", **crossing)
