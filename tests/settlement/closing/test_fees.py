"""The close accrues every calendar day once, each on what was held at the end of the trading day that it belongs to."""

from datetime import timedelta

from sqlalchemy import func, select

from goldx.protocol import terms
from goldx.protocol.commands import MarketSetPhase
from settlement.charges import accruals
from settlement.closing import day as days
from settlement.closing import records
from settlement.tables.charges import accrual_day, fee_accrual
from tests.settlement.closing.days import FIRST, SECOND, THIRD, TODAY, close
from tests.settlement.small_exchange import SmallExchange, begin_day, do


async def test_days_without_trading_cost_what_was_held_before_them(three_days_closed: SmallExchange) -> None:
    """The trading days are today, the next two days, and the fifth from today: two days of no trading before it."""
    exchange = three_days_closed
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await exchange.trade("B.H", "A.H", 60_000, 10)
    await begin_day(exchange, str(TODAY + timedelta(days=6)))
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await exchange.trade("B.H", "A.H", 60_000, 40)
    assert await close(exchange) == [THIRD]
    between = [str(TODAY + timedelta(days=number)) for number in (3, 4)]
    columns = fee_accrual.c
    async with exchange.engine.connect() as connection:
        accrued = list((await connection.execute(select(accrual_day.c.day).order_by(accrual_day.c.day))).scalars())
        rows = await connection.execute(
            select(columns.day, columns.account, columns.kind, func.sum(columns.quantity)).group_by(
                columns.day, columns.account, columns.kind
            )
        )
        found = {(str(row[0]), row[1], row[2]): int(row[3]) for row in rows}
    assert accrued == [TODAY + timedelta(days=number) for number in range(6)]
    bought = [found.get((day, "B.H", "STORAGE_BOUGHT")) for day in (str(TODAY), FIRST, SECOND, *between, THIRD)]
    assert bought == [None, 20_000, 20_000, 20_000, 20_000, 30_000]
    own = [found[day, "A.H", "STORAGE_OWN"] for day in (str(TODAY), FIRST, SECOND, *between, THIRD)]
    assert own == [199_800, 179_800, 179_800, 179_800, 179_800, 169_800]
    sold = {day: mg for (day, _, kind), mg in found.items() if kind == "FREIGHT_INSURANCE"}
    assert sold == {FIRST: 20_000, THIRD: 10_000}
    assert await do(exchange, accruals.catch_up) == 0, "the close accrues, the clock does not"
    for day in await do(exchange, days.over):
        assert all(one.same for one in await do(exchange, records.recompute, day.day))
