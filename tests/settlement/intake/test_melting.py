"""Melts: weight and fine gold are conserved, and unusual losses are explained before a lot is registered."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from goldx.protocol.units import BadValue
from settlement.assays import assay, certificates
from settlement.assays.assay import Result
from settlement.base.statistics import is_outlier
from settlement.custody import receipts
from settlement.intake import intake, melt_loss, melting
from settlement.intake.bar_rows import BarKey
from settlement.intake.melting import MeltWeight
from settlement.lots import lots, provenance, sampling
from settlement.lots.sampling import SealedSample
from settlement.lots.scales import parse_shown_weight
from settlement.tables.intake import melt
from settlement.tables.lots import sample
from tests.settlement.intake.lot_steps import SCRAP, assayed, screened
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, refused

KEY = BarKey("XM1", "MELT-1", 0)


def melt_weight(grams: str) -> MeltWeight:
    return MeltWeight("SCALE-1", parse_shown_weight("grams", grams))


async def test_several_lots_are_melted_into_one_and_weight_is_conserved(exchange: SmallExchange) -> None:
    parents = [
        await screened(exchange, grams, serial=f"B{n}", **SCRAP) for n, grams in enumerate(("100.00", "250.55", "7.01"))
    ]

    child = await do(exchange, melting.combine, ONE, parents, KEY, melt_weight("354.00"))
    async with exchange.engine.connect() as connection:
        (row,) = await connection.execute(select(melt))
        assert (row.lot_id, row.parents_mg, row.child_mg, row.loss_mg) == (child, 357_560, 354_000, 3_560)
        assert row.alarms == [], "0.9957% is usual for scrap"
        lines = await melting.parents_of(connection, child)
        assert sum(line.weight_mg for line in lines) == row.child_mg + row.loss_mg
        found = await lots.find(connection, [*parents, child])
        assert [found[number].state for number in (*parents, child)] == ["CONSUMED"] * 3 + ["MELTED"]
        record = (await provenance.of_lots(connection, [child]))[child]
        assert (record.origin, record.grade, record.missing) == ("RECYCLED_CONSUMER", "MEDIUM", [])
    await refused(exchange, "ILLEGAL_STEP", melting.combine, ONE, parents, KEY, melt_weight("354.00"))
    await assayed(exchange, child, 900_000, 900_100)
    await do(exchange, intake.certify, ONE, [child])
    await do(exchange, intake.register, ONE, [child])
    again = await screened(exchange, serial="B0", **SCRAP)
    assert again not in parents, "the mark of a lot that is melted away may come again"


async def test_certified_parents_conserve_fine_gold_to_the_milligram(exchange: SmallExchange) -> None:
    parents = await exchange.register([{"serial": "A1"}, {"serial": "A2", "weighed_g": "200.05"}])
    async with exchange.engine.connect() as connection:
        fine = sum(row.fine_mg for row in (await lots.find(connection, parents)).values())
    assert fine == 99_900 + 199_849
    child = await do(exchange, melting.combine, ONE, parents, KEY, melt_weight("300.00"))
    await assayed(exchange, child, 998_900, 998_900)
    await do(exchange, intake.certify, ONE, [child])
    async with exchange.engine.connect() as connection:
        (row,) = await connection.execute(select(melt))
        mine = (await lots.find(connection, [child]))[child].fine_mg
        assert mine == 299_670
        assert (row.fine_parents_mg, row.fine_child_mg, row.fine_loss_mg) == (fine, mine, fine - mine)
        assert row.fine_parents_mg == row.fine_child_mg + row.fine_loss_mg
    with pytest.raises(DBAPIError, match="written once"):
        async with exchange.engine.begin() as connection:
            await connection.execute(update(melt).values(fine_child_mg=1))


async def test_a_gain_of_fine_gold_raises_an_alarm(exchange: SmallExchange) -> None:
    parents = await exchange.register([{"serial": "A1"}, {"serial": "A2"}])
    child = await do(exchange, melting.combine, ONE, parents, KEY, melt_weight("200.00"))
    await assayed(exchange, child, 999_400, 999_400)
    await do(exchange, intake.certify, ONE, [child])
    await refused(exchange, "BLOCKED", intake.register, ONE, [child])
    async with exchange.engine.connect() as connection:
        (row,) = await connection.execute(select(melt))
    assert row.fine_loss_mg == -80
    assert "0.08 g of fine gold more" in row.alarms[0]


async def test_lots_that_do_not_belong_together_are_not_melted(exchange: SmallExchange) -> None:
    one = await screened(exchange, serial="B1", **SCRAP)
    for row in ({"account": "B.H"}, {"symbol": "AU", "form": "NONAPPROVED_BAR"}):
        other = await screened(exchange, **{**SCRAP, "serial": f"X-{len(row)}", **row})
        await refused(exchange, "DIFFERENT_LOTS", melting.combine, ONE, [one, other], KEY, melt_weight("100.00"))
    incomplete = await screened(exchange, serial="B2", **SCRAP, seller_check="")
    await refused(exchange, "BLOCKED", melting.combine, ONE, [one, incomplete], KEY, melt_weight("100.00"))
    with pytest.raises(BadValue, match="two or more different"):
        await do(exchange, melting.combine, ONE, [one, one], KEY, melt_weight("100.00"))
    (registered,) = await exchange.register([{"serial": "R1"}])
    (pledged,) = await exchange.register([{"serial": "R2"}])
    await do(exchange, receipts.propose_issue, ONE, [registered])
    await refused(exchange, "RECEIPT_EXISTS", melting.combine, ONE, [registered, pledged], KEY, melt_weight("100.00"))


async def test_an_unusual_loss_blocks_the_register_until_somebody_else_explains_it(exchange: SmallExchange) -> None:
    number = await screened(exchange, serial="B1", **SCRAP)
    await refused(exchange, "MUST_BE_MELTED", sampling.draw, ONE, {number: [SealedSample("A", "P", 500)]})
    await refused(exchange, "MELT_GAIN", melting.melt_each, ONE, {number: melt_weight("100.01")})
    await do(exchange, melting.melt_each, ONE, {number: melt_weight("97.00")})
    await assayed(exchange, number, 900_000, 900_100)
    await do(exchange, intake.certify, ONE, [number])
    await refused(exchange, "BLOCKED", intake.register, ONE, [number])
    await refused(exchange, "SAME_PERSON", melting.explain, ONE, 1, "stones")
    await do(exchange, melting.explain, OTHER, 1, "stones and solder")
    await refused(exchange, "ILLEGAL_STEP", melting.explain, OTHER, 1, "again")
    await do(exchange, intake.register, ONE, [number])


def test_a_loss_outside_its_band_or_three_deviations_raises_an_alarm() -> None:
    """Bands of domain sheet 3.5; three deviations from the mean of ten melts or more."""
    assert melt_loss.alarms("SCRAP_JEWEL", 10_000, []) == []
    assert len(melt_loss.alarms("SCRAP_JEWEL", 4_999, [])) == 1
    assert len(melt_loss.alarms("SCRAP_JEWEL", 20_001, [])) == 1
    assert melt_loss.alarms("NONAPPROVED_BAR", 900_000, []) == []
    steady = [9_900, 10_100] * 5
    assert melt_loss.alarms("SCRAP_JEWEL", 10_316, steady) == [], "mean 10,000, deviation 105.4"
    assert "3 deviations" in melt_loss.alarms("SCRAP_JEWEL", 10_317, steady)[0]
    assert melt_loss.alarms("SCRAP_JEWEL", 10_317, steady[:9]) == []
    assert melt_loss.loss_ppm(12_480_350, 12_250) == 981, "TV2 of the domain sheet: 0.0982%, rounded down here"


@given(st.lists(st.integers(0, 30_000), min_size=10, max_size=30), st.integers(0, 30_000))
def test_three_deviations_are_those_of_the_exact_sample(history: list[int], value: int) -> None:
    mean = Fraction(sum(history), len(history))
    variance = sum((x - mean) ** 2 for x in history) / (len(history) - 1)
    assert is_outlier(value, history, 3) == ((value - mean) ** 2 > 9 * variance)


async def test_the_history_of_ninety_days_counts(exchange: SmallExchange) -> None:
    for n in range(11):
        number = await screened(exchange, serial=f"B{n}", **SCRAP)
        await do(exchange, melting.melt_each, ONE, {number: melt_weight("99.00" if n % 2 else "98.98")})
    number = await screened(exchange, serial="odd", **SCRAP)
    await do(exchange, melting.melt_each, ONE, {number: melt_weight("98.50")})
    async with exchange.engine.begin() as connection:
        rows = await melting.listing(connection, alarmed=True)
        assert [row.lot_id for row in rows] == [number]
        assert len(await melt_loss.history(connection, "SCRAP_JEWEL", rows[0].at + 90 * 86_400_000)) == 0
        assert len(await melt_loss.history(connection, "SCRAP_JEWEL", rows[0].at)) == 12


async def test_a_lot_is_melted_again_when_its_samples_do_not_agree(exchange: SmallExchange) -> None:
    number = await screened(exchange, serial="B1", **SCRAP)
    await do(exchange, melting.melt_each, ONE, {number: melt_weight("99.00")})
    await do(exchange, sampling.draw, ONE, {number: [SealedSample("A", "P-1", 500)]})
    differ = {number: Result("LAB-A", (900_000, 901_000), "P-1")}
    await refused(exchange, "REPLICATES_DIFFER", assay.fire_assay, ONE, differ)
    await do(exchange, melting.melt_each, ONE, {number: melt_weight("98.90")}, "remelt")
    agree = {number: Result("LAB-A", (900_000, 900_100), "P-2")}
    await refused(exchange, "NO_SAMPLE", assay.fire_assay, ONE, agree)
    with pytest.raises(BadValue, match="no other sample has"):
        await do(exchange, sampling.draw, ONE, {number: [SealedSample("A", "P-1", 500)]})
    await do(exchange, sampling.draw, ONE, {number: [SealedSample("A", "P-2", 500)]})
    await do(exchange, assay.fire_assay, ONE, agree)
    await do(exchange, intake.certify, ONE, [number])
    async with exchange.engine.connect() as connection:
        found = await certificates.find(connection, 1)
        assert (found.content["weight_cg"], [s["seal"] for s in found.content["samples"]]) == (9_890, ["P-2"])
        assert sum(row.loss_mg for row in await melting.listing(connection)) == 1_100
        spent = await connection.execute(select(sample.c.seal).where(sample.c.remelted_at.is_not(None)))
        assert spent.scalars().all() == ["P-1"]
