"""A local copy of one instrument's public market: its book, its last trades and its status, kept from the channels.

Prices are fen per fine gram, weights fine milligrams.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Final, NamedTuple
from zlib import crc32

from sortedcontainers import SortedDict

from goldx.client.errors import when_allowed
from goldx.client.results import Message
from goldx.client.session import ExchangeClient
from goldx.protocol import units

TAPE: Final = 40
"""How many of the last trades are kept."""
NEW_INSTRUMENTS_SECONDS: Final = 2.0
"""How often ``follow`` asks for new instruments."""
INSTRUMENTS_PAGE: Final = 100
"""Instruments in one page of their list, which costs about as many units as a quarter of them."""
INSTRUMENTS_OF_A_SESSION: Final = 50
"""A session may subscribe to 200 channels."""
OF_ORDERS: Final = ("book", "auction")
"""Kinds of trades that make the last price."""
CHANNELS: Final = ("book.{}", "trades.{}", "status.{}", "candles.{}.1d")


class Print(NamedTuple):
    """One trade on the tape; ``taker_side`` is None in an uncross and for a trade without orders, such as a deal."""

    trade_id: int
    at: int
    price: int
    quantity: int
    taker_side: str | None
    kind: str = "book"


class WrongBook(RuntimeError):
    """The local book differs from the gateway's: the checksums are not the same."""


class LocalBook:
    """The book of one instrument, updated by ``apply`` with every message of its public channels.

    ``trades`` and ``traded`` (fine milligrams) are the day's. ``version`` grows with each message, so that a screen can
    see whether there is anything new to draw.
    """

    def __init__(self, instrument: Mapping[str, Any]) -> None:
        self.symbol: str = instrument["symbol"]
        self.name: str = instrument["name"]
        self.name_zh: str = instrument["name_zh"]
        self.phase: str = instrument["phase"]
        self.last: int | None = None
        self.rising = True
        self.indicative: tuple[int, int] | None = None
        """Price and quantity of the uncross, as they would be now."""
        self.trouble: str | None = None
        """Why orders are not taken or not matched now, as the gateway has said it, or None."""
        self.trades = 0
        self.traded = 0
        self.tape: deque[Print] = deque(maxlen=TAPE)
        self.printed = 0
        """How many trades have been put on the tape. Their ids do not always grow: a deal may be published late."""
        self.removed = 0
        """How many annulled trades have been taken off the tape."""
        self.version = 0
        self._bids: SortedDict[int, int] = SortedDict(int.__neg__)
        self._asks: SortedDict[int, int] = SortedDict()
        self._checksum = 0

    def bids(self, levels: int) -> list[tuple[int, int]]:
        """Return the best levels to buy, (price, weight), best first."""
        return list(self._bids.items()[:levels])

    def asks(self, levels: int) -> list[tuple[int, int]]:
        """Return the best levels to sell, (price, weight), best first."""
        return list(self._asks.items()[:levels])

    def apply(self, message: Mapping[str, Any]) -> None:
        """Apply one message of a channel of this instrument. Raises WrongBook."""
        kind, data = message["channel"].partition(".")[0], message["data"]
        if kind == "book":
            self._apply_levels(message)
        elif message["type"] == "gap":
            pass  # trades that are no longer kept
        elif kind == "trades" and data.get("busted"):
            self._remove_trade(data["trade_id"])
        elif kind == "trades":
            self.add_trade(data)
        elif kind == "status":
            self._apply_status(data)
            if message["type"] != "update":
                self.trouble = data.get("trouble")
        elif kind == "candles" and data is not None:
            self.trades, self.traded = data["trades"], units.parse_weight(data["volume"])
        self.version += 1

    def add_trade(self, trade: Mapping[str, Any]) -> None:
        """Put one public trade on the tape, unless it is there already or was annulled.

        A trade without orders may be published after newer ones, and its price is not the last price.
        """
        number, of_orders = trade["trade_id"], trade["kind"] in OF_ORDERS
        newest = max((one.trade_id for one in self.tape if one.kind in OF_ORDERS), default=0)
        known = number <= newest if of_orders else any(one.trade_id == number for one in self.tape)
        if known or trade.get("busted"):
            return
        price, quantity = units.parse_price(trade["price"]), units.parse_weight(trade["quantity"])
        self.tape.appendleft(Print(number, trade["at"], price, quantity, trade["taker_side"], trade["kind"]))
        self.printed += 1
        if of_orders:
            self._set_last(price)

    def _remove_trade(self, trade_id: int) -> None:
        """Take an annulled trade off the tape. The status has the last price that counts now."""
        standing = [trade for trade in self.tape if trade.trade_id != trade_id]
        if len(standing) < len(self.tape):
            self.tape.clear()
            self.tape.extend(standing)
            self.removed += 1

    def _apply_levels(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "snapshot":
            self._bids.clear()
            self._asks.clear()
            self._checksum = 0
        for side_name, side, levels in (("buy", self._bids, "bids"), ("sell", self._asks, "asks")):
            for price_text, weight_text in message["data"][levels]:
                price, weight = units.parse_price(price_text), units.parse_weight(weight_text)
                before = side.pop(price, 0)
                if before:
                    self._checksum ^= _level_checksum(side_name, price, before)
                if weight:
                    self._checksum ^= _level_checksum(side_name, price, weight)
                    side[price] = weight
        if self._checksum != message["checksum"]:
            raise WrongBook(
                f"{self.symbol}: the local book has the checksum {self._checksum}, the gateway's {message['checksum']}"
            )

    def _apply_status(self, data: Mapping[str, Any]) -> None:
        self.phase = data["phase"]
        if data["last_price"] is None:
            self.last = None
        else:
            self._set_last(units.parse_price(data["last_price"]))
        self.indicative = None
        if data["indicative_price"] is not None:
            quantity = units.parse_weight(data["indicative_quantity"])
            self.indicative = (units.parse_price(data["indicative_price"]), quantity)

    def _set_last(self, price: int) -> None:
        if self.last is not None and price != self.last:
            self.rising = price > self.last
        self.last = price


def _level_checksum(side: str, price: int, weight: int) -> int:
    """Return the CRC-32 of a level's text, such as ``buy:612.35:100``; a book's checksum is the xor of its levels'."""
    return crc32(f"{side}:{units.format_price(price)}:{units.format_weight(weight)}".encode())


async def follow(
    open_client: Callable[[], ExchangeClient],
    books: MutableMapping[str, LocalBook],
    current: Callable[[], None] = lambda: None,
) -> None:
    """Keep the books of all instruments up to date, new instruments too, until a connection ends.

    ``open_client`` makes a client of the gateway, which is opened and closed here: one session follows
    ``INSTRUMENTS_OF_A_SESSION`` instruments, and more sessions are opened as needed. A book that is in ``books``
    already is kept and goes on from a snapshot. ``current`` is called whenever the books of all instruments are found
    to have begun. Raises WrongBook, and the client's errors.
    """
    followed: set[str] = set()
    async with contextlib.AsyncExitStack() as sessions:
        client = await sessions.enter_async_context(open_client())
        try:
            async with asyncio.TaskGroup() as followers:
                while True:
                    for instrument in await _instruments(client):
                        symbol = instrument["symbol"]
                        if symbol in followed:
                            continue
                        if followed and len(followed) % INSTRUMENTS_OF_A_SESSION == 0:
                            client = await sessions.enter_async_context(open_client())
                        followed.add(symbol)
                        book = books.setdefault(symbol, LocalBook(instrument))
                        # One after another: the gateway bills a request that it refuses, so many that wait for the
                        # allowance of their address at the same time would use it up without an answer.
                        messages = await _begin(client, book)
                        followers.create_task(_apply(messages, book))
                    current()
                    await asyncio.sleep(NEW_INSTRUMENTS_SECONDS)
        except ExceptionGroup as several:
            raise several.exceptions[0] from several


async def _instruments(client: ExchangeClient) -> list[dict[str, Any]]:
    """Return all instruments, read in pages, each of which waits until the gateway allows it."""
    listed: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = await when_allowed(partial(client.call, "market.instruments", limit=INSTRUMENTS_PAGE, after=after))
        listed += page["instruments"]
        after = page["next"]
        if after is None:
            return listed


async def _begin(client: ExchangeClient, book: LocalBook) -> AsyncGenerator[Message, None]:
    """Subscribe to an instrument's channels and put the trades before that on its tape; return the next messages."""
    messages = client.subscribe(*(channel.format(book.symbol) for channel in CHANNELS))
    first = await anext(messages)
    recent = await when_allowed(lambda: client.call("market.trades", symbol=book.symbol, limit=TAPE))
    for trade in reversed(recent["trades"]):
        book.add_trade(trade)
    book.apply(first)
    return messages


async def _apply(messages: AsyncGenerator[Message, None], book: LocalBook) -> None:
    async for message in messages:
        book.apply(message)
