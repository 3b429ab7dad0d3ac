"""An instrument: its terms, its phase, and the two sides of its book."""

from __future__ import annotations

from typing import Any

from sortedcontainers import SortedList

from goldx.protocol import terms
from goldx.protocol.units import MAX_PRICE_FEN, MAX_WEIGHT_MG
from matching.core.book import Side


class Instrument:
    """``definition`` holds the fields of instrument.defined in their order; what matching needs of it stands beside it.

    ``low`` and ``high`` are the price limits in force: inclusive, rounded inward to the tick.
    """

    __slots__ = (
        "asks",
        "band",
        "bids",
        "buy_stops",
        "definition",
        "high",
        "highest_fee",
        "indicated",
        "interrupted_until",
        "interruption_ms",
        "last",
        "lock_days",
        "lot",
        "low",
        "maker_fee",
        "max_quantity",
        "median",
        "phase",
        "plain",
        "protection",
        "reference",
        "reuse_percent",
        "sell_stops",
        "symbol",
        "taker_fee",
        "tick",
        "waiting",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol: str = symbol
        self.phase: int = terms.CLOSED
        self.bids: Side = Side(terms.BUY)
        self.asks: Side = Side(terms.SELL)
        self.buy_stops: SortedList[tuple[int, int]] = SortedList()
        """(stop price, order id) of the stops that wait for a higher price."""
        self.sell_stops: SortedList[tuple[int, int]] = SortedList()
        self.waiting: int = 0
        """How many stops wait, on both sides."""
        self.last: int = 0
        """Price of the last trade; 0: none yet."""
        self.reference: int = 0
        self.indicated: tuple[int | None, int | None] = (None, None)
        """The last published (price, quantity) of the running auction."""
        self.interrupted_until: int = 0
        """When a volatility interruption ends; 0: there is none."""
        self.definition: tuple[Any, ...] = ()
        self.tick: int = 1
        self.lot: int = 1_000
        self.max_quantity: int = MAX_WEIGHT_MG
        self.low: int = 1
        self.high: int = MAX_PRICE_FEN
        self.protection: int = 0
        self.maker_fee: int = 0
        self.taker_fee: int = 0
        self.highest_fee: int = 0
        self.median: bool = False
        self.band: int = 0
        self.interruption_ms: int = 0
        self.lock_days: int = 0
        self.reuse_percent: int = 100
        self.plain: bool = True
        """Its trades are at the maker's price, whatever it is, and what they earn is free at once."""

    def define(self, definition: tuple[Any, ...]) -> None:
        """Takes over terms, given in the order of the fields of instrument.defined after ``symbol``."""
        self.definition = definition
        self.tick = definition[5]
        self.lot = definition[6]
        self.max_quantity = definition[7] or MAX_WEIGHT_MG
        self.protection = definition[11] or 0
        self.maker_fee = definition[13]
        self.taker_fee = definition[14]
        self.highest_fee = max(self.maker_fee, self.taker_fee)
        self.median = definition[15] == terms.MEDIAN_PRICE
        self.band = definition[16] or 0
        self.interruption_ms = definition[17]
        self.lock_days = definition[18]
        self.reuse_percent = definition[19]
        self.plain = not (self.median or self.band or self.lock_days) and self.reuse_percent == 100
        self.set_reference(definition[12] or 0)

    def set_reference(self, reference: int) -> None:
        """The reference price moves, and with it limits that are given as a percentage of it."""
        self.reference = reference
        self.definition = (*self.definition[:12], reference or None, *self.definition[13:])
        percent: int | None = self.definition[8]
        lower: int | None = self.definition[9]
        upper: int | None = self.definition[10]
        if percent is not None and reference:
            if lower is None:
                lower = -(-reference * (100 - percent) // 100)
            if upper is None:
                upper = reference * (100 + percent) // 100
        tick = self.tick
        self.low = max(tick, -(-(lower or 0) // tick) * tick)
        self.high = min(upper or MAX_PRICE_FEN, MAX_PRICE_FEN) // tick * tick

    def idle(self) -> bool:
        """Whether no order is open."""
        return not (self.bids.levels or self.asks.levels or self.waiting)

    def opposite(self, side: int) -> Side:
        """The side of the book that an order of a side trades with."""
        return self.asks if side == terms.BUY else self.bids

    def own(self, side: int) -> Side:
        """The side of the book on which an order of a side rests."""
        return self.bids if side == terms.BUY else self.asks

    def stops(self, side: int) -> SortedList[tuple[int, int]]:
        """The waiting stops of a side."""
        return self.buy_stops if side == terms.BUY else self.sell_stops
