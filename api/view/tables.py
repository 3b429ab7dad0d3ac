"""Tables of what a gateway keeps of every order of the day: they grow by the million without a pause.

A single dict with half a million entries takes some ten milliseconds when it grows, and several times as much where
the machine has to fetch the memory: all members would wait for that. So these are made of many small dicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

BITS: Final = 12
PIECE: Final = 1 << BITS
"""Entries of one dict, at most."""


class Numbered(Generic[T]):
    """By a number that grows from entry to entry, such as that of an order or of a trade."""

    def __init__(self, items: Iterable[tuple[int, T]] = ()) -> None:
        self._pieces: dict[int, dict[int, T]] = {}
        for number, value in items:
            self.put(number, value)

    def put(self, number: int, value: T) -> None:
        piece = self._pieces.get(number >> BITS)
        if piece is None:
            piece = self._pieces[number >> BITS] = {}
        piece[number] = value

    def get(self, number: int) -> T | None:
        piece = self._pieces.get(number >> BITS)
        return None if piece is None else piece.get(number)

    def __getitem__(self, number: int) -> T:
        return self._pieces[number >> BITS][number]

    def items(self) -> Iterator[tuple[int, T]]:
        """In the order in which they came."""
        for piece in self._pieces.values():
            yield from piece.items()

    def values(self) -> Iterator[T]:
        """In the order in which they came."""
        for piece in self._pieces.values():
            yield from piece.values()


class Named(Generic[T]):
    """By a name that is given once and seldom asked for: O(entries / PIECE)."""

    def __init__(self, items: Iterable[tuple[str, T]] = ()) -> None:
        self._newest: dict[str, T] = {}
        self._pieces: list[dict[str, T]] = [self._newest]
        for name, value in items:
            self.put(name, value)

    def put(self, name: str, value: T) -> None:
        if len(self._newest) == PIECE:
            self._newest = {}
            self._pieces.append(self._newest)
        self._newest[name] = value

    def get(self, name: str) -> T | None:
        for piece in reversed(self._pieces):
            value = piece.get(name)
            if value is not None:
                return value
        return None
