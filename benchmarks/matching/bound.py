"""The least that the whole job is in interpreted Python, whatever the book: bookkeeping that no core can leave out.

For each message one call; for an order its account, its client id kept, its number, what it reserves, its two events;
for a cancel the look-ups and the two events. Nothing is checked but funds and client id, no prices or queues are kept,
nothing trades: an order that would take is one that stays, and a replace is a cancel and an order.
"""

from __future__ import annotations

from typing import Any

from goldx.terms import BUY
from goldx.units import MG_PER_GRAM


class Purse:
    """An account with one balance for everything."""

    __slots__ = ("ids", "reserved", "total")

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.total: int = 10**16
        self.reserved: int = 0


class Bookkeeping:
    """Commands in, events out."""

    __slots__ = ("last", "orders", "purses", "sequence")

    def __init__(self, names: list[str]) -> None:
        self.purses: dict[str, Purse] = {name: Purse() for name in names}
        self.orders: dict[int, int] = {}
        """Number -> what is reserved."""
        self.last: int = 0
        self.sequence: int = 0

    def apply(self, at: int, command: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """One order.place, order.cancel by client id, or order.replace; its events."""
        if command[0] == 1:
            _, name, client_id, symbol, side, kind, quantity, price, lasts, _, _, _, _, _, _, _ = command
            purse = self.purses[name]
            needed = price * quantity // MG_PER_GRAM if side == BUY else quantity
            reserved = purse.reserved + needed
            if reserved > purse.total or client_id in purse.ids:
                return []
            purse.reserved = reserved
            self.last = number = self.last + 1
            purse.ids[client_id] = number
            self.orders[number] = needed
            sequence = self.sequence + 1
            self.sequence = sequence + 1
            return [
                (1, sequence, at, number, name, client_id, symbol, side, kind, price, quantity, lasts),
                (6, sequence + 1, at, name, symbol, purse.total, reserved),
            ]
        if command[0] == 2:
            _, name, _, client_id = command
            purse = self.purses[name]
            number = purse.ids[client_id]
            needed = self.orders.pop(number)
            purse.reserved = reserved = purse.reserved - needed
            sequence = self.sequence + 1
            self.sequence = sequence + 1
            return [
                (4, sequence, at, number, name, client_id, "AU", needed, "USER"),
                (6, sequence + 1, at, name, "AU", purse.total, reserved),
            ]
        _, name, _, client_id, new_id, price, quantity = command
        rest = (None, False, None, None, 0, False, "s")
        return [
            *self.apply(at, (2, name, None, client_id)),
            *self.apply(at, (1, name, new_id, "AU", BUY, 0, quantity, price, 0, *rest)),
        ]
