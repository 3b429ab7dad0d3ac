"""Writes event streams by hand, right and wrong ones, with books of its own to compare with."""

from collections import defaultdict

from redis.asyncio import Redis

from goldx.protocol.events import AccountOpened, AnyEvent, HoldingAdjusted, HoldingChanged, InstrumentDefined, Trade
from goldx.protocol.units import CASH
from goldx.streams.entries import FIELD
from goldx.streams.frames import EventFrame, encode
from goldx.streams.keys import Keys
from tests.amounts import money_of


class Publisher:
    """``held`` is what every account has of every asset; each method makes the events of one command."""

    def __init__(self, redis: Redis, shard: str) -> None:
        self.keys = Keys(shard)
        self._redis = redis
        self.held: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.sequence = 0
        self.at = 1
        self.trades = 0
        self.fees = 0
        self._outcomes: list[tuple[AnyEvent, ...]] = []
        self._pending: list[AnyEvent] = []

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence

    def _close(self, *touched: tuple[str, str]) -> None:
        for account, asset in dict.fromkeys(touched):
            total = self.held[account, asset]
            self._pending.append(HoldingChanged(self._next(), self.at, account, asset, total, 0))
        self._outcomes.append(tuple(self._pending))
        self._pending = []

    def open(self, *accounts: str) -> None:
        for account in accounts:
            self._pending.append(AccountOpened(self._next(), self.at, account, account.partition(".")[0], 0, account))
            self._close()

    def define(self, symbol: str, form: str = "NONAPPROVED_BAR", low: int = 90_000, high: int = 100_000) -> None:
        rest = (1, 1_000, None, None, None, None, None, 60_000, 0, 0, 0, None, 300_000, 0, 100)
        self._pending.append(InstrumentDefined(self._next(), self.at, symbol, symbol, symbol, form, low, high, *rest))
        self._close()

    def adjust(self, account: str, asset: str, amount: int, reference: str) -> None:
        self.held[account, asset] += amount
        self._pending.append(HoldingAdjusted(self._next(), self.at, account, asset, amount, reference))
        self._close((account, asset))

    def fund(self) -> None:
        """Two accounts, a class, and money and gold on both accounts that came by no document."""
        self.define("AU")
        self.open("A.H", "B.H")
        for account in ("A.H", "B.H"):
            self.adjust(account, CASH, 10**12, f"cash-{account}")
            self.adjust(account, "AU", 10**9, f"gold-{account}")

    async def publish_funds(self) -> None:
        """Publish what ``fund`` makes."""
        self.fund()
        await self.publish()

    def trade(self, buyer: str, seller: str, symbol: str, price: int, quantity: int, fee: int = 0) -> None:
        amount = money_of(price, quantity)
        self.held[buyer, CASH] -= amount + fee
        self.held[seller, CASH] += amount - fee
        self.held[buyer, symbol] += quantity
        self.held[seller, symbol] -= quantity
        self.trades += 1
        self.fees += 2 * fee
        number, at = self._next(), self.at
        deal = (symbol, price, quantity, amount, 1, 2, buyer, seller, 0, 0, 0, fee, fee)
        self._pending.append(Trade(number, at, self.trades, *deal))
        self._close((buyer, CASH), (buyer, symbol), (seller, CASH), (seller, symbol))

    def take_frame(self) -> EventFrame:
        """Return the events made since the last call, as one frame."""
        frame = EventFrame((1, self.sequence), tuple(self._outcomes))
        self._outcomes = []
        return frame

    async def publish(self) -> None:
        frame = self.take_frame()
        await self._redis.xadd(self.keys.events, {FIELD: encode(frame)}, id=f"{self.sequence}-0")
