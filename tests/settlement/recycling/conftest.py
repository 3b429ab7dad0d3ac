"""The exchange of the tests of the recycling counter."""

from datetime import date

import pytest

from settlement.base import registry, working_days
from settlement.recycling import counters, two_way
from settlement.recycling.two_way import PostedPrice
from tests.settlement.small_exchange import ONE, SmallExchange
from tests.settlement.stages import Preparation


@pytest.fixture
def preparation() -> Preparation:
    return with_counters


async def with_counters(exchange: SmallExchange) -> None:
    """Two members with a counter each, a class for old gold, today's price, and a calendar that knows the year."""
    await exchange.engine_runner.define("SCRAP", "SCRAP_JEWEL", 58_500)
    await exchange.post()
    async with exchange.engine.begin() as connection:
        for code in ("A", "B"):
            await registry.add_member(connection, "test", code, f"Member {code}")
            await counters.add(connection, ONE, f"C{code}", code, f"{code}.H", "XM1", f"Counter of {code}")
        await two_way.post(connection, ONE, PostedPrice(two_way.VENUE, "SCRAP_JEWEL", 60_000, 61_000, -500, 99_000))
        today = working_days.today()
        for year in (today.year, today.year + 1):
            await working_days.set_day(connection, ONE, date(year, 10, 1), False, "National Day")
