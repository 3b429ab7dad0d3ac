"""Lots step by step: balances, holds, rejection, acceptance by class, screening and laboratories."""

from datetime import date

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from goldx.protocol.units import BadValue
from settlement.assays import assay, laboratories
from settlement.assays.assay import Result
from settlement.base import audit
from settlement.custody import receipts
from settlement.documents.lots import LOT
from settlement.intake import imports, intake
from settlement.lots import locks, lots, sampling
from settlement.lots.sampling import SealedSample
from settlement.tables.ledger import instrument
from settlement.tables.lots import custody_event
from tests.settlement.intake.lot_steps import screened
from tests.settlement.small_exchange import FAR, ONE, OTHER, PAST, SmallExchange, bars, do, refused


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
