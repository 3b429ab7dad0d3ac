"""A member of the demonstration with a session of its own, and the record of what it was informed of."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

from goldx.client.errors import ExchangeError
from goldx.client.keys import Key
from goldx.client.results import OfRequest
from goldx.client.session import ExchangeClient, connect
from goldx.demo import scenario
from goldx.demo.record import SessionRecord
from goldx.demo.staff import StaffFailed
from goldx.protocol import units

GRAMS: Final = "1"
DEAL_MS: Final = 60_000
"""How long a proposal of a deal, and a request for quotes, is open."""
GRACE_MS: Final = 1_000
"""How long the requester sees no quote."""


class InformedMember:
    """A member's session, and the record of what it was informed of."""

    _numbers = count(1)

    def __init__(self, client: ExchangeClient, account: str) -> None:
        self._client = client
        self.record = SessionRecord(account)

    async def place(self, symbol: str, side: str, price: int | None, quantity: str, **more: Any) -> list[int]:
        """Place an order and return the ids of its trades. A price in fen per gram; without one at the market."""
        if price is not None:
            more["price"] = units.format_price(price)
        name = f"rare-{next(self._numbers)}"
        placed = await self._client.place(
            self.record.account, symbol, side, quantity=quantity, client_order_id=name, **more
        )
        self.record.acked.append(placed["order"]["order_id"])
        return [trade["trade_id"] for trade in placed["trades"]]

    async def is_refused(self, method: str, **params: Any) -> None:
        """Call a method that has to be refused. Raises StaffFailed if it is not."""
        with suppress(ExchangeError):
            await self._client.call(method, account=self.record.account, **params)
            raise StaffFailed(f"{method} of {self.record.account} was not refused")

    async def market(self, symbol: str) -> dict[str, Any]:
        """Return the state of an instrument."""
        found: dict[str, Any] = await self._client.call("market.status", symbol=symbol)
        return found

    async def is_in_the_book(self, symbol: str) -> bool:
        """Return whether anybody has an order in the book of an instrument."""
        book = await self._client.call("market.book", symbol=symbol, depth=1)
        return bool(book["bids"] or book["asks"])

    async def last_price(self, symbol: str) -> int:
        """Return the last price of an instrument, without one its reference price, in fen per gram."""
        market = await self.market(symbol)
        return units.parse_price(market["last_price"] or market["reference_price"])

    async def propose(self, other: "InformedMember", symbol: str, price: str, quantity: str = GRAMS) -> int:
        """Propose to sell to another member, and return the number of the deal."""
        expire_at = int(time.time() * 1_000) + DEAL_MS
        terms = (self.record.account, other.record.account, symbol, "sell", quantity, price, expire_at)
        return (await self._client.propose_deal(*terms))["deal"]["deal_id"]

    async def offer_lot(self, other: "InformedMember", receipt: dict[str, Any], price: str) -> int:
        """Propose to sell the lot of a receipt to another member, and return the number of the deal."""
        expire_at = int(time.time() * 1_000) + DEAL_MS
        terms = (
            self.record.account,
            other.record.account,
            receipt["symbol"],
            "sell",
            receipt["fine"],
            price,
            expire_at,
        )
        made = await self._client.propose_deal(*terms, lots=[receipt["receipt_no"]])
        return made["deal"]["deal_id"]

    async def available(self) -> dict[str, int]:
        """Return by class how much gold the account could sell now, in fine mg."""
        held = await self._client.holdings(self.record.account)
        return {
            asset: units.parse_weight(one["available"], "available")
            for asset, one in held.items()
            if asset != units.CASH
        }

    async def owed(self) -> int:
        """Return what the account owes the venue, in fen."""
        held = await self._client.holdings(self.record.account)
        return units.parse_money(held[units.CASH].get("owed", "0.00"))

    async def accept(self, deal_id: int) -> None:
        """Accept a deal: it is a trade at once."""
        await self._client.accept_deal(self.record.account, deal_id)

    async def decline(self, deal_id: int) -> None:
        """Decline a deal."""
        await self._client.decline_deal(self.record.account, deal_id)

    async def call(self, method: str, **params: Any) -> Any:
        """Call a method that is about no account and return the result."""
        return await self._client.call(method, **params)

    async def ask(self, symbol: str, quantity: str) -> int:
        """Ask all members for prices at which they would sell, and return the number of the request."""
        terms = (self.record.account, symbol, "buy", quantity, int(time.time() * 1_000) + DEAL_MS)
        return (await self._client.create_rfq(*terms, grace_ms=GRACE_MS))["request"]["rfq_id"]

    async def quote(self, rfq_id: int, price: int, quantity: str) -> None:
        """Answer a request; the price in fen per gram."""
        await self._client.quote_rfq(self.record.account, rfq_id, units.format_price(price), quantity)

    async def quotes(self, rfq_id: int) -> int:
        """Return how many quotes of a request the account sees."""
        requests = (await self._client.rfqs(self.record.account))["requests"]
        return sum(len(one["quotes"]) for one in requests if one["rfq_id"] == rfq_id)

    async def take(self, rfq_id: int, price: int) -> OfRequest:
        """Accept the best quotes of a request, at a price in fen per gram or better."""
        return await self._client.accept_rfq(self.record.account, rfq_id, units.format_price(price))

    async def request(self, method: str, **params: Any) -> Any:
        """Call a method for the account and return the result."""
        return await self._client.call(method, account=self.record.account, **params)

    async def cancel_all(self, symbol: str | None = None) -> None:
        """Cancel all orders of the account, or those in one instrument."""
        await self._client.cancel_all(self.record.account, symbol)

    async def read_all(self) -> None:
        """Read the account's channel from its beginning up to now, so that the record has every trade."""
        channel = f"account.{self.record.account}"
        (until,) = (await self._client.call("channel.subscribe", channels=[channel]))["channels"].values()
        async for message in self._client.subscribe(channel, from_sequence=0):
            if message["data"]["event"] == "trade":
                self.record.fills.append(message["data"]["trade_id"])
            if message["sequence"] >= until:
                return


def firm_of(account: str) -> scenario.Firm:
    """Return the firm to which an account belongs."""
    return next(firm for firm in scenario.FIRMS if account in firm.cash)


@asynccontextmanager
async def informed_member(url: str, keys: Path, account: str) -> AsyncIterator[InformedMember]:
    """Log a member on that acts for one of its accounts."""
    async with connect(url, Key.load(keys / f"{firm_of(account).code}.pem")) as client:
        yield InformedMember(client, account)
