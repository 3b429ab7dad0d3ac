"""The public market over REST: listings in pages, and the book."""

from typing import Any

import httpx
import pytest

from api.app import GatewayServer
from tests.api.conftest import Desk
from tests.http_client import http_client


async def get(server: GatewayServer, path: str, **query: Any) -> httpx.Response:
    async with http_client(server.url, timeout=60) as http:
        return await http.get(path, params=query)


async def pages(server: GatewayServer, path: str, name: str, limit: int) -> list[list[dict[str, Any]]]:
    """Return the rows of all pages of a listing."""
    found, query = [], {"limit": str(limit)}
    while True:
        answer = (await get(server, path, **query)).raise_for_status().json()
        found.append(answer[name])
        if answer["next"] is None:
            return found
        query["after"] = answer["next"]


async def test_instruments_come_in_pages(desk: Desk) -> None:
    second = Desk(desk.services, desk.server, 20_000)
    await second.open()
    async with desk.services.member(desk.server) as member:
        shown = (await member.call("market.instruments"))["instruments"]
    found = await pages(desk.server, "/v1/instruments", "instruments", 1)
    assert [len(page) for page in found] == [1] * len(shown)
    assert [instrument for page in found for instrument in page] == shown
    assert {desk.symbol, second.symbol} <= {instrument["symbol"] for instrument in shown}


async def test_trades_come_in_pages_newest_first(desk: Desk) -> None:
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        await seller.place(desk.a, desk.symbol, "sell", "7", "600.00")
        for _ in range(7):
            await buyer.place(desk.b, desk.symbol, "buy", "1", "600.00")
        shown = (await buyer.call("market.trades", symbol=desk.symbol))["trades"]
    found = await pages(desk.server, f"/v1/trades/{desk.symbol}", "trades", 3)
    assert [len(page) for page in found] == [3, 3, 1]
    assert [trade for page in found for trade in page] == shown
    numbers = [trade["trade_id"] for trade in shown]
    assert numbers == sorted(numbers, reverse=True)


async def test_the_book_is_that_of_the_websocket(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        for price in ("599.00", "598.00", "597.00"):
            await member.place(desk.a, desk.symbol, "buy", "2", price)
        shown = await member.call("market.book", symbol=desk.symbol, depth=2)
        assert (await get(desk.server, f"/v1/book/{desk.symbol}", depth=2)).json() == shown
    assert shown["bids"] == [["599.00", "2"], ["598.00", "2"]]


@pytest.mark.parametrize(
    ("path", "query", "status", "reason"),
    [
        ("/v1/instruments", {"after": "NOTHING"}, 422, "BAD_VALUE"),
        ("/v1/instruments", {"limit": 0}, 422, "BAD_VALUE"),
        ("/v1/trades/{symbol}", {"after": "x"}, 422, "BAD_VALUE"),
        ("/v1/trades/{symbol}", {"limit": 1_001}, 422, "BAD_VALUE"),
        ("/v1/book/{symbol}", {"depth": 1_001}, 422, "BAD_VALUE"),
        ("/v1/book/NOTHING", {}, 404, "UNKNOWN_SYMBOL"),
        ("/v1/trades/NOTHING", {}, 404, "UNKNOWN_SYMBOL"),
    ],
)
async def test_a_wrong_request_is_a_problem(
    desk: Desk, path: str, query: dict[str, Any], status: int, reason: str
) -> None:
    answer = await get(desk.server, path.format(symbol=desk.symbol), **query)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert "NOTHING" not in path or (answer.json()["field"], answer.json()["value"]) == ("symbol", "NOTHING")
    assert answer.headers["content-type"] == "application/problem+json"
