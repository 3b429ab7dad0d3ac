"""A client that only listens: an account channel and the books, gone on with after every loss where it was."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any
from zlib import crc32

from goldx.client.keys import Key
from goldx.client.session import ExchangeClient, connect
from tests.faults.load import LOST, SYMBOLS

SIDES = {"bids": "buy", "asks": "sell"}


class Book:
    """The levels of an instrument as the channel tells them, each message checked against its checksum."""

    def __init__(self) -> None:
        self.levels: dict[tuple[str, str], str] = {}
        self._checksum = 0

    def take(self, message: dict[str, Any]) -> str | None:
        """Takes a message over; returns what is wrong with it."""
        if message["type"] == "snapshot":
            self.levels.clear()
            self._checksum = 0
        for name, side in SIDES.items():
            for price, quantity in message["data"][name]:
                self._set(side, price, quantity)
        if self._checksum != message["checksum"]:
            return f"the checksum is {self._checksum}, but the message says {message['checksum']}"
        return None

    def _set(self, side: str, price: str, quantity: str) -> None:
        before = self.levels.pop((side, price), None)
        if before is not None:
            self._checksum ^= crc32(f"{side}:{price}:{before}".encode())
        if quantity != "0":
            self.levels[side, price] = quantity
            self._checksum ^= crc32(f"{side}:{price}:{quantity}".encode())


class Watch:
    """``told`` are the account's messages that have not been compared yet; ``problems`` what cannot be."""

    def __init__(self, account: str, key: Key) -> None:
        self.account = account
        self.channel = f"account.{account}"
        self.told: list[dict[str, Any]] = []
        self.books = {symbol: Book() for symbol in SYMBOLS}
        self.reached: dict[str, int] = {self.channel: 0}
        self.problems: list[str] = []
        self.exchange: ExchangeClient | None = None
        """The connection, while there is one."""
        self._key = key
        self._task: asyncio.Task[None] | None = None

    async def move(self, url: str) -> None:
        """Goes on at another gateway, where it had got to."""
        await self.end()
        self._task = asyncio.create_task(self._run(url))

    @property
    def connected(self) -> bool:
        """Whether there is a connection, or the client is making one again."""
        return self.exchange is not None and bool(self.exchange.identity)

    async def end(self) -> None:
        self.exchange = None
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, url: str) -> None:
        while True:
            with contextlib.suppress(*LOST):
                async with connect(url, self._key, reconnect=True) as exchange:
                    self.exchange = exchange
                    channels = (self.channel, *(f"book.{symbol}" for symbol in self.books))
                    async for message in exchange.subscribe(*channels, from_sequence=dict(self.reached)):
                        self._take(message)
            self.exchange = None
            await asyncio.sleep(0.05)

    def _take(self, message: dict[str, Any]) -> None:
        channel, sequence = message["channel"], message["sequence"]
        reached = self.reached.get(channel)
        if message["type"] == "update" and (sequence != message["previous"] + 1 or message["previous"] != reached):
            self.problems.append(f"{channel}: message {sequence} follows {reached}")
        self.reached[channel] = sequence
        if channel == self.channel:
            self.told.append(message)
        elif problem := self.books[channel.removeprefix("book.")].take(message):
            self.problems.append(f"{channel}, message {sequence}: {problem}")


async def end_all(watches: Iterable[Watch]) -> None:
    await asyncio.gather(*(watch.end() for watch in watches))
