"""Message flows for order books: deterministic, and valid for any price-time book with limit orders.

A message is ``(ADD, number, side, price, quantity)``, ``(CANCEL, number)`` or ``(REPLACE, number, new number, side,
price, quantity still to trade, quantity filled before)``. A replace always changes the price, so that losing the place
is the only possible reading, and an engine without replace may cancel and add. Only orders that are open at that moment
are cancelled or replaced, which a plain book beside the generator knows. Prices in fen, quantities in grams.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from benchmarks.matching.bare import ADD, CANCEL, REPLACE, BareBook
from goldx.protocol.terms import BUY, SELL

Message = tuple[int, ...]


@dataclass(frozen=True)
class Shape:
    """The shape of a flow: shares of cancels, takers and replaces in percent (the rest are adds), and where adds stand.

    ``deep``: orders resting before the flow is timed, and all the while: with fewer, an add comes in place of a cancel.
    ``spread``: adds stand up to so many ticks behind the middle, most of them near it, and never trade; ``drift``: the
    middle moves a tick up or down with so many percent of the messages. ``most``: grams that a taker asks for at most;
    an order offers 1 to 19.
    """

    cancels: int
    takers: int
    replaces: int
    spread: int
    drift: int
    deep: int
    most: int = 15


SHAPES = {
    "near-touch": Shape(cancels=43, takers=10, replaces=3, spread=20, drift=10, deep=1_000),
    "thin": Shape(cancels=48, takers=10, replaces=2, spread=15, drift=50, deep=10),
    "deep": Shape(cancels=43, takers=10, replaces=3, spread=100, drift=10, deep=20_000),
    "wide": Shape(cancels=44, takers=10, replaces=3, spread=3_000, drift=50, deep=5_000),
    "cancel-heavy": Shape(cancels=95, takers=1, replaces=1, spread=100, drift=10, deep=0),
}
"""``cancel-heavy`` cannot have more cancels than adds: its adds are made before it is timed."""


@dataclass(frozen=True)
class Flow:
    name: str
    before: list[Message]
    """Brings the book to its depth; not timed."""
    timed: list[Message]


class _Generator:
    def __init__(self, seed: int, shape: Shape) -> None:
        self.random = Random(seed)
        self.shape = shape
        self.middle = 60_000
        self.last = 0
        self.book = BareBook()
        self.open: list[int] = []
        self.sides: dict[int, int] = {}
        self.filled: dict[int, int] = {}
        """Number of a replaced order -> what had been filled of it under its earlier numbers."""

    def price(self, side: int) -> int:
        """Behind the middle, or behind the best opposite price where the market has not followed the middle yet."""
        away = 1 + int(self.shape.spread * self.random.random() ** 2)
        best = self.book.best(1 - side)
        if side == BUY:
            return (self.middle if best is None or best > self.middle else best) - away
        return (self.middle if best is None or best < self.middle else best) + away

    def add(self) -> Message:
        side = self.random.randrange(2)
        return self.adding(side, self.price(side), self.random.randrange(1, 20))

    def take(self) -> Message:
        side = self.random.randrange(2)
        best = self.book.best(1 - side)
        if best is None:
            return self.add()
        through = self.random.randrange(3)
        return self.adding(side, best + (through if side == BUY else -through), self.random.randint(1, self.shape.most))

    def adding(self, side: int, price: int, quantity: int) -> Message:
        self.last += 1
        self.sides[self.last] = side
        self.book.add(self.last, side, price, quantity)
        self.open.append(self.last)
        return ADD, self.last, side, price, quantity

    def pick(self) -> int:
        """An open order at random, 0 if there is none; it is forgotten."""
        while self.open:
            at = self.random.randrange(len(self.open))
            number, self.open[at] = self.open[at], self.open[-1]
            self.open.pop()
            if number in self.book.orders:
                return number
        return 0

    def cancel(self) -> Message:
        number = self.pick()
        if not number:
            return self.add()
        self.book.cancel(number)
        return CANCEL, number

    def replace(self) -> Message:
        number = self.pick()
        if not number:
            return self.add()
        side = self.sides[number]
        old = self.book.orders[number]
        price = self.price(side)
        if price == old.price:
            price += 1 if side == SELL else -1
        filled = self.filled.pop(number, 0) + old.quantity - old.remaining
        self.book.cancel(number)
        _, new, _, _, quantity = self.adding(side, price, self.random.randrange(1, 20))
        self.filled[new] = filled
        return REPLACE, number, new, side, price, quantity, self.filled[new]

    def message(self) -> Message:
        shape = self.shape
        if self.random.randrange(100) < shape.drift:
            self.middle += self.random.choice((-1, 1))
        draw = self.random.randrange(100)
        if draw < shape.cancels:
            return self.add() if len(self.book.orders) < shape.deep else self.cancel()
        if draw < shape.cancels + shape.takers:
            return self.take()
        if draw < shape.cancels + shape.takers + shape.replaces:
            return self.replace()
        return self.add()


def make(name: str, messages: int, seed: int = 1) -> Flow:
    """The flow of a name; the same arguments give the same messages."""
    shape = SHAPES[name]
    generator = _Generator(seed, shape)
    deep = shape.deep or messages
    before = [generator.add() for _ in range(deep)]
    return Flow(name, before, [generator.message() for _ in range(messages)])


def resting(orders: int, messages: int, seed: int = 1) -> Flow:
    """The near-touch mix over a book with so many resting orders, spread over 2,000 prices."""
    shape = Shape(cancels=45, takers=5, replaces=2, spread=1_000, drift=0, deep=orders)
    generator = _Generator(seed, shape)
    before = [generator.add() for _ in range(orders)]
    return Flow(f"resting-{orders}", before, [generator.message() for _ in range(messages)])
