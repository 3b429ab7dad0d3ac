"""A simulated year closes every day without a break, and any day gives the same bytes again.

``pytest -n 0 -m slow tests/settlement/year --days 250 --trades 2000 --seed S`` runs the year and prints a line a day; a
short one is in the suite.
"""

import faulthandler
import secrets
from random import Random

import pytest

from settlement.base import audit
from settlement.ledger import chain, own_stock
from tests.settlement.small_exchange import SmallExchange, find_breaks
from tests.settlement.year.year import Closed, Year, summary

DAYS, TRADES = 4, 60


async def live(exchange: SmallExchange, seed: int, days: int, trades: int, again_every: int) -> list[Closed]:
    """Let days pass; compute some of those that were closed again, and prove the chains at the end."""
    year = Year(exchange, seed, trades)
    await year.open()
    dice = Random(seed)
    closed: list[Closed] = []
    async for one in year.run(days):
        closed.append(one)
        when = "night, day" if one.night else "day"
        print(
            f"{one.day} {when}: {one.trades} trades in {one.lived_s:.1f} s, closed in {one.close_s:.1f} s", flush=True
        )
        if len(closed) % again_every == 0:
            old = dice.choice(closed).day
            assert await year.recomputed(old), old
    assert await find_breaks(exchange) == ()
    async with exchange.engine.connect() as connection:
        await audit.verify(connection)
        await chain.verify(connection)
        assert await own_stock.differences(connection) == []
    print(f"seed {seed}: {summary(closed, year.done)}", flush=True)
    return closed


async def test_a_few_days_close_and_are_the_same_again(exchange: SmallExchange) -> None:
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    closed = await live(exchange, seed, DAYS, TRADES, 2)
    assert len(closed) == DAYS
    assert all(one.trades >= TRADES // 2 for one in closed)


@pytest.mark.slow
@pytest.mark.timeout(0)
async def test_a_year_closes_every_day(
    exchange: SmallExchange, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    faulthandler.cancel_dump_traceback_later()
    given = pytestconfig.option.seed
    seed = secrets.randbelow(2**32) if given is None else given
    with capsys.disabled():
        print(f"\nseed {seed}", flush=True)
        closed = await live(exchange, seed, pytestconfig.option.days, pytestconfig.option.trades, 5)
    assert len(closed) == pytestconfig.option.days
