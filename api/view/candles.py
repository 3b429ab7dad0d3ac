"""Candles: the prices and volume of one instrument by interval. Days begin at midnight in China."""

from collections import deque
from typing import Any, Final

from api.view.records import Candle
from goldx.protocol import units

INTERVALS: Final = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "1d": 86_400_000}
"""By name: the length in ms."""
CHINA_OFFSET_MS: Final = 8 * 3_600_000
"""China Standard Time is UTC+8."""
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

    def add(self, at: int, price: int, quantity: int) -> None:
        """Add a trade. Time in ms never runs backward."""
        if at >= self._until:
            start = at - (at + CHINA_OFFSET_MS) % self._length
            self._until = start + self._length
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
