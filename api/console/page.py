"""The book page: the live order book of an instrument with its last trades.

The page is built once for each browser. Ten times a second the browser gets the changes, if there are any.
"""

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from api.console.feed import CONNECTED, PRESENT, Feed
from api.console.words import LANGUAGES, WORDS, preferred
from goldx.client.local_book import LocalBook, Print
from goldx.protocol import units

LEVELS: Final = 14
TAPE: Final = 29
REFRESH_SECONDS: Final = 0.1
_STYLE = Path(__file__).with_name("console.css")

Row = tuple[str, str, int]


class Screen(Element, component="screen.js"):
    """The live part of the page. It keeps what the browser shows, and sends only differences."""

    def __init__(self, words: dict[str, str]) -> None:
        super().__init__()
        self.props.update(words=words, levels=LEVELS, tape=TAPE)
        self._market: LocalBook | None = None
        self._version = -1
        self._printed = 0
        """How many trades had been put on the tape when the browser got it."""
        self._removed = 0
        """How many annulled trades had been taken off the tape when the browser got it."""
        self._facts: dict[str, str] = {}
        self._rows: dict[str, list[Row]] = {}
        self._reset()

    def _reset(self) -> None:
        self._printed = self._removed = 0
        self._facts = {}
        self._rows = {"asks": [("", "", 0)] * LEVELS, "bids": [("", "", 0)] * LEVELS}

    def set_words(self, words: dict[str, str]) -> None:
        """Change the language."""
        self.props["words"] = words
        self.update()

    def show(self, market: LocalBook) -> None:
        """Send the browser what has changed since the last call."""
        if market is self._market and market.version == self._version:
            return
        delta: dict[str, Any] = {}
        if market is not self._market:
            self._reset()
            delta["reset"] = True
        self._market, self._version = market, market.version
        facts = _facts(market)
        if changed := {name: value for name, value in facts.items() if self._facts.get(name) != value}:
            delta["facts"] = changed
            self._facts = facts
        for side, rows in _rows(market).items():
            shown = self._rows[side]
            if rows != shown:
                delta[side] = [(index, *row) for index, row in enumerate(rows) if row != shown[index]]
                self._rows[side] = rows
        if market.removed != self._removed:
            delta["tape"] = [_trade_row(trade) for trade in market.tape]
        elif market.printed != self._printed:
            new = islice(market.tape, market.printed - self._printed)
            delta["trades"] = [_trade_row(trade) for trade in new][:TAPE]
        self._printed, self._removed = market.printed, market.removed
        if delta:
            self.run_method("apply", delta)


def _facts(market: LocalBook) -> dict[str, str]:
    bid, ask = next(iter(market.bids(1)), None), next(iter(market.asks(1)), None)
    facts = {"phase": market.phase, "traded": units.format_weight(market.traded)}
    facts["last"] = units.format_price(market.last) if market.last else ""
    facts["best_bid"] = units.format_price(bid[0]) if bid else ""
    facts["best_ask"] = units.format_price(ask[0]) if ask else ""
    facts["spread"] = units.format_price(ask[0] - bid[0]) if ask and bid and ask > bid else ""
    facts["indicative"] = ""
    if market.indicative is not None:
        price, weight = market.indicative
        facts["indicative"] = f"{units.format_price(price)} × {units.format_weight(weight)}"
    return facts


def _rows(market: LocalBook) -> dict[str, list[Row]]:
    """Return LEVELS rows for each side, best first. The number in a row is the length of its bar in per cent."""
    shown = {"asks": market.asks(LEVELS), "bids": market.bids(LEVELS)}
    deepest = max((weight for levels in shown.values() for _, weight in levels), default=1)
    rows: dict[str, list[Row]] = {}
    for side, levels in shown.items():
        rows[side] = [(units.format_price(p), units.format_weight(w), w * 100 // deepest) for p, w in levels]
        rows[side] += [("", "", 0)] * (LEVELS - len(levels))
    return rows


def _trade_row(trade: Print) -> tuple[int, str, str, str, str]:
    clock = time.strftime("%H:%M:%S", time.localtime(trade.at / 1_000))
    price, weight = units.format_price(trade.price), units.format_weight(trade.quantity)
    return trade.trade_id, clock, price, weight, trade.taker_side or trade.kind


def _title(market: LocalBook, language: str) -> str:
    name = market.name_zh if language == "zh" else market.name
    return f"{market.symbol} {name}".rstrip()


def build(feed: Feed) -> Callable[[Request], None]:
    """Return the page function over a feed, for ``ui.page``."""

    def book(request: Request, lang: str = "") -> None:
        language = lang if lang in WORDS else preferred(request.headers.get("accept-language", ""))
        ui.add_css(_STYLE)
        ui.query("body").classes(f"gx-{language}")
        with ui.element("div").classes("gx-top"):
            ui.label("GoldX").classes("gx-brand")
            title = ui.label(WORDS[language]["title"])
            symbols = ui.toggle(list(feed.markets)).props("dense unelevated no-caps toggle-color=amber-9")
            ui.element("div").classes("gx-grow")
            state = ui.label().classes("gx-state")
            languages = ui.toggle(LANGUAGES, value=language).props("dense flat no-caps toggle-color=amber-6")
        notice = ui.label().classes("gx-notice")
        screen = Screen(WORDS[language])

        def refresh() -> None:
            words = WORDS[languages.value]
            state.set_text(words[feed.state])
            state.classes(replace="gx-state " + ("gx-on" if feed.state == CONNECTED else "gx-off"))
            screen.classes(remove="gx-stale") if feed.state in PRESENT else screen.classes(add="gx-stale")
            names = {symbol: _title(market, languages.value) for symbol, market in feed.markets.items()}
            if symbols.options != names:
                symbols.set_options(names, value=symbols.value or next(iter(names), None))
            notice.set_text(words["no_instruments"])
            notice.set_visibility(not names)
            screen.set_visibility(bool(names))
            if symbols.value is not None:
                screen.show(feed.markets[symbols.value])

        def set_language() -> None:
            title.set_text(WORDS[languages.value]["title"])
            screen.set_words(WORDS[languages.value])
            ui.query("body").classes(replace=f"gx-{languages.value}")
            refresh()

        languages.on_value_change(set_language)
        symbols.on_value_change(refresh)
        ui.timer(REFRESH_SECONDS, refresh)

    return book
