"""Tables of what a gateway keeps of every order of the day. They grow to millions of entries without a pause.

A dict of half a million entries takes some ten milliseconds when it grows, and several times as much where the machine
has to fetch the memory: every member would wait for that. So these tables are made of many small dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

CHUNK_BITS: Final = 12
CHUNK_SIZE: Final = 1 << CHUNK_BITS
"""The largest number of entries in one dict."""


class NumberTable(Generic[T]):
    """Maps numbers that grow from entry to entry, such as the ids of orders or trades, to values."""

    def __init__(self, items: Iterable[tuple[int, T]] = ()) -> None:
        self._chunks: dict[int, dict[int, T]] = {}
        for number, value in items:
            self.put(number, value)

    def put(self, number: int, value: T) -> None:
        chunk = self._chunks.get(number >> CHUNK_BITS)
        if chunk is None:
            chunk = self._chunks[number >> CHUNK_BITS] = {}
        chunk[number] = value

    def get(self, number: int) -> T | None:
        chunk = self._chunks.get(number >> CHUNK_BITS)
        return None if chunk is None else chunk.get(number)

    def __getitem__(self, number: int) -> T:
        return self._chunks[number >> CHUNK_BITS][number]

    def forget(self, keep: Callable[[T], bool]) -> Iterator[int]:
        """Drop the values for which ``keep`` is false, a dict at a time; yield how many it has looked at.

        Nothing may be put until it has ended; the table may be read.
        """
        for key, chunk in tuple(self._chunks.items()):
            kept = {number: value for number, value in chunk.items() if keep(value)}
            if kept:
                self._chunks[key] = kept
            else:
                del self._chunks[key]
            yield len(chunk)

    def items(self) -> Iterator[tuple[int, T]]:
        """Iterate over the entries in the order of insertion."""
        for chunk in self._chunks.values():
            yield from chunk.items()

    def values(self) -> Iterator[T]:
        """Iterate over the values in the order of insertion."""
        for chunk in self._chunks.values():
            yield from chunk.values()


class NameTable(Generic[T]):
    """Maps names to values. A name is put once and seldom looked up: ``get`` takes O(entries / CHUNK_SIZE)."""

    def __init__(self, items: Iterable[tuple[str, T]] = ()) -> None:
        self._newest: dict[str, T] = {}
        self._chunks: list[dict[str, T]] = [self._newest]
        for name, value in items:
            self.put(name, value)

    def put(self, name: str, value: T) -> None:
        if len(self._newest) == CHUNK_SIZE:
            self._newest = {}
            self._chunks.append(self._newest)
        self._newest[name] = value

    def forget(self, keep: Callable[[T], bool]) -> Iterator[int]:
        """Drop the values for which ``keep`` is false, a dict at a time; yield how many it has looked at.

        Small dicts become one. Nothing may be put until it has ended; the table may be read.
        """
        newest: dict[str, T] = {}
        chunks = [newest]
        for index, chunk in enumerate(self._chunks):
            kept = {name: value for name, value in chunk.items() if keep(value)}
            if len(newest) + len(kept) > CHUNK_SIZE:
                newest = kept
                chunks.append(newest)
            else:
                newest.update(kept)
            self._chunks[index] = newest
            yield len(chunk)
        self._newest = newest
        self._chunks = chunks

    def items(self) -> Iterator[tuple[str, T]]:
        """Iterate over the entries in the order of insertion; a name that was put twice may come twice."""
        for chunk in self._chunks:
            yield from chunk.items()

    def get(self, name: str) -> T | None:
        for chunk in reversed(self._chunks):
            value = chunk.get(name)
            if value is not None:
                return value
        return None
