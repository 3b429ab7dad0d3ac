"""Candles: the prices and volume of one instrument by interval.

The candle of a day is that of the trading day, which ends with ``market.end_day`` and not at midnight: evening trades
after it belong to the next trading day. A day's candle is dated at the midnight in China with which its date begins.
Before the first trading day has begun, the days are calendar days in China.
"""

from collections import deque
from collections.abc import Callable
from copy import copy
from datetime import date
from typing import Any, Final, TypeAlias

from api.view.channels import Content
from api.view.records import Candle
from goldx.protocol import units
from goldx.protocol.events import Trade, TradeBusted

INTERVALS: Final = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "1d": 86_400_000}
"""By name: the length in ms."""
EPOCH: Final = date(1970, 1, 1)
DAY_MS: Final = 86_400_000
CHINA_OFFSET_MS: Final = 8 * 3_600_000
"""China Standard Time is UTC+8."""
NEVER: Final = 1 << 62
"""A time later than any that occurs."""
KEPT: Final = 1_500
"""Candles that are kept of each interval length."""


StandingTrades: TypeAlias = Callable[[int, bool], list[Trade]]
"""Returns the trades of the instrument since a time in ms, newest first, without annulled ones.

The second argument: only those of the present trading day. Older ones than of the day before are not known.
"""


class Candles:
    """The candles of one interval length, oldest first. A time without trades has no candle."""

    def __init__(self, interval: str) -> None:
        self.interval = interval
        self.kept: deque[Candle] = deque(maxlen=KEPT)
        self._length = INTERVALS[interval]
        self._until = 0
        """The time in ms at which the newest candle ends."""
        self._day: int | None = None
        """The beginning of the present trading day, in ms, if these are daily candles and a day has begun."""

    def begin_day(self, trading_day: str) -> None:
        """Begin a trading day, an ISO date: trades from now on belong to it, until the next one begins.

        A text that is no date, which no gateway accepts, is ignored.
        """
        try:
            day = date.fromisoformat(trading_day)
        except ValueError:
            return
        self._day = (day - EPOCH).days * DAY_MS - CHINA_OFFSET_MS
        self._until = NEVER if self.kept and self.kept[-1].start == self._day else 0

    def state(self) -> tuple[list[Candle], int, int | None]:
        """Return everything, for ``restore``."""
        return list(self.kept), self._until, self._day

    def restore(self, kept: list[Candle], until: int, day: int | None) -> None:
        """Restore what ``state`` returned, into empty candles."""
        self.kept.extend(kept)
        self._until = until
        self._day = day

    def add(self, at: int, price: int, quantity: int) -> None:
        """Add a trade. Time in ms never runs backward."""
        if at >= self._until:
            start = self._start_of(at)
            self._until = start + self._length if self._day is None else NEVER
            self.kept.append(Candle(start, price, price, price, price, quantity, 1))
            return
        last = self.kept[-1]
        if price > last.high:
            last.high = price
        elif price < last.low:
            last.low = price
        last.close = price
        last.volume += quantity
        last.trades += 1

    def bust(self, event: TradeBusted, standing: StandingTrades) -> Candle | None:
        """Take an annulled trade of this trading day out of its candle, and return a copy of that as it is now.

        A candle without trades is not kept any more; the copy then has no volume and no trades. None: the candle is too
        old to be kept.
        """
        start = self._start_of(event.traded_at)
        candle = next((one for one in reversed(self.kept) if one.start == start), None)
        if candle is None:
            return None
        candle.volume -= event.quantity
        candle.trades -= 1
        if not candle.trades:
            if candle is self.kept[-1]:
                self._until = 0
            self.kept.remove(candle)
        elif event.price in (candle.open, candle.high, candle.low, candle.close):
            self._find_prices(candle, standing)
        return copy(candle)

    def _find_prices(self, candle: Candle, standing: StandingTrades) -> None:
        """Find the prices of a candle in its trades; they stay if not all of them are known any more."""
        if self._day is None:
            until = candle.start + self._length
            prices = [trade.price for trade in standing(candle.start, False) if trade.at < until]
        else:
            prices = [trade.price for trade in standing(0, True)]
        if len(prices) == candle.trades:
            candle.open, candle.close = prices[-1], prices[0]
            candle.high, candle.low = max(prices), min(prices)

    def _start_of(self, at: int) -> int:
        """Return the start of the candle of a trade of the present trading day."""
        return at - (at + CHINA_OFFSET_MS) % self._length if self._day is None else self._day


def write_candle(candle: Candle) -> dict[str, Any]:
    """Return the protocol's form of a candle."""
    return {
        "start": candle.start,
        "open": units.format_price(candle.open),
        "high": units.format_price(candle.high),
        "low": units.format_price(candle.low),
        "close": units.format_price(candle.close),
        "volume": units.format_weight(candle.volume),
        "trades": candle.trades,
    }


def candle_content(candle: tuple[int, Candle | None]) -> Content:
    """Return the message of a candles channel for a candle and its time, or for none."""
    at, last = candle
    return Content(at, last and write_candle(last))
