"""Benchmarks by form: the average of all that was traded in the classes of a form, or that of the day before."""

import asyncio
import json
from collections import defaultdict
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import select, text

from goldx.protocol.commands import HoldingAdjust, MarketSetPhase, OrderCancel, OrderPlace, TradeBust
from goldx.protocol.deal_commands import DealAccept, DealPropose
from goldx.protocol.events import Trade, TradeBusted
from goldx.protocol.rfq_commands import RfqAccept, RfqCreate, RfqQuote
from goldx.protocol.terms import AUCTION, BUY, CONTINUOUS, LIMIT, SELL, SHORTEST_RFQ_GRACE_MS, TRADE_KINDS
from settlement.closing import bulletin, bulletin_paper, day_report, records
from settlement.closing import day as days
from settlement.closing.paper import LANGUAGES
from settlement.closing.words import word
from settlement.tables.closing import day_benchmark
from tests.matching.core.trade_terms import terms_of
from tests.settlement.closing.days import DAYS, end_day
from tests.settlement.commands import goldx
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange, do

FAR = 1 << 45
FORMS = {"AU": "NONAPPROVED_BAR", "BAR2": "NONAPPROVED_BAR", "DORE1": "DORE"}
MINIMUM_MG = 1_000_000


async def opened(exchange: SmallExchange) -> None:
    """Two classes of bars and one of doré, in which A.H has gold and B.H money."""
    await exchange.engine_runner.define("BAR2")
    await exchange.engine_runner.define("DORE1", "DORE")
    await exchange.pay_in("B.H", 90_000_000_000, "bank-1")
    gold = (HoldingAdjust("A.H", symbol, 90_000_000, f"gold-{symbol}") for symbol in FORMS)
    await exchange.engine_runner.run(*gold)
    await exchange.post()


async def cross(exchange: SmallExchange, symbol: str, price: int, grams: int) -> None:
    """Let A.H sell to B.H by two orders."""
    sides = (("A.H", SELL), ("B.H", BUY))
    orders = [
        OrderPlace(account, f"{symbol}-{price}-{grams}-{side}", symbol, side, LIMIT, grams * 1_000, price)
        for account, side in sides
    ]
    await exchange.engine_runner.run(*orders)


async def all_kinds(exchange: SmallExchange) -> None:
    """Trade in every way and class; one trade is annulled."""
    runner = exchange.engine_runner
    await cross(exchange, "AU", 60_000, 333)
    await cross(exchange, "BAR2", 59_117, 701)
    await cross(exchange, "BAR2", 90_000, 50)
    await runner.run(MarketSetPhase("AU", AUCTION))
    await cross(exchange, "AU", 61_003, 77)
    await runner.run(MarketSetPhase("AU", CONTINUOUS))
    await runner.run(DealPropose("B.H", "d1", "A.H", "AU", BUY, 10_000, 66_000, FAR), DealAccept("A.H", 1))
    await runner.run(RfqCreate("A.H", "r1", "DORE1", SELL, 5_000, FAR, SHORTEST_RFQ_GRACE_MS))
    await runner.run(RfqQuote("B.H", 1, 65_000, 5_000))
    (request,) = runner.engine.state.requests.values()
    while runner.engine.state.now < request.grace_until:
        await asyncio.sleep(0.1)
        await runner.run(OrderCancel("-"))
    await runner.run(RfqAccept("A.H", 1, 65_000))
    (wrong,) = [event for event in await events(exchange, Trade) if event.price == 90_000]
    given = terms_of(wrong, runner.engine.state.trading_day)
    await runner.run(*(TradeBust(wrong.trade_id, "a price that was mistyped", by, given) for by in ("ada", "ben")))
    await exchange.post()


async def cross_and_close(exchange: SmallExchange) -> None:
    await opened(exchange)
    await cross(exchange, "AU", 60_000, 1_000)
    await end_day(exchange, DAYS[0])


async def events(exchange: SmallExchange, kind: type[Any]) -> list[Any]:
    """Return all events of a kind that the engine has published."""
    frames = await exchange.engine_runner.events.read(0)
    return [event for frame in frames for outcome in frame.outcomes for event in outcome if isinstance(event, kind)]


async def model(exchange: SmallExchange) -> dict[str, tuple[int, dict[tuple[str, str], tuple[int, int, int]]]]:
    """Return by form the average price of the trades that stand, and their number, mg and fen by class and kind."""
    annulled = {event.trade_id for event in await events(exchange, TradeBusted)}
    by_form: dict[str, list[Trade]] = defaultdict(list)
    for event in await events(exchange, Trade):
        if event.trade_id not in annulled:
            by_form[FORMS[event.symbol]].append(event)
    found = {}
    for form, trades in by_form.items():
        parts: dict[tuple[str, str], tuple[int, int, int]] = {}
        for event in trades:
            kind = event.kind if event.kind is not None else 1 if event.taker_side is None else 0
            place = (event.symbol, TRADE_KINDS[kind])
            count, quantity, amount = parts.get(place, (0, 0, 0))
            parts[place] = (count + 1, quantity + event.quantity, amount + event.amount)
        average = Fraction(1_000 * sum(event.amount for event in trades), sum(event.quantity for event in trades))
        found[form] = (int(average + Fraction(1, 2)), parts)
    return found


@pytest.mark.prepared(by=opened)
async def test_it_is_the_average_of_all_that_was_traded_in_a_form_without_what_was_annulled(
    exchange: SmallExchange,
) -> None:
    await end_day(exchange, DAYS[0])
    await all_kinds(exchange)
    await end_day(exchange, DAYS[1])
    expected = await model(exchange)
    async with exchange.engine.connect() as connection:
        first, second = await days.over(connection)
        rows = (await connection.execute(select(day_benchmark).where(day_benchmark.c.day == second.day))).all()
        quiet = (await connection.execute(select(day_benchmark).where(day_benchmark.c.day == first.day))).all()
        again = await records.recompute(connection, second.day)
        report = await day_report.of_day(connection, second.day)
    assert all(one.same for one in again)
    assert {(row.price, row.method, row.trades) for row in quiet} == {(None, "NONE", 0)}
    dore, bars = sorted(rows, key=lambda row: str(row.form))
    price, parts = expected["NONAPPROVED_BAR"]
    assert (bars.form, bars.price, bars.method, bars.trades) == ("NONAPPROVED_BAR", price, "AVERAGE", 4)
    assert price == 59_570, "(333 x 600.00 + 701 x 591.17 + 77 x 610.03 + 10 x 660.00) / 1,121 g"
    kept = {(one["symbol"], one["kind"]): one for one in bars.inputs["traded"]}
    assert {place: (one["trades"], one["quantity_mg"], one["amount_fen"]) for place, one in kept.items()} == parts
    assert kept.keys() == {("AU", "book"), ("AU", "auction"), ("AU", "deal"), ("BAR2", "book")}
    assert (dore.form, dore.price, dore.method, dore.trades) == ("DORE", None, "NONE", 1), "5 g make no benchmark"
    assert dore.inputs["minimum_mg"] == MINIMUM_MG
    assert [one["kind"] for one in dore.inputs["traded"]] == ["rfq"]
    assert [one["price_cny"] for one in report["benchmarks"]] == [None, "595.70"]

    found = await do(exchange, bulletin.find, second.day)
    assert [(one["form"], one["price"]) for one in found.content["benchmarks"]] == [
        ("DORE", None),
        ("NONAPPROVED_BAR", 59_570),
    ]
    for language in LANGUAGES:
        lines = bulletin_paper.write(found, "csv", language, "benchmarks").decode("utf-8-sig").splitlines()
        assert len(lines) == 3
        assert lines[2].startswith(f"{word(language, 'form.NONAPPROVED_BAR')},595.70,")
        assert bulletin_paper.write(found, "pdf", language).startswith(b"%PDF")


@pytest.mark.prepared(by=opened)
async def test_where_too_little_was_traded_that_of_the_day_before_stays(exchange: SmallExchange) -> None:
    for number, grams in enumerate((1_000, 999, 2_000)):
        await cross(exchange, "AU", 60_000 + number, grams)
        await end_day(exchange, DAYS[number])
    await end_day(exchange, DAYS[3])
    async with exchange.engine.connect() as connection:
        query = select(day_benchmark).where(day_benchmark.c.form == "NONAPPROVED_BAR").order_by(day_benchmark.c.day)
        rows = (await connection.execute(query)).all()
        for row in rows:
            again = await records.recompute(connection, row.day)
            assert all(one.same for one in again), "later benchmarks are none of its business"
    assert [(row.price, row.method, row.inputs["previous_fen_per_g"]) for row in rows] == [
        (60_000, "AVERAGE", None),
        (60_000, "PREVIOUS", 60_000),
        (60_002, "AVERAGE", 60_000),
        (60_002, "PREVIOUS", 60_002),
    ]


@pytest.mark.prepared(by=cross_and_close)
async def test_a_day_keeps_its_benchmarks_though_a_class_gets_another_form(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        await connection.execute(text("UPDATE instrument SET form = 'GRAIN'"))
    (day,) = await do(exchange, days.over)
    assert all(one.same for one in await do(exchange, records.recompute, day.day))
    with pytest.raises(Exception, match="append-only"):
        await do(exchange, _delete)


async def _delete(connection: Any) -> None:
    await connection.execute(text("DELETE FROM day_benchmark"))


@pytest.mark.usefixtures("configured_database")
@pytest.mark.prepared(by=cross_and_close)
async def test_anybody_reads_them_and_staff_lists_them(exchange: SmallExchange, rest: Rest) -> None:
    await end_day(exchange, DAYS[1])
    first = await rest.anybody("GET", "/v1/benchmarks?form=NONAPPROVED_BAR&limit=1")
    (row,) = first["benchmarks"]
    assert (row["price"], row["method"], row["quantity"], row["amount"]) == (
        "600.00",
        "AVERAGE",
        "1000",
        "600000.00",
    )
    assert row["inputs"]["traded"] == [
        {"symbol": "AU", "kind": "book", "trades": 1, "quantity_mg": 1_000_000, "amount_fen": 60_000_000}
    ]
    (later,) = (await rest.anybody("GET", f"/v1/benchmarks?form=NONAPPROVED_BAR&after={first['next']}"))["benchmarks"]
    assert later["method"] == "PREVIOUS"
    for wrong in ("2026-13-01,DORE", "x,DORE", "DORE", "2026-11-30"):
        await rest.anybody("GET", f"/v1/benchmarks?after={wrong}", 422)
    of_day = (await rest.anybody("GET", f"/v1/benchmarks?since={later['day']}&until={later['day']}"))["benchmarks"]
    assert {(one["day"], one["form"]) for one in of_day} == {(later["day"], form) for form in FORMS.values()}
    for wrong in ("form=GOLD", "since=x", "until=2026-13-01"):
        await rest.anybody("GET", f"/v1/benchmarks?{wrong}", 422)
    said = await goldx("day", "--as", ONE, "benchmarks", "--form", "DORE", "--until", "2099-01-01", "--json")
    shown = [json.loads(line) for line in said.output.splitlines() if line.startswith("{")]
    assert [(one["form"], one["price_cny"], one["minimum_g"]) for one in shown] == [("DORE", None, "1000")] * 2
