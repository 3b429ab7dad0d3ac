"""Lots step by step: balances, holds, rejection, acceptance by class, screening and laboratories."""

from datetime import date

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.assays import assay, laboratories
from settlement.assays.assay import Result
from settlement.base import audit
from settlement.custody import receipts
from settlement.documents.lots import LOT
from settlement.intake import imports, intake
from settlement.lots import acceptance, locks, lots, sampling, scales, warehouses
from settlement.lots.sampling import SealedSample
from settlement.lots.scales import GrossWeight, parse_weight
from settlement.tables.ledger import instrument
from settlement.tables.lots import custody_event
from tests.settlement.intake.lot_steps import advised, assayed, screened
from tests.settlement.small_exchange import FAR, ONE, OTHER, PAST, SmallExchange, bars, do, refused


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
        await warehouses.add(connection, ONE, "XM2", "Warehouse two", "Xiamen")
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
    await do(exchange, intake.arrive, ONE, {number: "S-1"})
    gross = GrossWeight(scale, parse_weight("grams", grams))

    if reason is None:
        await do(exchange, intake.weigh, ONE, {number: gross})
    else:
        await refused(exchange, reason, intake.weigh, ONE, {number: gross})


async def test_a_lot_of_a_list_that_may_not_be_registered_is_certified(exchange: SmallExchange) -> None:
    rows = bars([{"serial": "A1"}, {"serial": "A2", "seller_check": ""}])
    await do(exchange, imports.take_in, ONE, "declared", "bars.csv", rows)
    taken = await do(exchange, imports.take_in, ONE, "measured", "bars.csv", rows)
    assert taken.lots == [1, 2]
    assert list(taken.waiting) == [2]
    async with exchange.engine.connect() as connection:
        assert [row.state for row in await lots.listing(connection)] == ["REGISTERED", "CERTIFIED"]


async def test_a_quarantined_lot_can_do_nothing_and_comes_back_where_it_was(exchange: SmallExchange) -> None:
    number = await screened(exchange)
    await do(exchange, intake.quarantine, ONE, number, "reported stolen", "police 17")
    for step in LOT.steps:
        if step not in ("lift", "pre_advise", "cast"):
            await refused(exchange, "ILLEGAL_STEP", lots.take, ONE, step, [number])
    await refused(exchange, "TWO_PEOPLE", lots.take, OTHER, "lift", [number])
    proposal = await do(exchange, intake.propose_lift, ONE, number, "police 18")
    await exchange.approve(proposal)
    async with exchange.engine.connect() as connection:
        assert (await lots.find(connection, [number]))[number].state == "SCREENED"
    (registered,) = await exchange.register([{"serial": "R1"}])
    await do(exchange, receipts.propose_issue, ONE, [registered])
    assert await do(exchange, intake.quarantine, ONE, registered, "late", "police 19") == "FREEZE"
    await refused(exchange, "LOCKED", locks.check_free, [registered])


async def test_rejected_metal_leaves_by_two_people(exchange: SmallExchange) -> None:
    number = await screened(exchange)
    await do(exchange, intake.reject, ONE, number, "plated")
    await refused(exchange, "TWO_PEOPLE", lots.take, ONE, "return", [number])
    proposal = await do(exchange, intake.propose_return, ONE, number, "Depositor's driver")
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
        async with exchange.engine.begin() as connection:
            await connection.execute(update(custody_event).values(by="nobody"))


async def test_what_a_class_accepts(exchange: SmallExchange) -> None:
    terms = acceptance.Rule(("NONAPPROVED_BAR", "GRAIN"), ("XM1",), 50_000)
    proposal = await do(exchange, acceptance.propose, ONE, "AU", terms)
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
    await refused(exchange, "NOT_ACCEPTED", intake.certify, ONE, [small])
    second = await do(exchange, acceptance.propose, ONE, "AU", acceptance.Rule(("NONAPPROVED_BAR",)))
    await exchange.approve(second)
    await do(exchange, intake.certify, ONE, [small])
    async with exchange.engine.connect() as connection:
        statuses = await connection.execute(text("SELECT status FROM acceptance ORDER BY acceptance_no"))
        assert list(statuses.scalars()) == ["REPLACED", "LIVE"]


async def test_no_receipt_outside_the_band_of_the_class(exchange: SmallExchange) -> None:
    numbers = await exchange.register([{"serial": "A1"}])
    async with exchange.engine.begin() as connection:
        await connection.execute(update(instrument).where(instrument.c.symbol == "AU").values(min_fineness=99_950))
    await refused(exchange, "OUTSIDE_BAND", receipts.propose_issue, ONE, numbers)
    values = "(1, 'A.H', 'AU', 99900, 'PROPOSED')"
    statement = text(f"INSERT INTO receipt (lot_id, account, symbol, fine_mg, status) VALUES {values}")
    with pytest.raises(DBAPIError, match="outside the band"):
        async with exchange.engine.begin() as connection:
            await connection.execute(statement)


def test_a_screening_is_a_mean_of_whole_per_mille() -> None:
    """GB/T 18043: three points or more, to the unit (domain sheet 3.4)."""
    assert assay.screened([75_000, 75_100, 75_100]) == 75_100
    assert assay.screened([75_000, 75_000, 75_100, 75_100]) == 75_000, "half to even"
    assert assay.screened([75_100]) == 75_100
    for points in ([75_000, 75_100], [75_050]):
        with pytest.raises(BadValue, match="xrf_permille"):
            assay.screened(points)


async def test_laboratories_are_accredited_today_or_refused(exchange: SmallExchange) -> None:
    await do(exchange, laboratories.add, ONE, "OLD", "Old one", ["CMA"], "L", (PAST, date(2020, 12, 31)))
    number = await screened(exchange)
    await do(exchange, sampling.draw, ONE, {number: [SealedSample("A", "P", 500)]})
    for code, ppm, reason in (
        ("OLD", (999_000, 999_000), "NOT_ACCREDITED"),
        ("LAB-A", (999_000, 999_300), "REPLICATES_DIFFER"),
    ):
        results = {number: Result(code, ppm, "P")}
        await refused(exchange, reason, assay.fire_assay, ONE, results)
    for result in (
        Result("NONE", (999_000, 999_000), "P"),
        Result("LAB-A", (999_000,), "P"),
        Result("LAB-A", (1, 1), "P", "ISO 1"),
    ):
        with pytest.raises(BadValue):
            await do(exchange, assay.fire_assay, ONE, {number: result})
    narrow = {number: Result("LAB-A", (999_600, 999_600), "P", "GB/T 28016-2011")}
    await refused(exchange, "OUTSIDE_STANDARD", assay.fire_assay, ONE, narrow)
    other = {number: Result("LAB-A", (999_000, 999_000), "P-8")}
    why = await refused(exchange, "WRONG_SEAL", assay.fire_assay, ONE, other)
    assert why == f"lot {number}: the sample of party A is under seal P; the report is about P-8"
    await do(exchange, laboratories.renew, ONE, "OLD", ["CMA", "CNAS"], "L2", (PAST, FAR))
    await do(exchange, assay.fire_assay, ONE, {number: Result("OLD", (999000, 999000), "P")})
