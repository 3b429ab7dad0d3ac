"""The trading programs of the demonstration: a market maker, takers, and a broker that works resting orders.

Each program is a member's own: it sees what its member sees (its account channel and the answers to its orders) and a
fair price that moves in a seeded walk, as the news of the day would. Prices are in fen per fine gram, weights in fine
milligrams; the exchange is spoken to in decimal strings.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from random import Random
from typing import Any, Final

from goldx.client.errors import ExchangeError
from goldx.client.results import Placed
from goldx.client.session import ExchangeClient
from goldx.demo.record import Record
from goldx.protocol import units

AGAIN_SECONDS: Final = 0.5
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
        return self.at(max(0, int((time.time() - self._began) / FAIR_STEP_SECONDS)))

    def at(self, step: int) -> int:
        while len(self._walk) <= step:
            last = self._walk[-1]
            drift = (self._start - last) * 0.01
            self._walk.append(last + round(self._random.gauss(drift, self._start * 0.00012)))
        return self._walk[step]


class Position:
    """What an account has, as its private channel tells it: fen of cash, fine milligrams of each gold class."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.total: dict[str, int] = {}
        self.available: dict[str, int] = {}
        self._run = f"{time.time_ns() // 1_000_000:x}"
        self._number = 0

    def client_id(self) -> str:
        """A client order id that no program of the account has used, in this run or another of the same day."""
        self._number += 1
        return f"{self._run}-{self._number}"

    def holds(self, asset: str, holding: Mapping[str, Any]) -> None:
        """Takes over total, reserved and locked from an event or an answer."""
        total, reserved, locked = (
            units.parse_amount(holding.get(part, "0"), asset) for part in ("total", "reserved", "locked")
        )
        self.total[asset] = total
        self.available[asset] = total - reserved - locked

    def heard(self, event: Mapping[str, Any]) -> None:
        """One event of the private channel."""
        if event["event"] == "trade":
            self.record.fills.append(event["trade_id"])
        elif event["event"] == "holding.changed":
            self.holds(event["asset"], event)


class Program(ABC):
    """What all programs share: placing with a time stamp, and stopping when told."""

    def __init__(
        self,
        exchange: ExchangeClient,
        position: Position,
        prices: Mapping[str, FairPrice],
        seed: str,
        stop: asyncio.Event,
    ) -> None:
        self.exchange = exchange
        self.position = position
        self.record = position.record
        self.prices = prices
        self.random = Random(seed)
        self.stop = stop

    @abstractmethod
    async def run(self) -> None:
        """Trades until told to stop."""

    def fair(self, symbol: str) -> int:
        return self.prices[symbol].now()

    async def place(self, symbol: str, side: str, price: int | None, grams: int, **more: Any) -> Placed | None:
        """One order of whole grams; the answer, or None when the exchange refused it."""
        if price is not None:
            more["price"] = units.format_price(price)
        sent = time.perf_counter_ns()
        try:
            answer = await self.exchange.place(
                account=self.record.account,
                symbol=symbol,
                side=side,
                quantity=str(grams),
                client_order_id=self.position.client_id(),
                **more,
            )
        except ExchangeError as refusal:
            await self._refused(refusal)
            return None
        self.record.latencies.append((time.perf_counter_ns() - sent) // 1_000)
        self.record.acked.append(answer["order"]["order_id"])
        return answer

    async def change(self, method: str, **params: Any) -> bool:
        """A command about an order that may be gone by now; False when the exchange refused it."""
        try:
            await self.exchange.call(method, account=self.record.account, **params)
        except ExchangeError as refusal:
            await self._refused(refusal)
            return False
        self.record.changes += 1
        return True

    async def _refused(self, refusal: ExchangeError) -> None:
        """Counts a refusal; an exchange that does not keep up is left alone for a while."""
        counts = self.record.refused
        counts[refusal.reason] = counts.get(refusal.reason, 0) + 1
        if refusal.reason in ("UNAVAILABLE", "RATE_LIMITED"):
            await self.pause(AGAIN_SECONDS)

    async def pause(self, seconds: float) -> None:
        """Waits, or returns at once when it is time to stop."""
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except TimeoutError:
            return


class Opener(Program):
    """Enters orders for the opening auction, on one side of each instrument; they stay when the session ends."""

    ORDERS: Final = 8

    def __init__(self, symbols: tuple[str, ...], *args: Any) -> None:
        super().__init__(*args)
        self.symbols = symbols

    async def run(self) -> None:
        for symbol in self.symbols:
            side = self.random.choice(("buy", "sell"))
            for _ in range(self.ORDERS):
                price = self.fair(symbol) + round(self.random.gauss(15 if side == "buy" else -15, 40))
                await self.place(symbol, side, price, self.random.randint(5, 80), persist=True)
                await self.pause(0.05)


class MarketMaker(Program):
    """Quotes both sides of one instrument close to the fair price and keeps a ladder of orders behind the quote."""

    LEVELS: Final = 6
    STEP: Final = 25
    """Fen between the rungs of the ladder."""

    def __init__(self, symbol: str, *args: Any) -> None:
        super().__init__(*args)
        self.symbol = symbol
        self.rungs: dict[tuple[str, int], int] = {}

    async def run(self) -> None:
        turn = 0
        while not self.stop.is_set():
            fair = self.fair(self.symbol)
            level = 1 + turn % self.LEVELS
            await asyncio.gather(self._quote(fair), self._rung("buy", level, fair), self._rung("sell", level, fair))
            turn += 1
            await self.pause(0.1)
        await self.change("quote.cancel", symbol=self.symbol)

    async def _quote(self, fair: int) -> None:
        half_spread = self.random.randint(4, 9)
        await self.change(
            "quote.set",
            quote_id=self.position.client_id(),
            symbol=self.symbol,
            bid_price=units.format_price(fair - half_spread),
            bid_quantity=str(self.random.randint(60, 180)),
            ask_price=units.format_price(fair + half_spread),
            ask_quantity=str(self.random.randint(60, 180)),
        )

    async def _rung(self, side: str, level: int, fair: int) -> None:
        """Moves one order of the ladder to its place around the fair price, or puts a new one where it was filled."""
        away = level * self.STEP + self.random.randint(-8, 8)
        price = fair - away if side == "buy" else fair + away
        order_id = self.rungs.pop((side, level), None)
        if order_id is None or not await self.change(
            "order.replace", order_id=order_id, price=units.format_price(price)
        ):
            placed = await self.place(self.symbol, side, price, self.random.randint(100, 400), post_only=True)
            if placed is None:
                return
            order_id = placed["order"]["order_id"]
        self.rungs[side, level] = order_id


class Taker(Program):
    """Buys and sells against the book in several instruments, leaning towards the stock it began with."""

    THINK_SECONDS: Final = 0.07
    HANDS: Final = 4
    """Orders in flight at a time."""

    def __init__(self, symbols: tuple[str, ...], calm: float, *args: Any) -> None:
        super().__init__(*args)
        self.symbols = symbols
        self._think = self.THINK_SECONDS * calm
        self._target: dict[str, int] = {}

    async def run(self) -> None:
        self._target = dict(self.position.available)
        await asyncio.gather(*(self._hand() for _ in range(self.HANDS)))

    async def _hand(self) -> None:
        while not self.stop.is_set():
            await self.pause(self.random.expovariate(1 / self._think))
            symbol = self.random.choice(self.symbols)
            side = self._side(symbol)
            fair = self.fair(symbol)
            reach = self.random.randint(8, 60)
            price = fair + reach if side == "buy" else fair - reach
            grams = min(self.random.randint(1, 12), self._affordable(symbol, side, price))
            if grams == 0:
                continue
            kind = self.random.random()
            if kind < 0.1:
                await self.place(symbol, side, None, grams, type="market")
            else:
                await self.place(symbol, side, price, grams, time_in_force="FOK" if kind < 0.2 else "IOC")

    def _side(self, symbol: str) -> str:
        target = self._target.get(symbol, 0)
        lean = (target - self.position.available.get(symbol, 0)) / target if target else 1.0
        return "buy" if self.random.random() < 0.5 + max(-0.45, min(0.45, lean)) else "sell"

    def _affordable(self, symbol: str, side: str, price: int) -> int:
        """Whole grams the account could pay for, or has; a tenth of the cash is left for fees and orders in flight."""
        if side == "sell":
            return self.position.available.get(symbol, 0) // units.MG_PER_GRAM
        return self.position.available.get(units.CASH, 0) * 9 // 10 // price


class Broker(Program):
    """Works clients' orders: rests them around the fair price, moves them, cancels them, and sometimes gives way."""

    OPEN: Final = 16

    def __init__(self, symbols: tuple[str, ...], *args: Any) -> None:
        super().__init__(*args)
        self.symbols = symbols
        self._open: list[tuple[int, str, str]] = []

    async def run(self) -> None:
        while not self.stop.is_set():
            await self.pause(self.random.expovariate(1 / 0.05))
            if len(self._open) < self.OPEN:
                await self._rest()
            elif self.random.random() < 0.5:
                await self._move()
            else:
                order_id, _, _ = self._open.pop(self.random.randrange(len(self._open)))
                await self.change("order.cancel", order_id=order_id)

    async def _rest(self) -> None:
        symbol = self.random.choice(self.symbols)
        side = self.random.choice(("buy", "sell"))
        placed = await self.place(symbol, side, self._price(symbol, side), self.random.randint(2, 40))
        if placed is not None and placed["order"]["remaining"] != "0":
            self._open.append((placed["order"]["order_id"], symbol, side))

    async def _move(self) -> None:
        index = self.random.randrange(len(self._open))
        order_id, symbol, side = self._open[index]
        price = units.format_price(self._price(symbol, side))
        if not await self.change("order.replace", order_id=order_id, price=price):
            del self._open[index]

    def _price(self, symbol: str, side: str) -> int:
        away = self.random.randint(-4, 80)
        return self.fair(symbol) + (-away if side == "buy" else away)
