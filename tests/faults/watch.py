"""A client that only listens to an account's channel and the books, and goes on after every lost connection."""

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
    """The levels of an instrument, kept from its channel; every message is checked against its checksum."""

    def __init__(self) -> None:
        self.levels: dict[tuple[str, str], str] = {}
        self._checksum = 0

    def apply(self, message: dict[str, Any]) -> str | None:
        """Apply a message; return what is wrong with it, or None."""
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


class Watcher:
    """One such client.

    ``messages`` are those of the account that have not been compared yet; ``problems`` are sentences about gaps and
    wrong checksums.
    """

    def __init__(self, account: str, key: Key) -> None:
        self.account = account
        self.channel = f"account.{account}"
        self.messages: list[dict[str, Any]] = []
        self.books = {symbol: Book() for symbol in SYMBOLS}
        self.reached: dict[str, int] = {self.channel: 0}
        self.problems: list[str] = []
        self.client: ExchangeClient | None = None
        """The connected client, if there is one."""
        self._key = key
        self._task: asyncio.Task[None] | None = None

    async def move(self, url: str) -> None:
        """Go on at another gateway, after the last message had."""
        await self.end()
        self._task = asyncio.create_task(self._run(url))

    @property
    def connected(self) -> bool:
        """Whether the client is connected, or is connecting again."""
        return self.client is not None and bool(self.client.identity)

    async def end(self) -> None:
        """Close the connection."""
        self.client = None
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, url: str) -> None:
        while True:
            with contextlib.suppress(*LOST):
                async with connect(url, self._key, reconnect=True) as client:
                    self.client = client
                    channels = (self.channel, *(f"book.{symbol}" for symbol in self.books))
                    async for message in client.subscribe(*channels, from_sequence=dict(self.reached)):
                        self._apply(message)
            self.client = None
            await asyncio.sleep(0.05)

    def _apply(self, message: dict[str, Any]) -> None:
        channel, sequence = message["channel"], message["sequence"]
        reached = self.reached.get(channel)
        if message["type"] == "update" and (sequence != message["previous"] + 1 or message["previous"] != reached):
            self.problems.append(f"{channel}: message {sequence} follows {reached}")
        self.reached[channel] = sequence
        if channel == self.channel:
            self.messages.append(message)
        elif problem := self.books[channel.removeprefix("book.")].apply(message):
            self.problems.append(f"{channel}, message {sequence}: {problem}")


async def end_all(watchers: Iterable[Watcher]) -> None:
    """Close the connections of all watchers."""
    await asyncio.gather(*(watcher.end() for watcher in watchers))
