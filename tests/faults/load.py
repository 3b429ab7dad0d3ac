"""Members' programs: they trade over whichever gateway answers, and record every answer."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from websockets.exceptions import WebSocketException

from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect
from tests.faults.schedule import GATEWAYS
from tests.faults.stack import ExchangeStack

SYMBOLS = ("AU-1", "AU-2")
WORKERS = 2
"""How many requests a member has under way at a time."""
ANSWER_SECONDS = 30.0
"""Every request is answered or its connection ends within this time, also where that takes a search of the journal."""

LOST = (OSError, WebSocketException, ExchangeError, ConnectionLost)
"""The errors with which a connection cannot be made or ends."""


class SentRequest(NamedTuple):
    """A request with its answer, or with a reason of refusal, or with neither when the outcome is not known."""

    method: str
    account: str
    key: str
    """The client id, or what else distinguishes it from other requests of its method and account."""
    answer: dict[str, Any] | None = None
    reason: str | None = None
    data: dict[str, Any] | None = None
    """The other fields of a refusal."""


@dataclass
class Member:
    """One member firm with one account. ``requests`` are those of the present round."""

    firm: str
    key: Key
    requests: list[SentRequest] = field(default_factory=list)
    _open: deque[str] = field(default_factory=lambda: deque(maxlen=30))
    """Client ids of orders that may still be open."""
    _repeat: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Orders of unknown outcome."""

    @property
    def account(self) -> str:
        return f"{self.firm}.H"

    async def trade(self, stack: ExchangeStack, seed: int, stop: asyncio.Event) -> None:
        """Trade until ``stop`` is set; return when every request has its answer or has lost its connection."""
        self._repeat.clear()
        random = Random(f"load {seed} {self.firm}")
        numbers = iter(range(1, 1_000_000))
        while not stop.is_set():
            try:
                async with connect(stack.url(random.choice(GATEWAYS)), self.key) as client:
                    workers = (self._work(client, Random(random.random()), seed, numbers, stop) for _ in range(WORKERS))
                    await asyncio.gather(*workers)
            except LOST:
                await asyncio.sleep(0.03)

    async def _work(self, client: ExchangeClient, random: Random, seed: int, numbers: Any, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self._repeat and random.random() < 0.7:
                method, params = self._repeat.pop()
            else:
                method, params = self._next_request(random, f"{seed}-{next(numbers)}")
            await self._send(client, method, params)
            await asyncio.sleep(random.random() * 0.04)

    async def _send(self, client: ExchangeClient, method: str, params: dict[str, Any]) -> None:
        own = (method, self.account, key_of(params))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await client.call(method, account=self.account, **params)
        except ConnectionLost:
            self.requests.append(SentRequest(*own))
            if method == "order.place":
                self._repeat.append((method, params))
            raise
        except ExchangeError as error:
            self.requests.append(SentRequest(*own, reason=error.reason, data=error.data))
            if error.reason == "UNAVAILABLE":
                await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{own} was not answered in {ANSWER_SECONDS:g} s, and its connection stands") from None
        else:
            self.requests.append(SentRequest(*own, answer=answer))
            if "order" in answer and answer["order"]["status"] == "open":
                self._open.append(answer["order"]["client_order_id"])

    def _next_request(self, random: Random, name: str) -> tuple[str, dict[str, Any]]:
        """Return the next request: its method, and its params without the account."""
        choice = random.random()
        symbol = random.choice(SYMBOLS)
        if choice < 0.16 and self._open:
            return "order.cancel", {"client_order_id": self._open.popleft()}
        if choice < 0.28 and self._open:
            change = {"price": _price(random)} if random.random() < 0.5 else {"quantity": str(random.randint(1, 12))}
            return "order.replace", {"client_order_id": self._open.popleft(), "new_client_order_id": name, **change}
        if choice < 0.38:
            prices = {"bid_price": f"{random.randint(596, 599)}.50", "ask_price": f"{random.randint(600, 603)}.50"}
            quantities = {"bid_quantity": str(random.randint(1, 9)), "ask_quantity": str(random.randint(1, 9))}
            return "quote.set", {"quote_id": name, "symbol": symbol, **prices, **quantities}
        if choice < 0.40:
            return "quote.cancel", {"symbol": symbol}
        if choice < 0.42:
            return "order.cancel_all", {}
        return "order.place", _order(random, name, symbol)


def _order(random: Random, name: str, symbol: str) -> dict[str, Any]:
    order: dict[str, Any] = {"client_order_id": name, "symbol": symbol, "side": random.choice(("buy", "sell"))}
    order["quantity"] = str(random.randint(1, 9))
    if random.random() < 0.08:
        return order | {"type": "market"}
    order |= {"type": "limit", "price": _price(random), "persist": random.random() < 0.5}
    choice = random.random()
    if choice < 0.08:
        order["post_only"] = True
    elif choice < 0.18:
        order["time_in_force"] = random.choice(("IOC", "FOK", "DAY"))
    elif choice < 0.24:
        order |= {"quantity": "20", "display_quantity": "3"}
    elif choice < 0.28:
        order["stop_price"] = _price(random)
    elif choice < 0.32:
        order["stp"] = random.choice(("cancel_maker", "cancel_both", "decrement"))
    return order


def _price(random: Random) -> str:
    return f"{600 + random.randint(-3, 3)}.00"


def key_of(params: dict[str, Any]) -> str:
    """Return what distinguishes a request from the others of its method and account."""
    for name in ("new_client_order_id", "client_order_id", "quote_id", "symbol"):
        if name in params:
            return str(params[name])
    return ""
