"""Over/short weight: tolerance, price, legs, and what a holding has free."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH
from settlement.load_outs import application, over_short
from settlement.load_outs.allocation import Candidate
from tests.settlement.load_outs.load_out_steps import LOT_MG, completed
from tests.settlement.small_exchange import ONE, SmallExchange, do, load_out_application, refused


@pytest.mark.parametrize(
    ("fine_mg", "tolerated"), [(95_000, True), (94_999, False), (100_000, True), (105_000, True), (105_001, False)]
)
def test_lots_may_differ_by_a_twentieth_of_the_ask(fine_mg: int, tolerated: bool) -> None:
    """Domain sheet 2.4."""
    assert over_short.is_tolerated([Candidate(1, fine_mg)], 100_000) is tolerated


def test_over_weight_is_bought_from_the_venue_and_short_weight_sold_to_it() -> None:
    assert over_short.legs_of("A.H", "AU", 1_000, 1_020, 120) == (
        ("A.H", "AU", -1_000),
        ("VENUE", "AU", -20),
        ("A.H", CASH, -120),
        ("VENUE", CASH, 120),
    )
    assert over_short.legs_of("A.H", "AU", 1_000, 990, -60) == (
        ("A.H", "AU", -1_000),
        ("VENUE", "AU", 10),
        ("A.H", CASH, 60),
        ("VENUE", CASH, -60),
    )
    assert over_short.legs_of("A.H", "AU", 1_000, 1_000, 0) == (("A.H", "AU", -1_000),)
    assert over_short.legs_of("VENUE", "AU", 1_000, 1_020, 120) == (("VENUE", "AU", -1_020),)


async def test_the_last_trade_gives_the_price_before_the_reference(exchange: SmallExchange) -> None:
    price, source = await do(exchange, over_short.price_of, "AU")
    assert source == "reference"
    await exchange.trade("B.H", "A.H", price + 100, 1)
    assert await do(exchange, over_short.price_of, "AU") == (price + 100, "last trade")


@pytest.mark.parametrize("bound", ["reserved", "locked", "unwithdrawable"])
async def test_what_is_bound_is_not_withdrawn(exchange: SmallExchange, bound: str) -> None:
    """The whole holding may be withdrawn, and nothing of it while a milligram more is bound."""
    change = f"UPDATE engine_holding SET {bound} = 1 WHERE account = 'A.H' AND asset = 'AU'"
    await do(exchange, AsyncConnection.execute, text(change))
    await refused(exchange, "INSUFFICIENT_GOLD", application.apply, ONE, load_out_application("A.H", 4 * LOT_MG))
    await do(exchange, AsyncConnection.execute, text(change.replace("= 1", "= 0")))
    await completed(exchange, "A.H", 4 * LOT_MG)
    assert exchange.held("A.H", "AU") == 0
