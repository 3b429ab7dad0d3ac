"""One instrument as its public channels tell it: what a screen shows, and what a program looks at before it trades.

Prices are fen per fine gram, weights fine milligrams, inside as everywhere.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, NamedTuple
from zlib import crc32

from sortedcontainers import SortedDict

from goldx.client.session import ExchangeClient
from goldx.protocol import units

TAPE: Final = 40
LOOK_SECONDS: Final = 2.0
"""How often to look for new instruments."""
CHANNELS: Final = ("book.{}", "trades.{}", "status.{}", "candles.{}.1d")


class Print(NamedTuple):
    """One trade on the tape; ``taker_side`` is None in an uncross."""

    trade_id: int
    at: int
    price: int
    quantity: int
    taker_side: str | None


class WrongBook(RuntimeError):
    """The book kept from the channel is not the gateway's: the checksum differs."""


class LocalMarket:
    """Fed with channel messages. ``version`` grows with each, so that a screen knows whether there is anything to draw.

    ``trades`` and ``traded`` are the day's.
    """

    def __init__(self, instrument: Mapping[str, Any]) -> None:
        self.symbol: str = instrument["symbol"]
        self.name: str = instrument["name"]
        self.name_zh: str = instrument["name_zh"]
        self.phase: str = instrument["phase"]
        self.last: int | None = None
        self.rising = True
        self.indicative: tuple[int, int] | None = None
        self.trades = 0
        self.traded = 0
        self.tape: deque[Print] = deque(maxlen=TAPE)
        self.version = 0
        self._bids: SortedDict[int, int] = SortedDict(int.__neg__)
        self._asks: SortedDict[int, int] = SortedDict()
        self._checksum = 0

    def bids(self, levels: int) -> list[tuple[int, int]]:
        """The best levels, (price, weight), best first."""
        return list(self._bids.items()[:levels])

    def asks(self, levels: int) -> list[tuple[int, int]]:
        """The best levels, (price, weight), best first."""
        return list(self._asks.items()[:levels])

    def apply(self, message: Mapping[str, Any]) -> None:
        """One message of a channel of this instrument. Raises WrongBook."""
        kind, data = message["channel"].partition(".")[0], message["data"]
        if kind == "book":
            self._levels(message)
        elif kind == "trades":
            self.print(data)
        elif kind == "status":
            self._status(data)
        elif kind == "candles" and data is not None:
            self.trades, self.traded = data["trades"], units.parse_weight(data["volume"])
        self.version += 1

    def print(self, trade: Mapping[str, Any]) -> None:
        """One public trade, unless it is on the tape already."""
        if self.tape and trade["trade_id"] <= self.tape[0].trade_id:
            return
        price, quantity = units.parse_price(trade["price"]), units.parse_weight(trade["quantity"])
        self.tape.appendleft(Print(trade["trade_id"], trade["at"], price, quantity, trade["taker_side"]))
        self._priced(price)

    def _levels(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "snapshot":
            self._bids.clear()
            self._asks.clear()
            self._checksum = 0
        for word, side, levels in (("buy", self._bids, "bids"), ("sell", self._asks, "asks")):
            for price_text, weight_text in message["data"][levels]:
                price, weight = units.parse_price(price_text), units.parse_weight(weight_text)
                before = side.pop(price, 0)
                if before:
                    self._checksum ^= _level_checksum(word, price, before)
                if weight:
                    self._checksum ^= _level_checksum(word, price, weight)
                    side[price] = weight
        if self._checksum != message["checksum"]:
            raise WrongBook(
                f"{self.symbol}: checksum {self._checksum} of the book kept, {message['checksum']} announced"
            )

    def _status(self, data: Mapping[str, Any]) -> None:
        self.phase = data["phase"]
        if data["last_price"] is not None:
            self._priced(units.parse_price(data["last_price"]))
        self.indicative = None
        if data["indicative_price"] is not None:
            quantity = units.parse_weight(data["indicative_quantity"])
            self.indicative = (units.parse_price(data["indicative_price"]), quantity)

    def _priced(self, price: int) -> None:
        if self.last is not None and price != self.last:
            self.rising = price > self.last
        self.last = price


def _level_checksum(side: str, price: int, weight: int) -> int:
    """As the protocol defines it: CRC-32 of a level's text, such as ``buy:612.35:100``; levels are combined by xor."""
    return crc32(f"{side}:{units.format_price(price)}:{units.format_weight(weight)}".encode())


async def follow(exchange: ExchangeClient, markets: MutableMapping[str, LocalMarket]) -> None:
    """Keeps markets up to date from a session's public channels, new instruments too, until the connection ends.

    A market that is in ``markets`` already is kept and goes on from a snapshot. Raises WrongBook, and what the session
    raises.
    """
    followed: set[str] = set()
    try:
        async with asyncio.TaskGroup() as followers:
            while True:
                for instrument in (await exchange.call("market.instruments"))["instruments"]:
                    symbol = instrument["symbol"]
                    if symbol not in followed:
                        followed.add(symbol)
                        market = markets.setdefault(symbol, LocalMarket(instrument))
                        followers.create_task(_follow_one(exchange, market))
                await asyncio.sleep(LOOK_SECONDS)
    except ExceptionGroup as several:
        raise several.exceptions[0] from several


async def _follow_one(exchange: ExchangeClient, market: LocalMarket) -> None:
    recent = await exchange.call("market.trades", symbol=market.symbol, limit=TAPE)
    for trade in reversed(recent["trades"]):
        market.print(trade)
    async for message in exchange.subscribe(*(channel.format(market.symbol) for channel in CHANNELS)):
        market.apply(message)
