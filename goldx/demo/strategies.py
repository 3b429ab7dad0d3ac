"""The strategies of the demonstration's trading programs: opener, market maker, taker, and broker."""

import asyncio
from typing import Any, Final

from goldx.demo.program import Program
from goldx.protocol import units


class Opener(Program):
    """Enters orders for the opening auction, on one side of each instrument; they outlive the session."""

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
    """Fen between two orders of the ladder."""

    def __init__(self, symbol: str, *args: Any) -> None:
        super().__init__(*args)
        self.symbol = symbol
        self._ladder: dict[tuple[str, int], int] = {}

    async def run(self) -> None:
        turn = 0
        while not self.stop.is_set():
            fair = self.fair(self.symbol)
            level = 1 + turn % self.LEVELS
            await asyncio.gather(self._quote(fair), self._renew("buy", level, fair), self._renew("sell", level, fair))
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

    async def _renew(self, side: str, level: int, fair: int) -> None:
        """Move one order of the ladder to its place around the fair price, or place a new one if it was filled."""
        away = level * self.STEP + self.random.randint(-8, 8)
        price = fair - away if side == "buy" else fair + away
        order_id = self._ladder.pop((side, level), None)
        if order_id is None or not await self.change(
            "order.replace", order_id=order_id, price=units.format_price(price)
        ):
            placed = await self.place(self.symbol, side, price, self.random.randint(100, 400), post_only=True)
            if placed is None:
                return
            order_id = placed["order"]["order_id"]
        self._ladder[side, level] = order_id


class Taker(Program):
    """Buys and sells against the book in several instruments, tending towards the holdings that it began with."""

    THINK_SECONDS: Final = 0.07
    IN_FLIGHT: Final = 4
    """Orders under way at a time."""

    def __init__(self, symbols: tuple[str, ...], slowness: float, *args: Any) -> None:
        super().__init__(*args)
        self.symbols = symbols
        self._think = self.THINK_SECONDS * slowness
        self._target: dict[str, int] = {}

    async def run(self) -> None:
        self._target = dict(self.position.available)
        await asyncio.gather(*(self._trade() for _ in range(self.IN_FLIGHT)))

    async def _trade(self) -> None:
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
        """Return the whole grams that the account can pay for, or has.

        A tenth of the cash is left for fees and orders under way.
        """
        if side == "sell":
            return self.position.available.get(symbol, 0) // units.MG_PER_GRAM
        return self.position.available.get(units.CASH, 0) * 9 // 10 // price


class Broker(Program):
    """Works clients' orders: places them around the fair price, replaces and cancels them."""

    MOST_OPEN: Final = 16

    def __init__(self, symbols: tuple[str, ...], *args: Any) -> None:
        super().__init__(*args)
        self.symbols = symbols
        self._open: list[tuple[int, str, str]] = []

    async def run(self) -> None:
        while not self.stop.is_set():
            await self.pause(self.random.expovariate(1 / 0.05))
            if len(self._open) < self.MOST_OPEN:
                await self._place_resting()
            elif self.random.random() < 0.5:
                await self._replace()
            else:
                order_id, _, _ = self._open.pop(self.random.randrange(len(self._open)))
                await self.change("order.cancel", order_id=order_id)

    async def _place_resting(self) -> None:
        symbol = self.random.choice(self.symbols)
        side = self.random.choice(("buy", "sell"))
        placed = await self.place(symbol, side, self._price(symbol, side), self.random.randint(2, 40))
        if placed is not None and placed["order"]["remaining"] != "0":
            self._open.append((placed["order"]["order_id"], symbol, side))

    async def _replace(self) -> None:
        index = self.random.randrange(len(self._open))
        order_id, symbol, side = self._open[index]
        price = units.format_price(self._price(symbol, side))
        if not await self.change("order.replace", order_id=order_id, price=price):
            del self._open[index]

    def _price(self, symbol: str, side: str) -> int:
        away = self.random.randint(-4, 80)
        return self.fair(symbol) + (-away if side == "buy" else away)
