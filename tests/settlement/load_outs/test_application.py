"""Applications: choice of lots and stock, bad applications, no secret kept, and the window."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from goldx.protocol.units import CASH, BadValue
from settlement.base import registry, working_days
from settlement.base.arithmetic import value_fen
from settlement.custody import legal_holds, pledges, receipt_cancels
from settlement.ledger import holdings, own_stock
from settlement.load_outs import application, handing_over, load_outs, over_short
from settlement.lots import locks, scales, warehouses
from settlement.service import movements
from tests.settlement.load_outs.load_out_steps import LOT_MG, completed, push_back, sheet
from tests.settlement.small_exchange import (
    CODE,
    COLLECTOR_ID,
    FAR,
    ONE,
    OTHER,
    SmallExchange,
    do,
    find_breaks,
    load_out_application,
    refused,
)


@pytest.mark.parametrize(
    ("lots_by", "lots_chosen", "kind", "own_mg"),
    [("AGE", [1, 2, 3], "PARTIAL", 99_800), ("OWN_FIRST", [1, 5, 6], "PARTIAL", 199_800)],
)
async def test_the_owner_chooses_lots_and_stock(
    exchange: SmallExchange, lots_by: str, lots_chosen: list[int], kind: str, own_mg: int
) -> None:
    """B.H has deposited 199.8 g and bought 200 g; by age the sheet takes the bought title and the oldest lots first."""
    await exchange.trade("B.H", "A.H", 60_000, 200)
    number = await completed(exchange, "B.H", 3 * LOT_MG + 100, lots_by=lots_by)
    found = await sheet(exchange, number)
    assert (found.type, found.own_mg) == (kind, own_mg)
    assert await do(exchange, load_outs.lots_of, [number]) == lots_chosen
    assert await do(exchange, own_stock.amount, "B.H", "AU") == 199_800 - own_mg
    assert await find_breaks(exchange) == ()


@pytest.mark.parametrize(("lots_by", "kind", "left"), [("AGE", "TRADE", 199_800), ("OWN_FIRST", "SELF", 99_900)])
async def test_own_stock_and_bought_title(exchange: SmallExchange, lots_by: str, kind: str, left: int) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 200)
    number = await completed(exchange, "B.H", LOT_MG, lots_by=lots_by)
    assert (await sheet(exchange, number)).type == kind
    assert await do(exchange, own_stock.amount, "B.H", "AU") == left


async def test_a_sale_takes_bought_title_first(exchange: SmallExchange) -> None:
    await exchange.trade("B.H", "A.H", 60_000, 100)
    await exchange.trade("A.H", "B.H", 60_000, 150)
    assert await do(exchange, own_stock.amount, "B.H", "AU") == 149_800
    assert await do(exchange, own_stock.amount, "A.H", "AU") == 299_600


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"ask_mg": 9_999}, "weight"),
        ({"code_again": "314158"}, "code_again"),
        ({"pickup_code": "31415", "code_again": "31415"}, "pickup_code"),
        ({"collector_id": "12"}, "collector_id"),
        ({"collector_id": "350200 20000230 0013"}, "collector_id"),
        ({"lots_by": "LUCK"}, "lots_by"),
        ({"declared_use": ""}, "declared_use"),
        ({"from_day": date(2020, 1, 1)}, "from_day"),
        ({"until_day": date(2099, 1, 1)}, "until_day"),
        ({"account": "A.H.PLEDGE"}, "account"),
    ],
)
async def test_a_malformed_application_is_refused(exchange: SmallExchange, more: dict[str, Any], field: str) -> None:
    with pytest.raises(BadValue) as bad:
        await do(
            exchange,
            application.apply,
            ONE,
            load_out_application(more.pop("account", "A.H"), more.pop("ask_mg", LOT_MG), **more),
        )
    assert bad.value.field == field
    assert "31415" not in str(bad.value), "a code is never shown"


async def test_the_register_keeps_no_code_and_no_identity(exchange: SmallExchange) -> None:
    number = await completed(exchange, "A.H", LOT_MG)
    async with exchange.engine.connect() as connection:
        everything = str((await connection.execute(text("SELECT load_out::text FROM load_out"))).all())
        everything += str((await connection.execute(text("SELECT detail FROM audit_log"))).all())
    for secret in (CODE, COLLECTOR_ID, "AB1234567", "Collector"):
        assert secret not in everything
    found = await sheet(exchange, number)
    assert (found.collector, found.collector_id) == ("C********", "******4567")


async def test_the_window(exchange: SmallExchange) -> None:
    """Before it opens nobody gets anything; after it nothing is approved any more."""
    later = working_days.today() + timedelta(days=2)
    number = await completed(exchange, "A.H", LOT_MG, from_day=later)
    assert (await sheet(exchange, number)).until_day == later + timedelta(days=5)
    await refused(exchange, "TOO_EARLY", handing_over.sign, ONE, number, CODE, COLLECTOR_ID)
    proposal = await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG))
    await push_back(exchange, number + 1, 6)
    await refused(exchange, "TOO_LATE", movements.approve, OTHER, proposal)
    await do(exchange, movements.decline, OTHER, proposal)
    assert await find_breaks(exchange) == ()


async def test_the_last_day_of_the_window_is_in_time(exchange: SmallExchange) -> None:
    number = await completed(exchange, "A.H", LOT_MG, until_day=working_days.today())
    assert (await sheet(exchange, number)).status == "SUCCESS"


async def test_lots_that_are_bound_are_not_allocated(exchange: SmallExchange) -> None:
    await do(exchange, locks.freeze, ONE, [1], "doubt")
    number = await completed(exchange, "A.H", LOT_MG)
    assert await do(exchange, load_outs.lots_of, [number]) == [2]


async def test_lots_of_other_warehouses_are_not_allocated(exchange: SmallExchange) -> None:
    await do(exchange, warehouses.add, ONE, "XM2", "Warehouse two", "Xiamen")
    await do(exchange, scales.add, ONE, "SCALE-2", "XM2", 1, 3_000_000, "CAL-2", FAR)
    elsewhere = {"warehouse": "XM2", "scale": "SCALE-2", "gross_g": "150.00", "weighed_g": "150.00"}
    assert await exchange.issue([{"serial": "X", **elsewhere}]) == [8]
    await refused(exchange, "NO_FITTING_LOTS", application.apply, ONE, load_out_application("A.H", 149_850))


async def test_applications_at_the_same_time_get_lots_of_their_own(exchange: SmallExchange) -> None:
    """Neither waits for locks of the other, and the second one chooses among the remaining lots."""
    for _ in range(5):
        asked = [do(exchange, application.apply, by, load_out_application("A.H", LOT_MG)) for by in (ONE, OTHER, ONE)]
        made = await asyncio.gather(*asked)
        sheets = [row for row in await do(exchange, load_outs.listing) if row.status == "APPLIED"]
        chosen = [await do(exchange, load_outs.lots_of, [row.load_out_no]) for row in sheets]
        assert sorted(chosen) == [[1], [2], [3]]
        for proposal in made:
            await do(exchange, movements.decline, ONE, proposal)


async def test_grams_are_promised_with_the_lots(exchange: SmallExchange) -> None:
    """B.H holds two lots' gold: a third application, a pledge or a cancelled receipt cannot have it, too."""
    await do(exchange, registry.add_member, "test", "BANK", "Bank")
    first = await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG))
    second = await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG))
    why = await refused(exchange, "INSUFFICIENT_GOLD", application.apply, ONE, load_out_application("B.H", LOT_MG))
    assert why == "account B.H needs 99.9 g of AU and has 0 available, as 199.8 are promised to load-outs"
    await refused(exchange, "INSUFFICIENT_GOLD", pledges.enter, ONE, "B.H", "BANK", "AU", 1, "P-1")
    await refused(exchange, "INSUFFICIENT_GOLD", receipt_cancels.propose, ONE, [5], "wrong account")
    await do(exchange, movements.approve, OTHER, first)
    await refused(exchange, "INSUFFICIENT_GOLD", pledges.enter, ONE, "B.H", "BANK", "AU", 1, "P-1")
    await exchange.round_trip()
    await refused(exchange, "INSUFFICIENT_GOLD", pledges.enter, ONE, "B.H", "BANK", "AU", 1, "P-1")
    await do(exchange, movements.decline, OTHER, second)
    await do(exchange, pledges.enter, ONE, "B.H", "BANK", "AU", LOT_MG, "P-1")


async def test_over_and_short_weight_is_promised_by_the_venue(exchange: SmallExchange) -> None:
    """The venue has 99.9 g, and sells 99.9 - 95.2 = 4.7 g of over weight to each sheet of 95.2 g."""
    for _ in range(2):
        await do(exchange, application.apply, ONE, load_out_application("A.H", 95_200))
    assert await do(exchange, holdings.promised, "VENUE", "AU") == 2 * (LOT_MG - 95_200)
    await refused(exchange, "INSUFFICIENT_GOLD", application.apply, ONE, load_out_application("VENUE", LOT_MG))
    price, _ = await do(exchange, over_short.price_of, "AU")
    assert await do(exchange, holdings.promised, "A.H", CASH) == 2 * value_fen(LOT_MG - 95_200, price)
    await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG + 1_000))
    assert await do(exchange, holdings.promised, "VENUE", CASH) == value_fen(1_000, price)
    assert await do(exchange, holdings.promised, "B.H", "AU") == LOT_MG + 1_000


async def test_a_legal_order_goes_before_an_application(exchange: SmallExchange) -> None:
    proposal = await do(exchange, application.apply, ONE, load_out_application("B.H", 2 * LOT_MG))
    hold = await do(exchange, legal_holds.propose, ONE, "B.H", "AU", 2 * LOT_MG, "Court", "C-1")
    await do(exchange, movements.approve, OTHER, hold)
    await do(exchange, movements.approve, OTHER, proposal)
    await exchange.round_trip()
    assert exchange.held("B.H.HOLD", "AU") == 2 * LOT_MG
    assert (await sheet(exchange, 1)).status == "REFUSED"
    assert await find_breaks(exchange) == ()


async def test_a_declined_application_frees_its_lots(exchange: SmallExchange) -> None:
    proposal = await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG))
    assert await do(exchange, load_outs.lots_of, [1]) == [1]
    await do(exchange, movements.decline, OTHER, proposal)
    number = await completed(exchange, "A.H", LOT_MG)
    assert await do(exchange, load_outs.lots_of, [number]) == [1]
