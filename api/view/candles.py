"""Candles: the trades of one instrument by time. They begin at full minutes and hours, days at midnight in China."""

from collections import deque
from typing import Any, Final

from api.view.records import Candle
from goldx.protocol import units

INTERVALS: Final = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "1d": 86_400_000}
"""Name -> length in ms."""
CHINA_MS: Final = 8 * 3_600_000
KEPT: Final = 1_500


class Candles:
    """The candles of one interval, oldest first; an interval without trades has none."""

    def __init__(self, interval: str) -> None:
        self.interval = interval
        self.kept: deque[Candle] = deque(maxlen=KEPT)
        self._length = INTERVALS[interval]
        self._until = 0
        """When the newest one ends."""

    def add(self, at: int, price: int, quantity: int) -> None:
        """One trade; time never runs backward."""
        if at >= self._until:
            start = at - (at + CHINA_MS) % self._length
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
    """The protocol's form of a candle."""
    return {
        "start": candle.start,
        "open": units.format_price(candle.open),
        "high": units.format_price(candle.high),
        "low": units.format_price(candle.low),
        "close": units.format_price(candle.close),
        "volume": units.format_weight(candle.volume),
        "trades": candle.trades,
    }
