"""A trading day is a range of events, and what accounts had at its end does not depend on when one looks."""

from collections import defaultdict
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

import pytest
from sqlalchemy import select

from goldx.protocol import terms
from goldx.protocol.commands import InstrumentDefine, MarketEndDay, MarketSetPhase, OrderPlace
from goldx.protocol.units import CASH, BadValue
from settlement.base import working_days
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing.day import Day
from settlement.tables.closing import phase_change
from settlement.tables.ledger import posting
from tests.settlement.small_exchange import ONE, SmallExchange, begin_day, do

MONDAY, TUESDAY, WEDNESDAY = date(2099, 11, 30), date(2099, 12, 1), date(2099, 12, 2)


class Row(NamedTuple):
    sequence: int
    day: date
    begun_at: int
    kept: bool = True


def test_a_day_ends_with_the_event_that_ends_it() -> None:
    evening = 1_796_040_000_000  # 2026-11-30, 20:00 in Shanghai
    rows = [
        Row(10, date(2026, 12, 1), evening),
        Row(25, date(2026, 12, 2), evening),
        Row(31, date(2026, 12, 4), evening),
    ]
    assert days.ranges(rows) == [  # type: ignore[arg-type]
        Day(date(2026, 11, 30), 1, 10),
        Day(date(2026, 12, 1), 11, 25),
        Day(date(2026, 12, 2), 26, 31),
    ]
    morning = [Row(10, date(2026, 11, 30), evening)]
    assert days.ranges(morning) == [Day(date(2026, 11, 29), 1, 10)], "a date names one day only"  # type: ignore[arg-type]
    twice = [*rows[:2], Row(30, date(2026, 12, 1), evening), Row(40, date(2026, 12, 3), evening)]
    assert days.ranges(twice)[-1] == Day(date(2026, 12, 2), 26, 40), "a date that comes again begins no day"  # type: ignore[arg-type]
    older = [Row(10, date(2026, 12, 1), evening, kept=False), *rows[1:]]
    assert days.ranges(older)[0] == Day(date(2026, 12, 1), 11, 25), "what was not kept cannot be closed"  # type: ignore[arg-type]


async def test_days_that_are_over_are_found_by_their_date(exchange: SmallExchange) -> None:
    with pytest.raises(BadValue, match="that the engine has ended; none is"):
        await do(exchange, days.find, TUESDAY)
    await begin_day(exchange, str(TUESDAY))
    await begin_day(exchange, str(WEDNESDAY))
    first, second = await do(exchange, days.over)
    assert (first.first, second.day, second.first) == (1, TUESDAY, first.last + 1)
    assert await do(exchange, days.find, TUESDAY) == second
    with pytest.raises(BadValue, match="the newest one is 2099-12-01"):
        await do(exchange, days.find, WEDNESDAY)


async def test_orders_that_expire_with_the_day_freeze_nothing_at_its_end(exchange: SmallExchange) -> None:
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.engine_runner.order("B.H", terms.BUY, 60_000, 20)
    order = OrderPlace("B.H", "day", "AU", terms.BUY, terms.LIMIT, 20_000, 59_000, terms.DAY)
    ahead = next(number for number in (1, 2, 3) if (working_days.today() + timedelta(days=number)).weekday() < 5)
    end = MarketEndDay(str(working_days.today() + timedelta(days=ahead)), rules=terms.END_OF_DAY_RULES)
    await exchange.engine_runner.run(order, MarketSetPhase("AU", terms.CLOSED), end)
    await exchange.post()
    (day,) = await do(exchange, days.over)
    (held,) = [found for found in await do(exchange, days.holdings_at, day) if found.account == "B.H"]
    assert (held.total, held.reserved) == (100_000_000, 60_000 * 20 + 120), "the order that stays, with its fee"


async def test_what_there_was_at_an_end_stays_readable(exchange: SmallExchange) -> None:
    """One batch of events with two ends in it, and postings before, between and after them."""
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}])
    runner = exchange.engine_runner
    await runner.trade("B.H", "A.H", 60_000, 20)
    await runner.run(MarketSetPhase("AU", terms.CLOSED), MarketEndDay(str(TUESDAY)))
    await runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await runner.trade("B.H", "A.H", 61_000, 30)
    await runner.run(MarketSetPhase("AU", terms.CLOSED), InstrumentDefine("AG"), MarketEndDay(str(WEDNESDAY)))
    await runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await runner.trade("B.H", "A.H", 62_000, 10)
    await exchange.post()
    first, second = await do(exchange, days.over)

    held = [
        {(h.account, h.asset): h.total for h in await do(exchange, days.holdings_at, day)} for day in (first, second)
    ]
    assert [h["B.H", "AU"] for h in held] == [20_000, 50_000]
    assert held[0]["B.H", CASH] == 100_000_000 - 20 * 60_000 - 120
    assert await do(exchange, days.prices_at, first) == [("AU", 60_000, 60_000)]
    assert await do(exchange, days.prices_at, second) == [("AG", None, None), ("AU", 60_000, 61_000)]
    async with exchange.engine.connect() as connection:
        changes = [
            tuple(row)[2:5] for row in await connection.execute(select(phase_change).order_by(phase_change.c.sequence))
        ]
    assert changes == [("AU", 3, 0), *[("AU", 0, 3), ("AU", 3, 0)] * 2]


async def test_balances_at_an_event_are_the_sums_of_all_postings_up_to_it(exchange: SmallExchange) -> None:
    """Against a slow model, before and after balances are kept at any of the ends."""
    random = Random(20)
    await exchange.pay_in("B.H", 500_000_000, "bank-1")
    await exchange.issue([{"serial": f"A{n}"} for n in range(5)])
    for number in range(1, 5):
        for _ in range(random.randrange(4)):
            await exchange.trade("B.H", "A.H", random.randrange(59_000, 61_000), random.randrange(1, 20))
        await begin_day(exchange, f"2099-12-0{number}")
        await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await exchange.trade("A.H", "B.H", 60_000, 1)
    async with exchange.engine.connect() as connection:
        lines = list(await connection.execute(select(posting)))
    over = await do(exchange, days.over)

    def model(sequence: int) -> dict[int, int]:
        sums: defaultdict[int, int] = defaultdict(int)
        for line in lines:
            if line.sequence <= sequence:
                sums[line.account_id] += line.amount
        return dict(sums)

    async def check() -> None:
        for sequence in [0, *sorted({line.sequence for line in lines}), *(day.last for day in over)]:
            found = await do(exchange, days.balances_at, sequence)
            assert {balance.account_id: balance.balance for balance in found} == model(sequence), sequence
            assert [(b.kind, b.name, b.asset) for b in found] == sorted((b.kind, b.name, b.asset) for b in found)
        for day in over:
            again = await do(exchange, days.balances_at, day.last, before=day.first)
            assert again == await do(exchange, days.balances_at, day.last)
            one = await do(exchange, days.balances_at, day.last, name="B.H")
            assert one == [balance for balance in again if balance.name == "B.H"]
            held = {(h.account, h.asset): h.total for h in await do(exchange, days.holdings_at, day)}
            assert {(b.name, b.asset): b.balance for b in again if b.kind == "member"} == {
                key: total for key, total in held.items() if total or key in {(b.name, b.asset) for b in again}
            }

    await check()
    for day in over:
        await do(exchange, closing._open, ONE, day)
        await do(exchange, days.keep_balances, day, await do(exchange, days.balances_at, day.last, before=day.first))
        await check()
