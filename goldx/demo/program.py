"""The base of the demonstration's trading programs: a fair price, a position, and how orders are sent.

A program knows only what its member knows: its account's channel and the answers to its orders. Instead of news there
is a fair price that moves in a seeded random walk. Prices are in fen per fine gram, weights in fine milligrams; the
client takes decimal strings.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from random import Random
from typing import Any, Final

from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.results import Placed
from goldx.client.session import ExchangeClient
from goldx.demo.record import SessionRecord
from goldx.protocol import units

AGAIN_SECONDS: Final = 0.5
"""How long a program waits before it goes on after a refusal that passes."""
NO_ANSWER: Final = "NO_ANSWER"
"""The reason for which orders are counted whose connection ended before the answer."""
FAIR_STEP_SECONDS: Final = 0.2
"""The fair price moves five times a second."""


class FairPrice:
    """A seeded random walk with a pull back to where it started; the same seed gives the same walk in every process.

    ``began`` is the time of its first step, in seconds since the epoch; prices are fen per fine gram.
    """

    def __init__(self, seed: str, start: int, began: float) -> None:
        self._random = Random(seed)
        self._start = start
        self._began = began
        self._walk = [start]

    def now(self) -> int:
        """Return the price of the present moment."""
        return self.at(max(0, int((time.time() - self._began) / FAIR_STEP_SECONDS)))

    def at(self, step: int) -> int:
        """Return the price of a step."""
        while len(self._walk) <= step:
            last = self._walk[-1]
            drift = (self._start - last) * 0.01
            self._walk.append(last + round(self._random.gauss(drift, self._start * 0.00012)))
        return self._walk[step]


class HeldPosition:
    """The holdings of an account, kept from its private channel: fen of cash, fine milligrams of each grade class."""

    def __init__(self, record: SessionRecord) -> None:
        self.record = record
        self.total: dict[str, int] = {}
        self.available: dict[str, int] = {}
        self._run = f"{time.time_ns() // 1_000_000:x}"
        self._number = 0

    def client_id(self) -> str:
        """Return a client order id that no program of the account has used, in this run or another of the same day."""
        self._number += 1
        return f"{self._run}-{self._number}"

    def set_holding(self, asset: str, holding: Mapping[str, Any]) -> None:
        """Set an asset's holding from the total, reserved and locked of an event or an answer."""
        total, reserved, locked = (
            units.parse_amount(holding.get(part, "0"), asset) for part in ("total", "reserved", "locked")
        )
        self.total[asset] = total
        self.available[asset] = total - reserved - locked

    def apply(self, event: Mapping[str, Any]) -> None:
        """Apply one event of the private channel."""
        if event["event"] == "trade":
            self.record.fills.append(event["trade_id"])
        elif event["event"] == "holding.changed":
            self.set_holding(event["asset"], event)


class Program(ABC):
    """A trading program: ``run`` trades until the event ``stop`` is set."""

    def __init__(
        self,
        client: ExchangeClient,
        position: HeldPosition,
        prices: Mapping[str, FairPrice],
        seed: str,
        stop: asyncio.Event,
    ) -> None:
        self.client = client
        self.position = position
        self.record = position.record
        self.prices = prices
        self.random = Random(seed)
        self.stop = stop

    @abstractmethod
    async def run(self) -> None:
        """Trade until the event ``stop`` is set."""

    def fair(self, symbol: str) -> int:
        """Return the present fair price of an instrument."""
        return self.prices[symbol].now()

    async def place(self, symbol: str, side: str, price: int | None, grams: int, **more: Any) -> Placed | None:
        """Place an order of whole grams and return the answer, or None when the exchange refused it."""
        if price is not None:
            more["price"] = units.format_price(price)
        sent = time.perf_counter_ns()
        try:
            answer = await self.client.place(
                account=self.record.account,
                symbol=symbol,
                side=side,
                quantity=str(grams),
                client_order_id=self.position.client_id(),
                **more,
            )
        except (ExchangeError, ConnectionLost) as refusal:
            await self._count_refusal(refusal)
            return None
        self.record.latencies.append((time.perf_counter_ns() - sent) // 1_000)
        self.record.acked.append(answer["order"]["order_id"])
        return answer

    async def change(self, method: str, **params: Any) -> bool:
        """Send a command about an order that may have ended, and return whether the exchange accepted it."""
        try:
            await self.client.call(method, account=self.record.account, **params)
        except (ExchangeError, ConnectionLost) as refusal:
            await self._count_refusal(refusal)
            return False
        self.record.changes += 1
        return True

    async def _count_refusal(self, refusal: ExchangeError | ConnectionLost) -> None:
        """Count a refusal or a lost answer, and wait where the exchange cannot take more for now."""
        reason = refusal.reason if isinstance(refusal, ExchangeError) else NO_ANSWER
        counts = self.record.refused
        counts[reason] = counts.get(reason, 0) + 1
        if reason in ("UNAVAILABLE", "RATE_LIMITED", NO_ANSWER):
            await self.pause(AGAIN_SECONDS)

    async def pause(self, seconds: float) -> None:
        """Wait; return at once when ``stop`` is set."""
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except TimeoutError:
            return
