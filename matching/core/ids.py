"""The client ids of an account's trading day, in a table that grows without a pause."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

FEW: Final = 5_000
PARTS: Final = 32


class ClientIds:
    """Client id -> number of the order that had it first.

    One dict with half a million entries takes some ten milliseconds, and several times as much where the machine has to
    fetch the memory, when it grows: all orders would wait for that. So what comes after the first ids is spread over
    many dicts by hash, and these grow one at a time. In which of them an id is differs from process to process: nothing
    may depend on it, and ``items`` goes by number.
    """

    __slots__ = ("few", "parts")

    def __init__(self, items: Iterable[tuple[str, int]] = ()) -> None:
        self.few: dict[str, int] = {}
        """The first ids, up to FEW."""
        self.parts: list[dict[str, int]] = []
        for client_id, number in items:
            self.claim(client_id, number)

    def claim(self, client_id: str, number: int) -> int:
        """Takes an id for an order unless it is taken; the number of the order that has it then."""
        few = self.few
        if len(few) < FEW:
            return few.setdefault(client_id, number)
        first = few.get(client_id, 0)
        if first:
            return first
        parts = self.parts
        if not parts:
            parts = self.parts = [{} for _ in range(PARTS)]
        return parts[hash(client_id) % PARTS].setdefault(client_id, number)

    def find(self, client_id: str) -> int:
        """The number of the order that had an id first, 0 if none had: no order has that number."""
        first = self.few.get(client_id, 0)
        parts = self.parts
        if first or not parts:
            return first
        return parts[hash(client_id) % PARTS].get(client_id, 0)

    def count(self) -> int:
        """How many ids there are."""
        return len(self.few) + sum([len(part) for part in self.parts])

    def items(self) -> list[tuple[str, int]]:
        """All ids and their numbers, in the order of the numbers. O(n log n)."""
        found = [(number, client_id) for part in [self.few, *self.parts] for client_id, number in part.items()]
        found.sort()
        return [(client_id, number) for number, client_id in found]
