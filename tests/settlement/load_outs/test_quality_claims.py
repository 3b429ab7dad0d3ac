"""Quality claims: decision, payer and window."""

from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from goldx.protocol.units import BadValue
from settlement.base import working_days
from settlement.intake import melting
from settlement.intake.bar_rows import BarKey
from settlement.intake.melting import MeltWeight
from settlement.ledger import corrections
from settlement.load_outs import handing_over, quality_claims
from settlement.lots import locks
from settlement.lots.scales import parse_shown_weight
from settlement.service import movements
from settlement.workbooks.cells import BadFile
from tests.settlement.intake.lot_steps import advised, screened
from tests.settlement.load_outs.load_out_steps import LOT_MG, completed, push_back, released, signed
from tests.settlement.small_exchange import (
    ONE,
    OTHER,
    SmallExchange,
    do,
    find_breaks,
    refused,
)


async def entered_calendar(exchange: SmallExchange) -> None:
    this = working_days.today().year
    for year in (this - 1, this, this + 1):
        await do(exchange, working_days.set_day, ONE, date(year, 1, 1), False, "New Year")


async def test_the_side_that_was_wrong_pays_the_umpire(exchange: SmallExchange) -> None:
    await entered_calendar(exchange)
    number = await released(exchange, "A.H", LOT_MG)
    opening = (quality_claims.open_claim, ONE, number, [1], "assay of the buyer is lower")
    await refused(exchange, "SEAL_BROKEN", *opening, seal_whole=False)
    with pytest.raises(BadValue, match="the lots of the load-out"):
        await do(exchange, quality_claims.open_claim, ONE, number, [2], "another lot", seal_whole=True)
    assert await do(exchange, *opening, seal_whole=True) == 1
    await refused(exchange, "LOCKED", *opening, seal_whole=True)
    with pytest.raises(Exception, match="under a quality claim: lot 1"):
        await exchange.register([{"serial": "A0"}])
    for year in ("", "2023"):
        with pytest.raises(BadFile, match="may be HX A0 2024"):
            await advised(exchange, serial="A0", year=year)
    parents = [await screened(exchange, serial=serial) for serial in ("M1", "M2")]
    melted = MeltWeight("SCALE-1", parse_shown_weight("grams", "200.00"))
    with pytest.raises(BadValue, match="lot 1 of that number is under a quality claim"):
        await do(exchange, melting.combine, ONE, parents, BarKey("hx", "a0", 2024), melted)
    await refused(exchange, "ILLEGAL_STEP", quality_claims.propose, ONE, 1, 99_860, 30_000, upheld=True)
    for laboratory, why in (("UMPIRE-LAB", "a registered laboratory"), ("LAB-A", "it has assayed lot 1")):
        with pytest.raises(BadValue, match=why):
            await do(exchange, quality_claims.send, ONE, 1, laboratory)
    await do(exchange, quality_claims.send, ONE, 1, "LAB-U")
    proposal = await do(exchange, quality_claims.propose, ONE, 1, 99_860, 30_000, upheld=True)
    await do(exchange, movements.decline, OTHER, proposal)
    for umpire_e5, wrong in ((99_860, False), (99_879, False), (99_880, True), (99_950, True)):
        with pytest.raises(BadValue, match=r"certified are 999\.00 per mille, and up to 0\.20 less is allowed"):
            await do(exchange, quality_claims.propose, ONE, 1, umpire_e5, 30_000, upheld=wrong)
    proposal = await do(exchange, quality_claims.propose, ONE, 1, 99_880, 30_000)
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    await exchange.approve(proposal)
    found = await do(exchange, quality_claims.find, 1)
    assert (found.status, found.payer, found.umpire_e5) == ("DECIDED", "MEMBER", 99_880)
    assert await do(exchange, locks.listing) == []
    why = await refused(exchange, "CLAIM_DECIDED", *opening, seal_whole=True)
    assert why == "claim 1 about lot 1 was dismissed, which is final"
    assert await exchange.register([{"serial": "A0", "sample_seal": "P-again"}]) == [10]
    with pytest.raises(IntegrityError, match="loser_pays"):
        async with exchange.engine.begin() as connection:
            await connection.execute(text("UPDATE claim SET payer = 'VENUE'"))


async def test_a_claim_has_a_window(exchange: SmallExchange) -> None:
    await entered_calendar(exchange)
    number = await completed(exchange, "A.H", LOT_MG)
    await refused(exchange, "ILLEGAL_STEP", quality_claims.open_claim, ONE, number, [1], "not yet", seal_whole=True)
    await signed(exchange, number)
    await do(exchange, handing_over.release, OTHER, number)
    await push_back(exchange, number, 10)
    await refused(exchange, "TOO_LATE", quality_claims.open_claim, ONE, number, [1], "too late", seal_whole=True)


async def test_an_upheld_claim_is_paid_once_out_of_the_venues_own_account(exchange: SmallExchange) -> None:
    await entered_calendar(exchange)
    number = await released(exchange, "A.H", LOT_MG)
    await do(exchange, quality_claims.open_claim, ONE, number, [1], "assay of the buyer is lower", seal_whole=True)
    payment = (corrections.pay_quality_claim, ONE, 1, 12_345, "difference of fineness", "AWARD-1")
    await refused(exchange, "ILLEGAL_STEP", *payment)
    await do(exchange, quality_claims.send, ONE, 1, "LAB-U")
    await exchange.approve(await do(exchange, quality_claims.propose, ONE, 1, 99_860, 30_000))
    had = exchange.held("VENUE"), exchange.held("A.H")
    await exchange.approve(await do(exchange, *payment))
    await exchange.round_trip()
    assert (exchange.held("VENUE"), exchange.held("A.H")) == (had[0] - 12_345, had[1] + 12_345)
    with pytest.raises(BadValue, match="claim"):
        await do(exchange, *payment)
    assert not [found for found in await find_breaks(exchange) if found.asset == "CNY"]
