"""The client ids of an account's trading day, in a table that grows without a long pause."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

FIRST_SIZE: Final = 5_000
"""Ids in ``ClientIds.first``, at most."""
PART_COUNT: Final = 32


class ClientIds:
    """A map from each client id to the number of the first order that had it.

    A dict with half a million entries takes some ten milliseconds to grow, and several times as much where the machine
    has to fetch the memory; all orders would have to wait. So all but the first ids are spread over many dicts by their
    hash, which grow one at a time. The hash of an id differs from process to process: nothing may depend on which dict
    an id is in, and ``items`` returns the ids in the order of their numbers.
    """

    __slots__ = ("first", "parts")

    def __init__(self, items: Iterable[tuple[str, int]] = ()) -> None:
        self.first: dict[str, int] = {}
        self.parts: list[dict[str, int]] = []
        for client_id, number in items:
            self.claim(client_id, number)

    def claim(self, client_id: str, number: int) -> int:
        """Register an id for an order unless it is taken; return the number of the order that has it afterwards."""
        first = self.first
        if len(first) < FIRST_SIZE:
            return first.setdefault(client_id, number)
        holder = first.get(client_id, 0)
        if holder:
            return holder
        parts = self.parts
        if not parts:
            parts = self.parts = [{} for _ in range(PART_COUNT)]
        return parts[hash(client_id) % PART_COUNT].setdefault(client_id, number)

    def find(self, client_id: str) -> int:
        """Return the number of the first order that had an id, or 0, which is no order's number."""
        holder = self.first.get(client_id, 0)
        parts = self.parts
        if holder or not parts:
            return holder
        return parts[hash(client_id) % PART_COUNT].get(client_id, 0)

    def count(self) -> int:
        """Return how many ids there are."""
        return len(self.first) + sum([len(part) for part in self.parts])

    def items(self) -> list[tuple[str, int]]:
        """Return all (client id, order number), in the order of the numbers. O(n log n)."""
        found = [(number, client_id) for part in [self.first, *self.parts] for client_id, number in part.items()]
        found.sort()
        return [(client_id, number) for number, client_id in found]
