"""Limits of groups of quotes through the real WebSocket: a maker learns at once that its group is frozen."""

from typing import Any

import pytest

from goldx.client.errors import ExchangeError
from goldx.client.session import ExchangeClient
from tests.api.conftest import Desk


async def quote(maker: ExchangeClient, desk: Desk, number: int, **more: Any) -> dict[str, Any]:
    sides = {"bid_price": "599.00", "bid_quantity": "10", "ask_price": "601.00", "ask_quantity": "10"}
    about = {"account": desk.a, "quote_id": f"q{number}", "symbol": desk.symbol}
    result: dict[str, Any] = await maker.call("quote.set", **about, **sides, **more)
    return result


async def events_of(client: ExchangeClient, account: str, last: str) -> list[dict[str, Any]]:
    """Return the messages of a private channel from its beginning to the first of an event."""
    found = []
    messages = client.subscribe(f"account.{account}", from_sequence=0)
    async for message in messages:
        found.append(message["data"])
        if message["data"]["event"] == last:
            break
    await messages.aclose()
    return found


async def test_a_maker_is_frozen_learns_it_and_resets(desk: Desk) -> None:
    async with desk.services.member(desk.server) as maker, desk.services.member(desk.server, "FIRM-B") as taker:
        limits = {"window_ms": 60_000, "max_quantity": "15", "max_net": "8"}
        set_ = await maker.call("quote.set_protection", account=desk.a, group="main", **limits)
        mine = {"group": "main", **limits, "frozen": False}
        assert set_ == {"protections": [mine]}
        await quote(maker, desk, 1, group="main")
        await taker.place(desk.b, desk.symbol, "buy", "8", "601.00")

        with pytest.raises(ExchangeError) as refused:
            await quote(maker, desk, 2, group="main")
        assert refused.value.reason == "PROTECTION"
        assert "quote.reset_protection" in str(refused.value)
        found = await events_of(maker, desk.a, "protection.triggered")
        assert [one["event"] for one in found][-2:] == ["trade", "protection.triggered"]
        assert (found[-1]["group"], found[-1]["bought"], found[-1]["sold"]) == ("main", "0", "8")
        cancelled = [one for one in await events_of(maker, desk.a, "order.cancelled") if "reason" in one]
        assert [(one["reason"], one["detail"]) for one in cancelled] == [("PROTECTION", "main")]

        (known,) = (await maker.call("quote.protections", account=desk.a))["protections"]
        assert known["frozen"] is True
        triggered = {"at": found[-1]["at"], "account": desk.a, "bought": "0", "sold": "8"}
        assert known["triggered"] == triggered
        assert (await taker.call("quote.protections", account=desk.b)) == {"protections": []}
        with pytest.raises(ExchangeError, match="UNKNOWN_ACCOUNT"):
            await taker.call("quote.protections", account=desk.a)

        assert await maker.call("quote.reset_protection", account=desk.a, group="main") == {"protections": [mine]}
        assert (await quote(maker, desk, 2, group="main"))["bid"]["status"] == "open"
        taken_away = await maker.call("quote.set_protection", account=desk.a, group="main")
        assert taken_away == {"protections": []}


@pytest.mark.parametrize(
    ("method", "params", "field"),
    [
        ("quote.set_protection", {"group": "a b", "window_ms": 1, "max_net": "1"}, "group"),
        ("quote.set_protection", {"group": "g", "window_ms": 0, "max_net": "1"}, "window_ms"),
        ("quote.set_protection", {"group": "g", "window_ms": 1, "max_quantity": "0"}, "max_quantity"),
        ("quote.set_protection", {"group": "g", "max_net": "1"}, "window_ms"),
        ("quote.set_protection", {"group": "g"}, "max_quantity"),
        ("quote.reset_protection", {"group": "g"}, "group"),
    ],
)
async def test_wrong_limits_are_refused_by_field(desk: Desk, method: str, params: dict[str, Any], field: str) -> None:
    async with desk.services.member(desk.server) as maker:
        with pytest.raises(ExchangeError) as refused:
            await maker.call(method, account=desk.a, **params)
        assert refused.value.data["field"] == field
        assert refused.value.data["allowed"]
