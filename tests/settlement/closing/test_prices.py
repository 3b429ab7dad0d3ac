"""Closing and settlement prices: of the closing auction, of the last minutes, of the last trade."""

from sqlalchemy import select

from goldx.protocol import terms
from goldx.protocol.commands import MarketSetPhase
from settlement.tables.closing import day_price
from settlement.tables.ledger import trade
from tests.settlement.closing.days import DAYS, close
from tests.settlement.small_exchange import SmallExchange, begin_day


async def phase(exchange: SmallExchange, *phases: int) -> None:
    await exchange.engine_runner.run(*(MarketSetPhase("AU", number) for number in phases))


async def cross(exchange: SmallExchange, price: int, grams: int) -> None:
    """Enter two orders that cross, which an auction uncrosses."""
    await exchange.engine_runner.order("A.H", terms.SELL, price, grams)
    await exchange.engine_runner.order("B.H", terms.BUY, price, grams)


async def test_the_closing_price_is_that_of_the_auction_else_of_the_window_else_the_last(
    exchange: SmallExchange,
) -> None:
    await exchange.pay_in("B.H", 10_000_000_000, "bank-1")
    await exchange.issue([{"serial": "A", "gross_g": "3000.00", "weighed_g": "3000.00"}])
    await begin_day(exchange, DAYS[0])

    await phase(exchange, terms.CONTINUOUS)
    await exchange.trade("B.H", "A.H", 60_000, 30)
    await phase(exchange, terms.AUCTION)
    await cross(exchange, 61_002, 10)
    await begin_day(exchange, DAYS[1])

    await phase(exchange, terms.AUCTION)
    await cross(exchange, 60_500, 5)
    await phase(exchange, terms.CONTINUOUS)
    await begin_day(exchange, DAYS[2])

    await phase(exchange, terms.CONTINUOUS)
    await exchange.trade("B.H", "A.H", 60_000, 600)
    await exchange.trade("B.H", "A.H", 60_101, 400)
    await phase(exchange, terms.AUCTION)
    await begin_day(exchange, DAYS[3])

    await phase(exchange, terms.CONTINUOUS)
    await exchange.trade("B.H", "A.H", 60_300, 900)
    await begin_day(exchange, DAYS[4])
    await close(exchange)
    async with exchange.engine.connect() as connection:
        found = {str(row.day): row for row in await connection.execute(select(day_price))}
        trades = (await connection.execute(select(trade).order_by(trade.c.sequence))).all()
    shown = [
        (row.closing_price, row.closing_method, row.settlement_price, row.settlement_method)
        for row in (found[day] for day in DAYS[:4])
    ]
    assert shown == [
        (61_002, "AUCTION", (30 * 60_000 + 10 * 61_002 + 20) // 40, "AVERAGE"),
        (60_500, "LAST", 60_500, "AVERAGE"),
        (60_040, "WINDOW", 60_040, "AVERAGE"),
        (60_300, "LAST", 60_300, "AVERAGE"),
    ], "an opening auction makes no closing price, an auction without a trade leaves the window, and 900 g are too few"
    inputs = found[DAYS[2]].inputs
    assert inputs["window"]["quantity_mg"] == inputs["minimum_mg"] == 1_000_000
    assert inputs["window"]["amount_fen"] == sum(row.amount for row in trades[-3:-1])
    assert inputs["previous"] == {"closing_price": 60_500, "settlement_price": 60_500}
