"""Inventory counts: opened by two, frozen custody, two counters, recounts, breaks and the signed record."""

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from goldx.protocol.units import BadValue
from settlement.base import working_days
from settlement.custody import transfers
from settlement.intake import intake, pre_advice
from settlement.intake.bar_rows import BarKey
from settlement.lots import counted
from settlement.reconciliation import (
    break_listing,
    breaks,
    count_cancels,
    count_results,
    count_sessions,
    counting,
    last_counts,
    vault_freeze,
)
from settlement.reconciliation.count_results import CountResult
from settlement.reconciliation.count_sessions import CountExtent
from settlement.service import movements
from tests.settlement import bar_lists
from tests.settlement.reconciliation.conftest import opened_before
from tests.settlement.small_exchange import ONE, OTHER, THIRD, SmallExchange, bars, do, refused, rewrite

A1, A2, B1 = (BarKey("HX", serial, 2024) for serial in ("A1", "A2", "B1"))
RIGHT = (CountResult(A1, True, 10_000, "S-1"), CountResult(A2))


async def sql(exchange: SmallExchange, statement: str) -> Any:
    return await rewrite(exchange, statement)


async def open_count(exchange: SmallExchange, extent: CountExtent = count_sessions.ALL_BARS, place: str = "XM1") -> int:
    """Open a count by ONE and OTHER; THIRD will close it."""
    proposal = await do(exchange, count_sessions.propose, THIRD, place, (ONE, OTHER), "yearly", extent)
    await exchange.approve(proposal)
    return int((await sql(exchange, "SELECT max(count_no) FROM inventory_count")).scalar_one())


async def enter(exchange: SmallExchange, number: int, by: str, *results: CountResult) -> None:
    if results:
        await do(exchange, count_results.enter, by, number, results)
    await do(exchange, count_results.sign, by, number)


async def both(exchange: SmallExchange, number: int, *results: CountResult, by: Sequence[str] = (ONE, OTHER)) -> None:
    for counter in by:
        await enter(exchange, number, counter, *results)


async def close(exchange: SmallExchange, number: int) -> list[tuple[str, int | None]]:
    outcome = await do(exchange, counting.close, THIRD, number)
    return [(found.kind, found.lot_id) for found in outcome.breaks]


async def open_kinds(exchange: SmallExchange) -> list[tuple[str, int | None]]:
    return [(one.row.kind, one.row.lot_id) for one in await do(exchange, break_listing.listing)]


async def test_a_count_that_agrees_closes_without_breaks(stocked_exchange: SmallExchange) -> None:
    number = await open_count(stocked_exchange)
    assert [row.lot_id for row in await do(stocked_exchange, count_sessions.lines, number)] == [1, 2]
    assert "has not signed" in await refused(stocked_exchange, "COUNT_UNFINISHED", counting.close, THIRD, number)
    await enter(stocked_exchange, number, ONE, *RIGHT)
    assert OTHER in await refused(stocked_exchange, "COUNT_UNFINISHED", counting.close, THIRD, number)
    await enter(
        stocked_exchange, number, OTHER, CountResult(A1, True, 10_002, "s- 1"), CountResult(A2, True, None, "S-1")
    )
    await refused(stocked_exchange, "NOTHING_TO_COUNT", counting.recount, ONE, number)
    for counter in (ONE, OTHER):
        await refused(stocked_exchange, "SAME_PERSON", counting.close, counter, number)
    assert await close(stocked_exchange, number) == []
    row = await do(stocked_exchange, count_sessions.record_of, number)
    record = json.loads(row.content)
    assert sha256(row.content.encode()).digest() == row.hash
    assert (record["counters"], record["supervisor"]) == ([ONE, OTHER], THIRD)
    assert record["names"] == {ONE: ONE, OTHER: OTHER, THIRD: THIRD}
    assert [(bar["lot"], bar["found"], bar["gross_cg"], bar["seal"]) for bar in record["bars"]] == [
        (1, True, 10_000, "S-1"),
        (2, True, None, "S-1"),
    ]
    for table in ("count_record", "count_result", "count_lot", "count_signature"):
        for change in (f"DELETE FROM {table}", f"UPDATE {table} SET count_no = 9"):
            with pytest.raises(Exception, match="append-only"):
                await sql(stocked_exchange, change)
    for act in (counting.close, counting.recount):
        await refused(stocked_exchange, "ILLEGAL_STEP", act, THIRD, number)
    await refused(stocked_exchange, "ILLEGAL_STEP", count_results.enter, ONE, number, RIGHT)
    await refused(stocked_exchange, "ILLEGAL_STEP", count_cancels.cancel, ONE, number, "too late")


async def test_the_last_count_of_each_bar_is_listed(stocked_exchange: SmallExchange) -> None:
    async def last(**more: Any) -> list[tuple[int, int | None, bool | None]]:
        rows = await do(stocked_exchange, last_counts.listing, **{"warehouse": "XM1", **more})
        return [(row.lot_id, row.count_no, row.found) for row in rows]

    assert await last() == [(1, None, None), (2, None, None)]
    number = await open_count(stocked_exchange, CountExtent(lots=(1,)))
    assert await last() == [(1, None, None), (2, None, None)], "an open count has counted nothing"
    await both(stocked_exchange, number, RIGHT[0])
    assert await close(stocked_exchange, number) == []
    assert await last() == [(1, number, True), (2, None, None)]
    today = working_days.today()
    assert await last(before=today) == [(2, None, None)]
    assert await last(before=today + timedelta(days=1)) == [(1, number, True), (2, None, None)]
    assert await last(warehouse="XM2") == [(3, None, None)]
    again = await open_count(stocked_exchange)
    await both(stocked_exchange, again, CountResult(A1, False), RIGHT[1])
    await do(stocked_exchange, counting.recount, ONE, again)
    await both(stocked_exchange, again, CountResult(A1, False))
    await close(stocked_exchange, again)
    assert await last() == [(1, again, False), (2, again, True)]


async def test_custody_is_frozen_while_a_count_is_open(stocked_exchange: SmallExchange) -> None:
    listed = bar_lists.declared(bars([{"serial": "N1"}, {"serial": "N2", "warehouse": "XM2"}]))
    new = await do(stocked_exchange, pre_advice.pre_advise, ONE, listed)
    away = await do(stocked_exchange, transfers.propose, ONE, [2], "XM2", "shortage")
    await stocked_exchange.approve(away)
    number = await open_count(stocked_exchange)
    assert "count 1 of XM1 is open" in await refused(
        stocked_exchange, "COUNT_OPEN", transfers.ship, ONE, 1, "S-9", "Carrier"
    )
    await refused(stocked_exchange, "COUNT_OPEN", intake.arrive, ONE, {new[0]: "S-N1"})
    await do(stocked_exchange, intake.arrive, ONE, {new[1]: "S-N2"})
    proposal = await do(stocked_exchange, count_sessions.propose, ONE, "XM1", (OTHER, THIRD), "again")
    await refused(stocked_exchange, "COUNT_OPEN", movements.approve, OTHER, proposal)
    await do(stocked_exchange, count_cancels.cancel, ONE, number, "fire alarm")
    await do(stocked_exchange, intake.arrive, ONE, {new[0]: "S-N1"})
    await open_count(stocked_exchange, CountExtent((1,)))
    await do(stocked_exchange, transfers.ship, ONE, 1, "S-9", "Carrier")
    for lot_id, reason in ((1, "COUNT_OPEN"), (3, None)):
        check = (counted.check, "release", {lot_id: "XM1"})
        if reason:
            await refused(stocked_exchange, reason, *check)
        else:
            await do(stocked_exchange, *check)
    await do(stocked_exchange, counted.check, "certify", {1: "XM1"})


async def test_a_count_is_opened_by_two_and_counted_by_two(stocked_exchange: SmallExchange) -> None:
    propose = count_sessions.propose
    for counters, why in (
        ((ONE,), "two different"),
        ((ONE, ONE), "two different"),
        ((ONE, "nobody"), "one of the staff"),
        ((ONE, OTHER, THIRD), "two different"),
    ):
        with pytest.raises(BadValue, match=f"counters: .*{why}"):
            await do(stocked_exchange, propose, ONE, "XM1", counters, "yearly")
    for extent, field in (
        (CountExtent((3,)), "lots"),
        (CountExtent((99,)), "lots"),
        (CountExtent((), 0), "sample"),
        (CountExtent((1,), 1), "sample"),
        (CountExtent((), None, "seed"), "seed"),
    ):
        with pytest.raises(BadValue, match=f"^{field}"):
            await do(stocked_exchange, propose, ONE, "XM1", (ONE, OTHER), "yearly", extent)
    with pytest.raises(BadValue, match="warehouse"):
        await do(stocked_exchange, propose, ONE, "XM9", (ONE, OTHER), "yearly")
    proposal = await do(stocked_exchange, propose, ONE, "XM1", (ONE, OTHER), "yearly")
    await refused(stocked_exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    await refused(stocked_exchange, "ILLEGAL_STEP", count_results.enter, ONE, 1, RIGHT)
    await do(stocked_exchange, movements.decline, OTHER, proposal)
    number = await open_count(stocked_exchange)
    await refused(stocked_exchange, "NOT_A_COUNTER", count_results.enter, THIRD, number, RIGHT)
    await refused(stocked_exchange, "NOT_A_COUNTER", count_results.sign, THIRD, number)
    with pytest.raises(BadValue, match="at least one bar"):
        await do(stocked_exchange, count_results.enter, ONE, number, [])
    with pytest.raises(BadValue, match="one on the list"):
        await do(stocked_exchange, count_results.enter, ONE, number, [CountResult(B1, False)])
    with pytest.raises(BadValue, match="without weight and seal"):
        await do(stocked_exchange, count_results.enter, ONE, number, [CountResult(A1, False, 10_000)])


async def test_what_differs_is_counted_again_and_what_stays_is_a_break(stocked_exchange: SmallExchange) -> None:
    """A1 is lighter, A2 missing, B1 of another warehouse and an unknown bar are there."""
    unknown = BarKey("HX", "Z9", 0)
    number = await open_count(stocked_exchange)
    first = (CountResult(A1, True, 9_990, "S-1"), CountResult(B1, True, 10_000), CountResult(unknown))
    await both(stocked_exchange, number, *first)
    assert "4 bars differ" in await refused(stocked_exchange, "COUNT_UNFINISHED", counting.close, THIRD, number)
    assert await do(stocked_exchange, counting.recount, ONE, number) == 4
    again = await do(stocked_exchange, count_sessions.lines, number)
    assert [(row.serial, row.lot_id) for row in again] == [("A1", 1), ("A2", 2), ("B1", None), ("Z9", None)]
    assert "has not signed" in await refused(stocked_exchange, "COUNT_UNFINISHED", counting.close, THIRD, number)
    await do(stocked_exchange, count_results.enter, ONE, number, first)
    assert "A2" in await refused(stocked_exchange, "COUNT_UNFINISHED", count_results.sign, ONE, number)
    with pytest.raises(BadValue, match="one on the list"):
        await do(stocked_exchange, count_results.enter, ONE, number, [CountResult(BarKey("HX", "Z8", 0))])
    await enter(stocked_exchange, number, ONE, CountResult(A2, False))
    await enter(stocked_exchange, number, OTHER, CountResult(A2), CountResult(A1, True, 9_990), *first[1:])
    assert "differ about" in await refused(stocked_exchange, "COUNT_UNFINISHED", counting.close, THIRD, number)
    await do(stocked_exchange, count_results.enter, OTHER, number, [CountResult(A2, False)])
    assert "has not signed" in await refused(stocked_exchange, "COUNT_UNFINISHED", counting.close, THIRD, number)
    await do(stocked_exchange, count_results.sign, OTHER, number)
    expected = [("WEIGHT_DIFF", 1), ("LOCATION_DIFF", 3), ("UNKNOWN_AT_WAREHOUSE", None), ("MISSING_AT_WAREHOUSE", 2)]
    assert await close(stocked_exchange, number) == expected
    assert await open_kinds(stocked_exchange) == expected
    listed = await do(stocked_exchange, break_listing.listing)
    assert {one.area for one in listed} == {"WAREHOUSE"}
    assert {one.row.note for one in listed if one.row.kind == "UNKNOWN_AT_WAREHOUSE"} == {""}, "a count has no lines"
    await sql(stocked_exchange, f"UPDATE recon_break SET opened_at = {opened_before(3)}")
    await refused(stocked_exchange, "VAULT_FROZEN", vault_freeze.check, "XM1")
    await do(stocked_exchange, vault_freeze.check, "XM2")


async def test_who_has_not_counted_cancels_a_count_and_a_missing_bar_stays_missing(
    stocked_exchange: SmallExchange,
) -> None:
    """A2 is missing for both, A1 lighter for one of them alone, which is no difference yet."""
    number = await open_count(stocked_exchange)
    await enter(stocked_exchange, number, ONE, CountResult(A1, True, 9_000, "S-1"))
    for counter in (ONE, OTHER):
        await refused(stocked_exchange, "SAME_PERSON", count_cancels.cancel, counter, number, "never mind")
    await enter(stocked_exchange, number, OTHER, CountResult(A1, True, 10_000, "S-1"))
    assert await do(stocked_exchange, counting.recount, ONE, number) == 2
    await refused(stocked_exchange, "SAME_PERSON", count_cancels.cancel, ONE, number, "never mind")
    found = await do(stocked_exchange, count_cancels.cancel, THIRD, number, "fire alarm")
    assert [(one.kind, one.lot_id) for one in found] == [("MISSING_AT_WAREHOUSE", 2)]
    assert await open_kinds(stocked_exchange) == [("MISSING_AT_WAREHOUSE", 2)]
    await sql(stocked_exchange, f"UPDATE recon_break SET opened_at = {opened_before(3)}")
    await refused(stocked_exchange, "VAULT_FROZEN", vault_freeze.check, "XM1")


async def test_a_bar_found_in_the_second_round_is_not_missing_when_the_count_is_cancelled(
    stocked_exchange: SmallExchange,
) -> None:
    number = await open_count(stocked_exchange)
    await both(stocked_exchange, number, CountResult(A1, True, 10_000, "S-1"))
    assert await do(stocked_exchange, counting.recount, ONE, number) == 1
    await both(stocked_exchange, number, CountResult(A2, True, 10_000))
    assert await do(stocked_exchange, count_cancels.cancel, THIRD, number, "fire alarm") == ()
    assert await open_kinds(stocked_exchange) == []


async def test_a_partial_count_ends_breaks_of_its_own_lots_alone(stocked_exchange: SmallExchange) -> None:
    number = await open_count(stocked_exchange)
    await both(stocked_exchange, number)
    await do(stocked_exchange, counting.recount, ONE, number)
    await both(stocked_exchange, number, CountResult(A1, False), CountResult(A2, False))
    assert await close(stocked_exchange, number) == [("MISSING_AT_WAREHOUSE", 1), ("MISSING_AT_WAREHOUSE", 2)]
    number = await open_count(stocked_exchange, CountExtent((2,)))
    with pytest.raises(BadValue, match="one on the list"):
        await do(stocked_exchange, count_results.enter, ONE, number, [CountResult(A1)])
    await both(stocked_exchange, number, CountResult(A2, True, 10_000, "S-1"))
    assert await close(stocked_exchange, number) == []
    assert await open_kinds(stocked_exchange) == [("MISSING_AT_WAREHOUSE", 1)]
    number = await open_count(stocked_exchange)
    await both(stocked_exchange, number, *RIGHT)
    assert await close(stocked_exchange, number) == []
    assert await open_kinds(stocked_exchange) == []


async def test_the_scope_of_a_count_is_its_own(stocked_exchange: SmallExchange) -> None:
    """A count ends no break of a statement, and a count of one warehouse none of another one."""
    other = breaks.Break("MISSING_AT_WAREHOUSE", "XM1 HX A1 2024", "AU", 1, 0, "gross_mg", "", 1)
    for scope in ("statement:XM1", "count:XM2"):
        await do(stocked_exchange, breaks.record_run, ONE, scope, 1, [other])
    number = await open_count(stocked_exchange)
    await both(stocked_exchange, number, *RIGHT)
    await close(stocked_exchange, number)
    assert len(await open_kinds(stocked_exchange)) == 2


def test_a_seed_draws_the_same_sample_and_every_lot_as_often() -> None:
    lots = range(1, 101)
    chosen = count_sessions.drawn("2026-11-29", lots, 10)
    assert chosen == count_sessions.drawn("2026-11-29", reversed(lots), 10) == sorted(chosen)
    assert len(set(chosen)) == 10
    assert count_sessions.drawn("other", lots, 10) != chosen
    assert count_sessions.drawn("all", lots, 1_000) == list(lots)
    order = sorted(lots, key=lambda number: sha256(f"2026-11-29:{number}".encode()).hexdigest())
    assert chosen == sorted(order[:10])
    often = dict.fromkeys(lots, 0)
    for seed in range(2_000):
        for number in count_sessions.drawn(str(seed), lots, 10):
            often[number] += 1
    assert min(often.values()) > 130
    assert max(often.values()) < 270


async def test_a_sample_has_its_size_and_prints_its_seed(stocked_exchange: SmallExchange) -> None:
    number = await open_count(stocked_exchange, CountExtent((), 1, "2026-11-29"))
    (line,) = await do(stocked_exchange, count_sessions.lines, number)
    assert line.lot_id == count_sessions.drawn("2026-11-29", [1, 2], 1)[0]
    await both(stocked_exchange, number, CountResult(BarKey(line.refiner, line.serial, line.year)))
    await close(stocked_exchange, number)
    assert json.loads((await do(stocked_exchange, count_sessions.record_of, number)).content)["seed"] == "2026-11-29"
    drawn = await open_count(stocked_exchange, CountExtent((), 5))
    assert len((await do(stocked_exchange, count_sessions.find, drawn)).seed) == 16
    assert len(await do(stocked_exchange, count_sessions.lines, drawn)) == 2


def model_kind(real: tuple[bool, int, str] | None) -> str | None:
    """Return the kind of the break that a bar's true state should make, the obvious way; 100.00 g under seal S-1."""
    if real is None:
        return "MISSING_AT_WAREHOUSE"
    _, gross, seal = real
    if abs(gross - 10_000) > 2:
        return "WEIGHT_DIFF"
    return None if seal == "S-1" else "SEAL_DIFF"


async def test_generated_vaults_are_counted_as_they_are(stocked_exchange: SmallExchange) -> None:
    """Whatever lies there, and whichever mistakes one counter makes in the first round, the second finds it."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    await stocked_exchange.register([{"serial": f"C{number}"} for number in range(6)])
    keys = [A1, A2, *(BarKey("HX", f"C{number}", 2024) for number in range(6))]

    def entry(key: BarKey, real: tuple[bool, int, str] | None) -> CountResult:
        return CountResult(key, False) if real is None else CountResult(key, True, real[1], real[2])

    for _ in range(4):
        truth = {
            key: chance.choice(
                [None, (True, 10_000, "S-1"), (True, 10_001, "S-1"), (True, 9_950, "S-1"), (True, 10_000, "S-2")]
            )
            for key in keys
        }
        number = await open_count(stocked_exchange)
        careful, careless = chance.choice([(ONE, OTHER), (OTHER, ONE)])
        await enter(stocked_exchange, number, careful, *(entry(key, truth[key]) for key in keys))
        wrong = [entry(key, truth[key] if chance.random() < 0.6 else (True, 9_000, "S-9")) for key in keys]
        await enter(stocked_exchange, number, careless, *wrong)
        if any(map(model_kind, truth.values())) or any(one.gross_cg == 9_000 for one in wrong):
            await do(stocked_exchange, counting.recount, THIRD, number)
            again = [
                BarKey(row.refiner, row.serial, row.year)
                for row in await do(stocked_exchange, count_sessions.lines, number)
            ]
            for by in (ONE, OTHER):
                await enter(stocked_exchange, number, by, *(entry(key, truth[key]) for key in again))
        outcome = await do(stocked_exchange, counting.close, THIRD, number)
        kinds = sorted(found.kind for found in outcome.breaks if found.kind != "WEIGHT_DRIFT")
        assert kinds == sorted(filter(None, map(model_kind, truth.values())))
        assert outcome.found == sum(real is not None for real in truth.values())


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (None, None, False),
        (CountResult(A1), None, True),
        (CountResult(A1, False), None, False),
        (CountResult(A1), CountResult(A1, False), True),
        (CountResult(A1, True, 10_000), CountResult(A1), False),
        (CountResult(A1, True, 10_000), CountResult(A1, True, 10_002), False),
        (CountResult(A1, True, 10_000), CountResult(A1, True, 10_003), True),
        (CountResult(A1, True, None, "S-1"), CountResult(A1, True, None, "s1"), True),
        (CountResult(A1, True, None, "S-1"), CountResult(A1, True, None, "s- 1"), False),
    ],
)
def test_two_counters_differ(one: CountResult | None, other: CountResult | None, expected: bool) -> None:
    assert count_results.differ(one, other) is expected
    assert count_results.differ(other, one) is expected
