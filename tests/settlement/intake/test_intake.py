"""Lots step by step: balances, melts, samples, provenance, holds, and that gold and weight are conserved."""

from collections.abc import Callable, Coroutine
from datetime import date
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.protocol.units import BadValue
from settlement.assays import assay, certificates
from settlement.assays.assay import Result
from settlement.base import audit
from settlement.base.refusal import Refused
from settlement.base.statistics import is_outlier
from settlement.custody import receipts
from settlement.documents.lots import LOT
from settlement.intake import intake, melting
from settlement.intake.bar_rows import BarKey
from settlement.intake.intake import Gross
from settlement.intake.melting import Melted
from settlement.lots import acceptance, lots, provenance, sampling, scales
from settlement.lots.provenance import Record
from settlement.lots.sampling import Drawn
from settlement.lots.scales import parse_weight
from settlement.tables.intake import melt
from settlement.tables.ledger import instrument
from settlement.tables.lots import custody_event, sample
from tests.settlement import bar_lists
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.small_exchange import FAR, ONE, OTHER, PAST, SmallExchange, bars

Work = Callable[[AsyncConnection], Coroutine[Any, Any, Any]]


@pytest_asyncio.fixture
async def exchange(engine: AsyncEngine, engine_runner: EngineRunner) -> SmallExchange:
    made = SmallExchange(engine, engine_runner)
    await made.build()
    await engine_runner.define("SCRAP", "SCRAP_JEWEL", min_fineness=30_000)
    await engine_runner.define("DORE", "DORE", min_fineness=30_000)
    await made.post()
    return made


async def do(exchange: SmallExchange, work: Work) -> Any:
    async with exchange.engine.begin() as connection:
        return await work(connection)


async def refused(exchange: SmallExchange, work: Work) -> str:
    with pytest.raises(Refused) as error:
        await do(exchange, work)
    return error.value.reason


async def advised(exchange: SmallExchange, **row: str) -> int:
    numbers = await do(exchange, lambda c: intake.pre_advise(c, ONE, bar_lists.declared(bars([row]))))
    return int(numbers[0])


async def screened(exchange: SmallExchange, grams: str = "100.00", **row: str) -> int:
    """A lot up to its screening."""
    number = await advised(exchange, **row)

    async def work(connection: AsyncConnection) -> None:
        await intake.arrive(connection, ONE, {number: "S-1"})
        await intake.weigh(connection, ONE, {number: Gross("SCALE-1", parse_weight("grams", grams))})
        await intake.screen(connection, ONE, {number: (90_000, 90_100, 90_000)})

    await do(exchange, work)
    return number


async def assayed(exchange: SmallExchange, number: int, *ppm: int) -> None:
    async def work(connection: AsyncConnection) -> None:
        await sampling.draw(connection, ONE, {number: [Drawn("A", f"P-{number}", 500)]})
        await assay.fire_assay(connection, ONE, {number: Result("LAB-A", ppm)})

    await do(exchange, work)


def melted(grams: str) -> Melted:
    return Melted("SCALE-1", parse_weight("grams", grams))


SCRAP = {"symbol": "SCRAP", "form": "SCRAP_JEWEL", "fineness_permille": "900.00", "origin": "RECYCLED_CONSUMER"}


@pytest.mark.parametrize(
    ("scale", "grams", "reason"),
    [
        ("FINE", "100.00", None),
        ("FINE", "100.0", "WRONG_RESOLUTION"),
        ("FINE", "100", "WRONG_RESOLUTION"),
        ("FINE", "5000.01", "OVER_CAPACITY"),
        ("STEP", "12000.05", None),
        ("STEP", "12000.02", "WRONG_RESOLUTION"),
        ("HEAVY", "12000.1", None),
        ("HEAVY", "12000.10", "WRONG_RESOLUTION"),
        ("HEAVY", "9999.9", "WRONG_RESOLUTION"),
        ("OLD", "100.00", "CALIBRATION_EXPIRED"),
        ("AWAY", "100.00", "ELSEWHERE"),
    ],
)
async def test_a_weight_that_its_balance_cannot_have_shown_is_refused(
    exchange: SmallExchange, scale: str, grams: str, reason: str | None
) -> None:
    """The venue's own rule, domain sheet 4.3: 0.01 g up to 10 kg, 0.1 g above, as read."""

    async def balances(connection: AsyncConnection) -> None:
        await lots.add_warehouse(connection, ONE, "XM2", "Warehouse two", "Xiamen")
        for code, place, step, most, until in (
            ("FINE", "XM1", 1, 500_000, FAR),
            ("STEP", "XM1", 5, 2_000_000, FAR),
            ("HEAVY", "XM1", 10, 3_000_000, FAR),
            ("OLD", "XM1", 1, 500_000, PAST),
            ("AWAY", "XM2", 1, 500_000, FAR),
        ):
            await scales.add(connection, ONE, code, place, step, most, "CAL", until)

    await do(exchange, balances)
    number = await advised(exchange)
    await do(exchange, lambda c: intake.arrive(c, ONE, {number: "S-1"}))
    gross = Gross(scale, parse_weight("grams", grams))

    def weigh(connection: AsyncConnection) -> Coroutine[Any, Any, None]:
        return intake.weigh(connection, ONE, {number: gross})

    if reason is None:
        await do(exchange, weigh)
    else:
        assert await refused(exchange, weigh) == reason


async def test_several_lots_are_melted_into_one_and_weight_is_conserved(exchange: SmallExchange) -> None:
    parents = [
        await screened(exchange, grams, serial=f"B{n}", **SCRAP) for n, grams in enumerate(("100.00", "250.55", "7.01"))
    ]

    def work(connection: AsyncConnection) -> Coroutine[Any, Any, int]:
        return melting.combine(connection, ONE, parents, BarKey("XM1", "MELT-1", 0), melted("354.00"))

    child = await do(exchange, work)
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
    assert await refused(exchange, work) == "ILLEGAL_STEP"
    await assayed(exchange, child, 900_000, 900_100)
    await do(exchange, lambda c: intake.certify(c, ONE, [child]))
    await do(exchange, lambda c: intake.register(c, ONE, [child]))
    again = await screened(exchange, serial="B0", **SCRAP)
    assert again not in parents, "the mark of a lot that is melted away may come again"


async def test_certified_parents_conserve_fine_gold_to_the_milligram(exchange: SmallExchange) -> None:
    parents = await exchange.register([{"serial": "A1"}, {"serial": "A2", "weighed_g": "200.05"}])
    async with exchange.engine.connect() as connection:
        fine = sum(row.fine_mg for row in (await lots.find(connection, parents)).values())
    assert fine == 99_900 + 199_849
    child = await do(exchange, lambda c: melting.combine(c, ONE, parents, BarKey("XM1", "MELT-1", 0), melted("300.00")))
    await assayed(exchange, child, 998_900, 998_900)
    await do(exchange, lambda c: intake.certify(c, ONE, [child]))
    async with exchange.engine.connect() as connection:
        (row,) = await connection.execute(select(melt))
        mine = (await lots.find(connection, [child]))[child].fine_mg
        assert mine == 299_670
        assert (row.fine_parents_mg, row.fine_child_mg, row.fine_loss_mg) == (fine, mine, fine - mine)
        assert row.fine_parents_mg == row.fine_child_mg + row.fine_loss_mg
    with pytest.raises(DBAPIError, match="written once"):
        await do(exchange, lambda c: c.execute(update(melt).values(fine_child_mg=1)))


async def test_gold_that_a_melt_seems_to_have_made_is_alarmed(exchange: SmallExchange) -> None:
    parents = await exchange.register([{"serial": "A1"}, {"serial": "A2"}])
    child = await do(exchange, lambda c: melting.combine(c, ONE, parents, BarKey("XM1", "MELT-1", 0), melted("200.00")))
    await assayed(exchange, child, 999_400, 999_400)
    await do(exchange, lambda c: intake.certify(c, ONE, [child]))
    assert await refused(exchange, lambda c: intake.register(c, ONE, [child])) == "BLOCKED"
    async with exchange.engine.connect() as connection:
        (row,) = await connection.execute(select(melt))
    assert row.fine_loss_mg == -80
    assert "0.08 g of fine gold more" in row.alarms[0]


async def test_lots_that_do_not_belong_together_are_not_melted(exchange: SmallExchange) -> None:
    one = await screened(exchange, serial="B1", **SCRAP)
    for row in ({"account": "B.H"}, {"symbol": "AU", "form": "NONAPPROVED_BAR"}):
        other = await screened(exchange, **{**SCRAP, "serial": f"X-{len(row)}", **row})
        work = _combine([one, other])
        assert await refused(exchange, work) == "DIFFERENT_LOTS"
    incomplete = await screened(exchange, serial="B2", **SCRAP, seller_check="")
    assert await refused(exchange, _combine([one, incomplete])) == "BLOCKED"
    with pytest.raises(BadValue, match="two or more different"):
        await do(exchange, _combine([one, one]))
    (registered,) = await exchange.register([{"serial": "R1"}])
    (pledged,) = await exchange.register([{"serial": "R2"}])
    await do(exchange, lambda c: receipts.propose_issue(c, ONE, [registered]))
    assert await refused(exchange, _combine([registered, pledged])) == "RECEIPT_EXISTS"


def _combine(parents: list[int]) -> Work:
    return lambda c: melting.combine(c, ONE, parents, BarKey("XM1", "MELT-9", 0), melted("100.00"))


async def test_an_unusual_loss_blocks_the_register_until_somebody_else_explains_it(exchange: SmallExchange) -> None:
    number = await screened(exchange, serial="B1", **SCRAP)
    assert (
        await refused(exchange, lambda c: sampling.draw(c, ONE, {number: [Drawn("A", "P", 500)]})) == "MUST_BE_MELTED"
    )
    assert await refused(exchange, lambda c: melting.melt_each(c, ONE, {number: melted("100.01")})) == "MELT_GAIN"
    await do(exchange, lambda c: melting.melt_each(c, ONE, {number: melted("97.00")}))
    await assayed(exchange, number, 900_000, 900_100)
    await do(exchange, lambda c: intake.certify(c, ONE, [number]))
    assert await refused(exchange, lambda c: intake.register(c, ONE, [number])) == "BLOCKED"
    assert await refused(exchange, lambda c: melting.explain(c, ONE, 1, "stones")) == "SAME_PERSON"
    await do(exchange, lambda c: melting.explain(c, OTHER, 1, "stones and solder"))
    assert await refused(exchange, lambda c: melting.explain(c, OTHER, 1, "again")) == "ILLEGAL_STEP"
    await do(exchange, lambda c: intake.register(c, ONE, [number]))


def test_when_a_loss_is_alarmed() -> None:
    """Bands of domain sheet 3.5; three deviations from the mean of ten melts or more."""
    assert melting.alarms("SCRAP_JEWEL", 10_000, []) == []
    assert len(melting.alarms("SCRAP_JEWEL", 4_999, [])) == 1
    assert len(melting.alarms("SCRAP_JEWEL", 20_001, [])) == 1
    assert melting.alarms("NONAPPROVED_BAR", 900_000, []) == []
    steady = [9_900, 10_100] * 5
    assert melting.alarms("SCRAP_JEWEL", 10_316, steady) == [], "mean 10,000, deviation 105.4"
    assert "3 deviations" in melting.alarms("SCRAP_JEWEL", 10_317, steady)[0]
    assert melting.alarms("SCRAP_JEWEL", 10_317, steady[:9]) == []
    assert melting.loss_ppm(12_480_350, 12_250) == 981, "TV2 of the domain sheet: 0.0982%, rounded down here"


@given(st.lists(st.integers(0, 30_000), min_size=10, max_size=30), st.integers(0, 30_000))
def test_three_deviations_are_those_of_the_exact_sample(history: list[int], value: int) -> None:
    from fractions import Fraction

    mean = Fraction(sum(history), len(history))
    variance = sum((x - mean) ** 2 for x in history) / (len(history) - 1)
    assert is_outlier(value, history, 3) == ((value - mean) ** 2 > 9 * variance)


async def test_the_history_of_ninety_days_counts(exchange: SmallExchange) -> None:
    for n in range(11):
        number = await screened(exchange, serial=f"B{n}", **SCRAP)
        await do(exchange, _melt(number, "99.00" if n % 2 else "98.98"))
    number = await screened(exchange, serial="odd", **SCRAP)
    await do(exchange, lambda c: melting.melt_each(c, ONE, {number: melted("98.50")}))
    async with exchange.engine.begin() as connection:
        rows = await melting.listing(connection, alarmed=True)
        assert [row.lot_id for row in rows] == [number]
        assert len(await melting.history(connection, "SCRAP_JEWEL", rows[0].at + 90 * 86_400_000)) == 0
        assert len(await melting.history(connection, "SCRAP_JEWEL", rows[0].at)) == 12


def _melt(number: int, grams: str) -> Work:
    return lambda c: melting.melt_each(c, ONE, {number: melted(grams)})


async def test_a_lot_is_melted_again_when_its_samples_do_not_agree(exchange: SmallExchange) -> None:
    number = await screened(exchange, serial="B1", **SCRAP)
    await do(exchange, lambda c: melting.melt_each(c, ONE, {number: melted("99.00")}))
    await do(exchange, lambda c: sampling.draw(c, ONE, {number: [Drawn("A", "P-1", 500)]}))
    differ = {number: Result("LAB-A", (900_000, 901_000))}
    assert await refused(exchange, lambda c: assay.fire_assay(c, ONE, differ)) == "REPLICATES_DIFFER"
    await do(exchange, lambda c: melting.melt_each(c, ONE, {number: melted("98.90")}, "remelt"))
    agree = {number: Result("LAB-A", (900_000, 900_100))}
    assert await refused(exchange, lambda c: assay.fire_assay(c, ONE, agree)) == "NO_SAMPLE"
    with pytest.raises(BadValue, match="no other sample has"):
        await do(exchange, lambda c: sampling.draw(c, ONE, {number: [Drawn("A", "P-1", 500)]}))
    await do(exchange, lambda c: sampling.draw(c, ONE, {number: [Drawn("A", "P-2", 500)]}))
    await do(exchange, lambda c: assay.fire_assay(c, ONE, agree))
    await do(exchange, lambda c: intake.certify(c, ONE, [number]))
    async with exchange.engine.connect() as connection:
        found = await certificates.find(connection, 1)
        assert (found.content["weight_cg"], [s["seal"] for s in found.content["samples"]]) == (9_890, ["P-2"])
        assert sum(row.loss_mg for row in await melting.listing(connection)) == 1_100
        spent = await connection.execute(select(sample.c.seal).where(sample.c.remelted_at.is_not(None)))
        assert spent.scalars().all() == ["P-1"]


@pytest.mark.parametrize(
    ("record", "form", "lacks", "grade"),
    [
        (Record("BANK", "CN", None, None, "KYB-1", ("INV-1",)), "NONAPPROVED_BAR", [], "LOW"),
        (Record("BANK", "US", None, None, "KYB-1", ("INV-1",)), "NONAPPROVED_BAR", [], "MEDIUM"),
        (Record("BANK"), "NONAPPROVED_BAR", ["country", "seller_check", "documents"], "MEDIUM"),
        (Record("MINE", "CN", None, None, "KYB-1", ("D",)), "DORE", ["licence", "tax_proof"], "MEDIUM"),
        (Record("MINE", "CN", "M-1", "T-1", "KYB-1", ("D",)), "DORE", [], "MEDIUM"),
        (Record("MINE", "CN", "M-1", "T-1", "KYB-1", ("D",), True), "DORE", [], "HIGH"),
        (Record("RECYCLED_CONSUMER", "CN", None, None, "KYC-1", ("D",)), "SCRAP_JEWEL", [], "MEDIUM"),
        (Record("RECYCLED_TRADE", "CN", None, None, "KYC-1", ("D",)), "GRAIN", [], "HIGH"),
    ],
)
def test_provenance_is_complete_and_graded_by_rule(record: Record, form: str, lacks: list[str], grade: str) -> None:
    assert provenance.missing(record) == lacks
    assert provenance.grade(record, form, 90_000)[0] == grade


@pytest.mark.parametrize("code", ["XX", "cn", "CHN", "China", ""])
def test_a_country_is_one_of_iso_3166(code: str) -> None:
    assert provenance.check(Record("BANK", "KZ")).country == "KZ"
    with pytest.raises(BadValue) as bad:
        provenance.check(Record("BANK", code))
    assert bad.value.field == "country"


def test_mined_gold_has_never_been_refined() -> None:
    """Domain sheet 3.6: 995 per mille ends that status."""
    record = Record("MINE", "CN", "M-1", "T-1", "KYB-1", ("D",))
    assert [provenance.grade(record, "DORE", e5)[0] for e5 in (99_499, 99_500)] == ["MEDIUM", "HIGH"]


async def test_no_lot_is_registered_without_its_provenance(exchange: SmallExchange) -> None:
    number = await screened(
        exchange, "100.00", serial="D1", symbol="DORE", form="DORE", fineness_permille="880.00", origin="MINE"
    )
    await assayed(exchange, number, 880_000, 880_100)
    await do(exchange, lambda c: intake.certify(c, ONE, [number]))
    assert await refused(exchange, lambda c: intake.register(c, ONE, [number])) == "BLOCKED"
    risky = Record("MINE", "CN", "M-1", "T-1", "KYB-1", ("D",), True)
    await do(exchange, lambda c: provenance.write(c, ONE, {number: risky}))
    assert await refused(exchange, lambda c: intake.register(c, ONE, [number])) == "BLOCKED"
    proposal = await do(exchange, lambda c: provenance.propose_acceptance(c, ONE, number, "EDD-1"))
    await exchange.approve(proposal)
    await do(exchange, lambda c: intake.register(c, ONE, [number]))
    assert await refused(exchange, lambda c: provenance.write(c, ONE, {number: risky})) == "ILLEGAL_STEP"
    with pytest.raises(DBAPIError, match="written once"):
        await do(exchange, lambda c: c.execute(text("UPDATE provenance SET country = 'US'")))


async def test_a_list_with_what_must_wait_goes_as_far_as_it_may(exchange: SmallExchange) -> None:
    rows = bars([{"serial": "A1"}, {"serial": "A2", "seller_check": ""}])
    from settlement.intake import imports

    await do(exchange, lambda c: imports.take_in(c, ONE, "declared", "bars.csv", rows))
    taken = await do(exchange, lambda c: imports.take_in(c, ONE, "measured", "bars.csv", rows))
    assert taken.lots == [1, 2]
    assert list(taken.waiting) == [2]
    async with exchange.engine.connect() as connection:
        assert [row.state for row in await lots.listing(connection)] == ["REGISTERED", "CERTIFIED"]


async def test_a_quarantined_lot_can_do_nothing_and_comes_back_where_it_was(exchange: SmallExchange) -> None:
    number = await screened(exchange)
    await do(exchange, lambda c: intake.quarantine(c, ONE, number, "reported stolen", "police 17"))
    for step in LOT.steps:
        if step not in ("lift", "pre_advise", "cast"):
            assert await refused(exchange, lambda c, s=step: lots.take(c, ONE, s, [number])) == "ILLEGAL_STEP"  # type: ignore[misc]
    assert await refused(exchange, lambda c: lots.take(c, OTHER, "lift", [number])) == "TWO_PEOPLE"
    proposal = await do(exchange, lambda c: intake.propose_lift(c, ONE, number, "police 18"))
    await exchange.approve(proposal)
    async with exchange.engine.connect() as connection:
        assert (await lots.find(connection, [number]))[number].state == "SCREENED"
    (registered,) = await exchange.register([{"serial": "R1"}])
    await do(exchange, lambda c: receipts.propose_issue(c, ONE, [registered]))
    work = lambda c: intake.quarantine(c, ONE, registered, "late", "police 19")  # noqa: E731
    assert await refused(exchange, work) == "RECEIPT_EXISTS"


async def test_rejected_metal_leaves_by_two_people(exchange: SmallExchange) -> None:
    number = await screened(exchange)
    await do(exchange, lambda c: intake.reject(c, ONE, number, "plated"))
    assert await refused(exchange, lambda c: lots.take(c, ONE, "return", [number])) == "TWO_PEOPLE"
    proposal = await do(exchange, lambda c: intake.propose_return(c, ONE, number, "Depositor's driver"))
    await exchange.approve(proposal)
    async with exchange.engine.connect() as connection:
        *_, last = await lots.history(connection, number)
        assert (last.step, last.by, last.detail) == ("return", OTHER, {"collector": "Depositor's driver"})
        steps = [event.step for event in await lots.history(connection, number)]
        acts = await connection.execute(
            text("SELECT action FROM audit_log WHERE subject = :lot"), {"lot": f"lot:{number}"}
        )
        assert [action for action in acts.scalars() if action.startswith("lot.")] == [f"lot.{step}" for step in steps]
        await audit.verify(connection)
    with pytest.raises(DBAPIError, match="append-only"):
        await do(exchange, lambda c: c.execute(update(custody_event).values(by="nobody")))


async def test_what_a_class_accepts(exchange: SmallExchange) -> None:
    wish = acceptance.Wish(("NONAPPROVED_BAR", "GRAIN"), ("XM1",), 50_000)
    proposal = await do(exchange, lambda c: acceptance.propose(c, ONE, "AU", wish))
    await exchange.approve(proposal)
    assert await advised(exchange, serial="G", form="GRAIN") == 1
    for row, column in (
        ({"form": "DORE"}, "form"),
        ({"gross_g": "50.00"}, "gross_g"),
        ({"fineness_permille": "899.99"}, "fineness_permille"),
    ):
        with pytest.raises(Exception, match=column):
            await advised(exchange, serial="X", **row)
    small = await screened(exchange, "50.00", serial="small")
    await assayed(exchange, small, 999_000, 999_000)
    assert await refused(exchange, lambda c: intake.certify(c, ONE, [small])) == "NOT_ACCEPTED"
    second = await do(exchange, lambda c: acceptance.propose(c, ONE, "AU", acceptance.Wish(("NONAPPROVED_BAR",))))
    await exchange.approve(second)
    await do(exchange, lambda c: intake.certify(c, ONE, [small]))
    async with exchange.engine.connect() as connection:
        statuses = await connection.execute(text("SELECT status FROM acceptance ORDER BY acceptance_no"))
        assert list(statuses.scalars()) == ["REPLACED", "LIVE"]


async def test_no_receipt_outside_the_band_of_the_class(exchange: SmallExchange) -> None:
    numbers = await exchange.register([{"serial": "A1"}])
    await do(
        exchange, lambda c: c.execute(update(instrument).where(instrument.c.symbol == "AU").values(min_fineness=99_950))
    )
    assert await refused(exchange, lambda c: receipts.propose_issue(c, ONE, numbers)) == "OUTSIDE_BAND"
    values = "(1, 'A.H', 'AU', 99900, 'PROPOSED')"
    statement = text(f"INSERT INTO receipt (lot_id, account, symbol, fine_mg, status) VALUES {values}")
    with pytest.raises(DBAPIError, match="outside the band"):
        await do(exchange, lambda c: c.execute(statement))


def test_a_screening_is_a_mean_of_whole_per_mille() -> None:
    """GB/T 18043: three points or more, to the unit (domain sheet 3.4)."""
    assert assay.screened([75_000, 75_100, 75_100]) == 75_100
    assert assay.screened([75_000, 75_000, 75_100, 75_100]) == 75_000, "half to even"
    assert assay.screened([75_100]) == 75_100
    for points in ([75_000, 75_100], [75_050]):
        with pytest.raises(BadValue, match="xrf_permille"):
            assay.screened(points)


async def test_laboratories_are_accredited_today_or_refused(exchange: SmallExchange) -> None:
    from settlement.assays import laboratories

    await do(exchange, lambda c: laboratories.add(c, ONE, "OLD", "Old one", ["CMA"], "L", (PAST, date(2020, 12, 31))))
    number = await screened(exchange)
    await do(exchange, lambda c: sampling.draw(c, ONE, {number: [Drawn("A", "P", 500)]}))
    for code, ppm, reason in (
        ("OLD", (999_000, 999_000), "NOT_ACCREDITED"),
        ("LAB-A", (999_000, 999_300), "REPLICATES_DIFFER"),
    ):
        results = {number: Result(code, ppm)}
        assert await refused(exchange, lambda c, r=results: assay.fire_assay(c, ONE, r)) == reason  # type: ignore[misc]
    for result in (Result("NONE", (999_000, 999_000)), Result("LAB-A", (999_000,)), Result("LAB-A", (1, 1), "ISO 1")):
        with pytest.raises(BadValue):
            await do(exchange, lambda c, r=result: assay.fire_assay(c, ONE, {number: r}))  # type: ignore[misc]
    narrow = {number: Result("LAB-A", (999_600, 999_600), "GB/T 28016-2011")}
    assert await refused(exchange, lambda c: assay.fire_assay(c, ONE, narrow)) == "OUTSIDE_STANDARD"
    await do(exchange, lambda c: laboratories.renew(c, ONE, "OLD", ["CMA", "CNAS"], "L2", (PAST, FAR)))
    await do(exchange, lambda c: assay.fire_assay(c, ONE, {number: Result("OLD", (999_000, 999_000))}))
