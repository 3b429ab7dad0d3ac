"""An instrument: its definition, its phase, and the two sides of its book."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sortedcontainers import SortedList

from goldx.protocol import terms
from goldx.protocol.events import InstrumentDefined
from goldx.protocol.units import MAX_PRICE_FEN, MAX_WEIGHT_MG
from matching.core.book import Side
from matching.core.regime_terms import Regime

TERMS: Final = InstrumentDefined.__struct_fields__[3:]
"""The names of the terms, in the order of ``Definition.values``: the event's fields after sequence, time and symbol."""


FIRST_TERMS: Final = TERMS.index("reopening_steps")
"""The number of terms that the first version knew."""


_NEWER_TERMS: Final = TERMS[FIRST_TERMS:]
"""The names of the terms that older definitions have not: they are None there."""


class Definition:
    """The terms of an instrument: the fields of ``goldx.protocol.events.InstrumentDefined`` after its symbol."""

    __slots__ = (
        "bust_window_ms",
        "deal_delay_ms",
        "deal_report_ms",
        "dynamic_band_percent",
        "form",
        "interruption_ms",
        "lot",
        "lower_price_limit",
        "maker_fee_bp",
        "market_protection",
        "max_fineness",
        "max_holders",
        "max_quantity",
        "min_fineness",
        "name",
        "name_zh",
        "price_limit_percent",
        "price_rule",
        "reference_price",
        "reopening_steps",
        "resale_lock_days",
        "same_day_reuse_percent",
        "taker_fee_bp",
        "tick",
        "upper_price_limit",
    )

    name: str
    name_zh: str
    form: str
    min_fineness: int
    max_fineness: int
    tick: int
    lot: int
    max_quantity: int | None
    price_limit_percent: int | None
    lower_price_limit: int | None
    upper_price_limit: int | None
    market_protection: int | None
    reference_price: int | None
    maker_fee_bp: int
    taker_fee_bp: int
    price_rule: int
    dynamic_band_percent: int | None
    interruption_ms: int
    resale_lock_days: int
    same_day_reuse_percent: int
    reopening_steps: int | None
    bust_window_ms: int | None
    max_holders: int | None
    deal_report_ms: int | None
    deal_delay_ms: int | None

    def __init__(self, values: Iterable[Any]) -> None:
        (
            self.name,
            self.name_zh,
            self.form,
            self.min_fineness,
            self.max_fineness,
            self.tick,
            self.lot,
            self.max_quantity,
            self.price_limit_percent,
            self.lower_price_limit,
            self.upper_price_limit,
            self.market_protection,
            self.reference_price,
            self.maker_fee_bp,
            self.taker_fee_bp,
            self.price_rule,
            self.dynamic_band_percent,
            self.interruption_ms,
            self.resale_lock_days,
            self.same_day_reuse_percent,
            *newer,
        ) = values
        (
            self.reopening_steps,
            self.bust_window_ms,
            self.max_holders,
            self.deal_report_ms,
            self.deal_delay_ms,
        ) = newer + [None for _ in _NEWER_TERMS[len(newer) :]]

    def written(self) -> tuple[Any, ...]:
        """Return the fields in the order of the event, without those at the end that are None.

        So an instrument without terms that older versions did not know has the event and the snapshot that they gave.
        """
        found = self.values()
        count = len(found)
        while count > FIRST_TERMS and found[count - 1] is None:
            count -= 1
        return found[:count]

    def values(self) -> tuple[Any, ...]:
        """Return the fields in the order of the event."""
        return (
            self.name,
            self.name_zh,
            self.form,
            self.min_fineness,
            self.max_fineness,
            self.tick,
            self.lot,
            self.max_quantity,
            self.price_limit_percent,
            self.lower_price_limit,
            self.upper_price_limit,
            self.market_protection,
            self.reference_price,
            self.maker_fee_bp,
            self.taker_fee_bp,
            self.price_rule,
            self.dynamic_band_percent,
            self.interruption_ms,
            self.resale_lock_days,
            self.same_day_reuse_percent,
            self.reopening_steps,
            self.bust_window_ms,
            self.max_holders,
            self.deal_report_ms,
            self.deal_delay_ms,
        )


class Instrument:
    """An instrument and its book.

    The terms that matching needs are copied from ``definition`` into attributes of their own, with 0 for what is not
    given. ``low`` and ``high`` are the price limits in force: inclusive, rounded inward to the tick.
    """

    __slots__ = (
        "asks",
        "band",
        "bids",
        "buy_stops",
        "deal_delay",
        "deal_report",
        "definition",
        "delay",
        "extensions",
        "guarded",
        "held",
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
        "max_holders",
        "max_quantity",
        "median",
        "open_deals",
        "open_requests",
        "pending_stops",
        "phase",
        "plain",
        "planned_at",
        "proposed_by",
        "proposed_price",
        "protection",
        "reference",
        "regime_hold_days",
        "regime_is_guarded",
        "reopening_centre",
        "reopening_steps",
        "retired",
        "reuse_percent",
        "sell_stops",
        "symbol",
        "taker_fee",
        "tick",
    )

    definition: Definition

    def __init__(self, symbol: str) -> None:
        self.symbol: str = symbol
        self.phase: int = terms.CLOSED
        self.bids: Side = Side(terms.BUY)
        self.asks: Side = Side(terms.SELL)
        self.buy_stops: SortedList[tuple[int, int]] = SortedList()
        """(stop price, order number) of the pending buy stops, which trigger at that price or higher."""
        self.sell_stops: SortedList[tuple[int, int]] = SortedList()
        self.pending_stops: int = 0
        """The number of pending stops on both sides."""
        self.last: int = 0
        """The price of the last trade; 0 before the first."""
        self.reference: int = 0
        self.proposed_price: int = 0
        """A reference price far from the last, given by one person and not by a second one; 0 if there is none."""
        self.proposed_by: str = ""
        self.retired: bool = False
        self.indicated: tuple[int | None, int | None] = (None, None)
        """The (price, quantity) last published for the running auction."""
        self.interrupted_until: int = 0
        """When a volatility interruption ends; 0 if there is none."""
        self.planned_at: int = 0
        """The planned time of the newest step of the timetable that was taken; 0 if none was."""
        self.held: bool = False
        """Whether the steps of its timetable are refused."""
        self.delay: tuple[int, int, int] = (0, 0, 0)
        """(first, last, ms): steps planned from the first to the last time are due that much later."""
        self.reopening_steps: int = 0
        """How many times the auction of an interruption may be extended; 0: it ends with whatever price it finds."""
        self.reopening_centre: int = 0
        """The price around which the corridor of the present interruption lies; 0 if there is none."""
        self.extensions: int = 0
        """How many times the auction of the present interruption has been extended."""
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
        """The dynamic price band, in percent of the price around which it lies."""
        self.interruption_ms: int = 0
        self.lock_days: int = 0
        self.reuse_percent: int = 100
        self.max_holders: int = 0
        """The most holders, those who want to buy included; 0: no limit."""
        self.regime_hold_days: int = 0
        self.regime_is_guarded: bool = False
        self.guarded: bool = False
        """True if the legal regime or the limit of holders may refuse an order."""
        self.open_deals: int = 0
        """The number of proposed deals that are open."""
        self.open_requests: int = 0
        """The number of requests for quotes that are open."""
        self.deal_report: int = terms.DEFAULT_DEAL_REPORT_MS
        """How long after it was agreed elsewhere a deal may be reported, in ms."""
        self.deal_delay: int = 0
        """How long after its trade a deal is published, in ms."""
        self.plain: bool = True
        """True if every trade is at the maker's price, whatever it is, what it earns is free, and nothing counts it."""

    def define(self, definition: Definition) -> None:
        """Replace the terms."""
        self.definition = definition
        self.tick = definition.tick
        self.lot = definition.lot
        self.max_quantity = definition.max_quantity or MAX_WEIGHT_MG
        self.protection = definition.market_protection or 0
        self.maker_fee = definition.maker_fee_bp
        self.taker_fee = definition.taker_fee_bp
        self.highest_fee = max(self.maker_fee, self.taker_fee)
        self.median = definition.price_rule == terms.MEDIAN_PRICE
        self.band = definition.dynamic_band_percent or 0
        self.interruption_ms = definition.interruption_ms
        self.reopening_steps = definition.reopening_steps or 0
        report = definition.deal_report_ms
        self.deal_report = terms.DEFAULT_DEAL_REPORT_MS if report is None else report
        self.deal_delay = definition.deal_delay_ms or 0
        self.lock_days = definition.resale_lock_days
        self.reuse_percent = definition.same_day_reuse_percent
        self.max_holders = definition.max_holders or 0
        self._find_rules()
        self.set_reference(definition.reference_price or 0)

    def regulate(self, regime: Regime | None) -> None:
        """Let a legal regime be in force; None before the first."""
        self.regime_hold_days = 0 if regime is None else regime.hold_days
        self.regime_is_guarded = regime is not None and regime.is_guarded()
        self._find_rules()

    def _find_rules(self) -> None:
        """Set what follows from the terms together with the regime."""
        self.lock_days = max(self.definition.resale_lock_days, self.regime_hold_days)
        self.guarded = self.regime_is_guarded or self.max_holders > 0
        self.plain = not (self.median or self.band or self.lock_days or self.guarded) and self.reuse_percent == 100

    def set_reference(self, reference: int) -> None:
        """Change the reference price (0: none), and with it the limits that are given as a percentage of it."""
        definition = self.definition
        self.reference = reference
        definition.reference_price = reference or None
        percent = definition.price_limit_percent
        lower = definition.lower_price_limit
        upper = definition.upper_price_limit
        if percent is not None and reference:
            if lower is None:
                lower = -(-reference * (100 - percent) // 100)
            if upper is None:
                upper = reference * (100 + percent) // 100
        tick = self.tick
        self.low = max(tick, -(-(lower or 0) // tick) * tick)
        self.high = min(upper or MAX_PRICE_FEN, MAX_PRICE_FEN) // tick * tick

    def has_open_orders(self) -> bool:
        """Return whether any order rests or any stop is pending."""
        return bool(self.bids.levels or self.asks.levels or self.pending_stops)

    def opposite(self, side: int) -> Side:
        """Return the side of the book that orders of a side trade with."""
        return self.asks if side == terms.BUY else self.bids

    def own(self, side: int) -> Side:
        """Return the side of the book on which orders of a side rest."""
        return self.bids if side == terms.BUY else self.asks

    def stops(self, side: int) -> SortedList[tuple[int, int]]:
        """Return the pending stops of a side."""
        return self.buy_stops if side == terms.BUY else self.sell_stops
