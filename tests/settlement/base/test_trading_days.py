"""Trading days come from the engine's events; midnight ends none."""

from datetime import date

from settlement.base import trading_days, working_days
from tests.settlement.small_exchange import SmallExchange, begin_day, do

HOUR = 3_600_000


async def test_a_time_belongs_to_the_trading_day_that_had_begun(exchange: SmallExchange) -> None:
    now = working_days.midnight(working_days.today())
    assert await do(exchange, trading_days.present) == working_days.today()
    assert await do(exchange, trading_days.at, now) == working_days.today()
    first = await begin_day(exchange, "2099-12-01")
    second = await begin_day(exchange, "2099-12-02")
    assert await do(exchange, trading_days.present) == date(2099, 12, 2)
    assert await do(exchange, trading_days.at, second) == date(2099, 12, 2)
    assert await do(exchange, trading_days.at, second + 30 * HOUR) == date(2099, 12, 2), "midnight ends no trading day"
    if second > first:
        assert await do(exchange, trading_days.at, second - 1) == date(2099, 12, 1)
    assert await do(exchange, trading_days.at, first - 1) == working_days.day_of(first - 1)
