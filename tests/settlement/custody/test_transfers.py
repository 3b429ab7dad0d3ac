"""Transfers between warehouses: seals, weights, limits of a class, and the customs border."""

import pytest

from goldx.protocol.units import BadValue
from settlement.custody import receipt_cancels, receipts, transfers
from settlement.intake import intake
from settlement.lots import acceptance, customs, locks, lots
from settlement.lots.scales import GrossWeight, parse_shown_weight
from settlement.service import movements
from settlement.workbooks.cells import BadFile
from tests.settlement.custody.test_custody import LOT_MG, ask, steps
from tests.settlement.small_exchange import (
    ONE,
    OTHER,
    THIRD,
    SmallExchange,
    do,
    find_breaks,
    refused,
)


def weighed(scale: str, **grams: str) -> dict[int, GrossWeight]:
    """Return the weights of lots on arrival, such as ``lot_1="100.00"``."""
    return {
        int(name.removeprefix("lot_")): GrossWeight(scale, parse_shown_weight("grams", text))
        for name, text in grams.items()
    }


async def shipped(exchange: SmallExchange, lot_ids: list[int]) -> None:
    """Ship transfer 1 to XM2."""
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
    assert await find_breaks(exchange) == (), "lots on their way are in the pool"
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
    """Neither the person who received it nor the one who shipped it may end the freeze."""
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


async def test_a_freeze_on_the_way_does_not_hide_a_broken_seal(exchange: SmallExchange) -> None:
    """Nobody who shipped or received the lot may end a freeze that was laid on the way for any reason."""
    await shipped(exchange, [1])
    await do(exchange, locks.freeze, THIRD, [1], "papers are missing")
    arrival = await do(exchange, transfers.receive, OTHER, 1, "S-8", weighed("SCALE-2", lot_1="100.00"))
    assert arrival == (False, {1: "SEAL_DIFF: left under S-9, came under S-8"})
    for person, did in ((ONE, "shipped"), (OTHER, "received")):
        why = await refused(exchange, "SAME_PERSON", locks.unfreeze, person, [1], "papers have come")
        assert why == f"{person} has {did} lot 1 in transfer 1; another person must end the freeze"
    await refused(exchange, "SAME_PERSON", locks.unfreeze, THIRD, [1], "papers have come")
    why = await refused(exchange, "LOCKED", locks.check_free, [1])
    assert why == "lot 1 is under FREEZE 1: papers are missing; SEAL_DIFF: left under S-9, came under S-8"
    assert (await steps(exchange, 1))[-3:] == ["receive", "unlock_transfer", "lock_freeze"]
    assert await find_breaks(exchange) == ()


async def test_another_weight_freezes_what_arrives(exchange: SmallExchange) -> None:
    """The same balance may show 100.02 g for 100.00 g, but not 0.03 g less."""
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
    """A lot crosses the border from the domestic class to the bonded one: the two pools never hold the same gold."""
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


async def test_a_lot_with_a_proposed_receipt_does_not_cross_the_border(exchange: SmallExchange) -> None:
    """Its receipt would be live when it arrives: domestic gold on an account, and the lot in the bonded class."""
    await exchange.engine_runner.define("AU-B")
    await exchange.post()
    await do(exchange, customs.assign, ONE, "AU-B", "BONDED")
    (number,) = await exchange.register([{"serial": "C1"}])
    waiting = await do(exchange, receipts.propose_issue, ONE, [number])
    crossing = {"permit": "J-2026-1", "new_symbol": "AU-B"}
    await refused(exchange, "RECEIPT_EXISTS", transfers.propose, ONE, [number], "FTZ", "export", **crossing)
    await do(exchange, movements.approve, OTHER, waiting)
    await refused(exchange, "RECEIPT_EXISTS", transfers.propose, ONE, [number], "FTZ", "export", **crossing)
    await exchange.round_trip()
    await refused(exchange, "RECEIPT_LIVE", transfers.propose, ONE, [number], "FTZ", "export", **crossing)
    assert await find_breaks(exchange) == ()


async def test_a_lot_that_the_police_stop_on_the_way_arrives(exchange: SmallExchange) -> None:
    """It arrives frozen like any lot with a claim of others, so that a broken seal can be recorded."""
    (number,) = await exchange.register([{"serial": "C1"}])
    await shipped(exchange, [number])
    assert await do(exchange, intake.quarantine, THIRD, number, "smuggled", "police 7") == "FREEZE"
    arrival = await do(exchange, transfers.receive, OTHER, 1, "S-8", weighed("SCALE-2", lot_4="100.00"))
    assert arrival == (False, {number: "SEAL_DIFF: left under S-9, came under S-8"})
    why = await refused(exchange, "LOCKED", locks.check_free, [number])
    assert why == "lot 4 is under FREEZE 1: police 7: smuggled; SEAL_DIFF: left under S-9, came under S-8"
    assert await find_breaks(exchange) == ()


async def test_a_quarantined_lot_does_not_leave_by_a_transfer(exchange: SmallExchange) -> None:
    """The freeze that lay on it before the quarantine has ended."""
    (number,) = await exchange.register([{"serial": "C1"}])
    await exchange.approve(await do(exchange, transfers.propose, ONE, [number], "XM2", "shortage"))
    await do(exchange, locks.freeze, THIRD, [number], "papers are missing")
    assert await do(exchange, intake.quarantine, THIRD, number, "smuggled", "police 7") == "QUARANTINED"
    await do(exchange, locks.unfreeze, ONE, [number], "papers have come")
    why = await refused(exchange, "ILLEGAL_STEP", transfers.ship, ONE, 1, "S-9", "Carrier")
    assert why == "lot 4 is QUARANTINED; to be shipped it must be REGISTERED or RECEIPTED"
    await exchange.approve(await do(exchange, intake.propose_lift, ONE, number, "papers are genuine"))
    await do(exchange, transfers.ship, ONE, 1, "S-9", "Carrier")


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


async def test_the_status_of_a_class_is_fixed_while_metal_is_on_its_way_into_it(exchange: SmallExchange) -> None:
    await exchange.engine_runner.define("AU-B")
    await exchange.post()
    await do(exchange, customs.assign, ONE, "AU-B", "BONDED")
    lot_ids = await exchange.register([{"serial": "C1"}])
    crossing = {"permit": "J-2026-1", "new_symbol": "AU-B"}
    proposal = await do(exchange, transfers.propose, ONE, lot_ids, "FTZ", "export", **crossing)
    await refused(exchange, "LOTS_THERE", customs.assign, ONE, "AU-B", "DOMESTIC")
    await do(exchange, movements.approve, OTHER, proposal)
    await refused(exchange, "LOTS_THERE", customs.assign, ONE, "AU-B", "DOMESTIC")
    await do(exchange, transfers.cancel, ONE, 1)
    await do(exchange, customs.assign, ONE, "AU-B", "DOMESTIC")


async def test_a_permit_is_used_up(exchange: SmallExchange) -> None:
    await exchange.engine_runner.define("AU-B")
    await exchange.post()
    await do(exchange, customs.assign, ONE, "AU-B", "BONDED")
    numbers = await exchange.register([{"serial": f"C{n}"} for n in range(13)])
    crossing = {"permit": "J-2026-1", "new_symbol": "AU-B"}
    for number in numbers[:12]:
        await do(exchange, transfers.propose, ONE, [number], "FTZ", "export", **crossing)
    await refused(exchange, "PERMIT_USED_UP", transfers.propose, ONE, numbers[12:], "FTZ", "export", **crossing)
