"""The close accrues every calendar day once, each on what was held at the end of the trading day that it belongs to."""

from datetime import timedelta

from sqlalchemy import func, select

from goldx.protocol import terms
from goldx.protocol.commands import MarketSetPhase
from settlement.base import working_days
from settlement.charges import accruals
from settlement.closing import day as days
from settlement.closing import records
from settlement.tables.charges import accrual_day, fee_accrual
from tests.settlement.closing.days import FIRST, SECOND, TODAY, close
from tests.settlement.small_exchange import SmallExchange, begin_day, do

BEGIN = TODAY - timedelta(days=10)
DAYS = [str(BEGIN + timedelta(days=number)) for number in range(7)]


async def test_days_without_trading_cost_what_was_held_before_them(exchange: SmallExchange) -> None:
    """The trading days are one, the two days after it, and the fifth: two days of no trading before it."""
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    for number, quantity in ((1, 20), (2, 0), (5, 10), (6, 40)):
        await begin_day(exchange, DAYS[number])
        await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
        if quantity:
            await exchange.trade("B.H", "A.H", 60_000, quantity)
    begin, first, second, *between, third = DAYS[:6]
    assert await close(exchange) == [begin, first, second, third]
    columns = fee_accrual.c
    async with exchange.engine.connect() as connection:
        accrued = list((await connection.execute(select(accrual_day.c.day).order_by(accrual_day.c.day))).scalars())
        rows = await connection.execute(
            select(columns.day, columns.account, columns.kind, func.sum(columns.quantity)).group_by(
                columns.day, columns.account, columns.kind
            )
        )
        found = {(str(row[0]), row[1], row[2]): int(row[3]) for row in rows}
    assert accrued == [BEGIN + timedelta(days=number) for number in range(6)]
    bought = [found.get((day, "B.H", "STORAGE_BOUGHT")) for day in (begin, first, second, *between, third)]
    assert bought == [None, 20_000, 20_000, 20_000, 20_000, 30_000]
    own = [found[day, "A.H", "STORAGE_OWN"] for day in (begin, first, second, *between, third)]
    assert own == [199_800, 179_800, 179_800, 179_800, 179_800, 169_800]
    sold = {day: mg for (day, _, kind), mg in found.items() if kind == "FREIGHT_INSURANCE"}
    assert sold == {first: 20_000, third: 10_000}
    assert await do(exchange, accruals.catch_up) == 0, "the close accrues, the clock does not"
    for day in await do(exchange, days.over):
        assert all(one.same for one in await do(exchange, records.recompute, day.day))


async def test_a_calendar_day_that_has_not_begun_is_not_accrued(three_days_over: SmallExchange) -> None:
    """The trading days end today, and two of them have dates after today."""
    exchange = three_days_over
    assert (await close(exchange))[1:] == [FIRST, SECOND]
    columns = fee_accrual.c
    async with exchange.engine.connect() as connection:
        accrued = list((await connection.execute(select(accrual_day.c.day))).scalars())
        sold = list((await connection.execute(select(columns.day).where(columns.subject == accruals.SOLD))).scalars())
    begun = working_days.today()  # not TODAY, if midnight has come since the tests were collected
    assert TODAY in accrued
    assert max([*accrued, *sold]) <= begun, "it is charged with the next calendar day"


async def test_fees_that_are_accrued_for_an_old_day_change_no_closed_day(exchange: SmallExchange) -> None:
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    await exchange.trade("B.H", "A.H", 60_000, 20)
    await begin_day(exchange, DAYS[1])
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await close(exchange)
    await exchange.trade("B.H", "A.H", 60_000, 20)
    assert await do(exchange, accruals.accrue, BEGIN - timedelta(days=9)) > 0
    (day,) = await do(exchange, days.over)
    assert all(one.same for one in await do(exchange, records.recompute, day.day))
