"""The end of a trading day at a real gateway: what may be repeated after it, and what is refused."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from goldx.client.errors import ExchangeError
from tests.api.conftest import Desk


def china_today() -> date:
    return (datetime.now(UTC) + timedelta(hours=8)).date()


def weekday_after(day: date) -> date:
    day += timedelta(1)
    while day.weekday() >= 5:
        day += timedelta(1)
    return day


class Days:
    """The trading days of a desk, as its operator ends them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.next = weekday_after(china_today())

    async def operate(self, method: str, **params: Any) -> list[dict[str, Any]]:
        return await self._desk.services.operate(self._desk.server, method, **params)

    async def end(self) -> None:
        await self.operate("market.set_phase", symbol=self._desk.symbol, phase="closed")
        await self.operate("market.end_day", next_trading_day=self.next.isoformat())
        await self.operate("market.set_phase", symbol=self._desk.symbol, phase="continuous")
        self.next = weekday_after(self.next)


async def test_an_order_that_is_repeated_after_the_end_of_the_day_is_placed_once(own_desk: Desk) -> None:
    """The first answer was lost. The repetition a day later is refused, and carries what came of the first."""
    days, desk = Days(own_desk), own_desk
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        await seller.place(desk.a, desk.symbol, "sell", "30", "600.00")
        order = (desk.b, desk.symbol, "buy", "10", "600.00", "once")
        first = await buyer.place(*order)
        assert first["order"]["status"] == "filled"
        await days.end()
        for _ in range(2):
            with pytest.raises(ExchangeError) as refused:
                await buyer.place(*order)
            assert refused.value.reason == "DUPLICATE_ID"
            assert (refused.value.data["order"], refused.value.data["trades"]) == (first["order"], first["trades"])
        assert await buyer.call("order.get", account=desk.b, client_order_id="once") == first
        await days.end()
        again = await buyer.place(*order)
        assert again["order"]["order_id"] > first["order"]["order_id"]
