"""Candles: the prices and volume of one instrument by interval.

The candle of a day is that of the trading day, which ends with ``market.end_day`` and not at midnight: evening trades
after it belong to the next trading day. A day's candle is dated at the midnight in China with which its date begins.
Before the first trading day has begun, the days are calendar days in China.
"""

from collections import deque
from datetime import date
from typing import Any, Final

from api.view.records import Candle
from goldx.protocol import units

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
            if self._day is None:
                start = at - (at + CHINA_OFFSET_MS) % self._length
                self._until = start + self._length
            else:
                start = self._day
                self._until = NEVER
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
