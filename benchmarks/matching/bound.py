"""The least that the whole job is in Python's objects, whatever the book: bookkeeping that no core can leave out.

For an order its account and client id looked up, its id kept, its number, what it reserves, its two events; for a
cancel the look-ups and the two events; for a replace both. Nothing is checked but funds and client id, nothing trades:
an order that would take is one that stays. What an order is known by (its number, its price, what it has reserved)
the book keeps, whose time is measured beside this one: here an account remembers the newest only.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.terms import BUY
from goldx.protocol.units import MG_PER_GRAM


class Purse:
    """An account with one balance for everything."""

    __slots__ = ("ids", "newest", "reserved", "total")

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.total: int = 10**16
        self.reserved: int = 0
        self.newest: int = 0
        """What the newest order has reserved: that much is freed by a cancel, whatever order it is of."""


class Bookkeeping:
    """Commands in, events out."""

    __slots__ = ("last", "purses", "sequence")

    def __init__(self, names: list[str]) -> None:
        self.purses: dict[str, Purse] = {name: Purse() for name in names}
        self.last: int = 0
        self.sequence: int = 0

    def apply_all(self, at: Any, commands: list[tuple[Any, ...]], outcomes: list[list[tuple[Any, ...]]]) -> None:
        """Appends the two events of each order.place, order.cancel by client id, or order.replace."""
        name: Any
        client_id: Any
        purses = self.purses
        sequence = self.sequence
        for command in commands:
            sequence += 2
            kind: int = command[0]
            if kind == 1:
                _, name, client_id, symbol, side, order_kind, quantity, limit, lasts, _, _, _, _, _, _, _ = command
                purse = purses[name]
                price: int = limit
                amount: int = quantity
                needed = price * amount // MG_PER_GRAM if side == BUY else amount
                reserved = purse.reserved + needed
                number = self.last + 1
                key: Any = number
                if reserved > purse.total or purse.ids.setdefault(client_id, key) != number:
                    raise ValueError(command)
                self.last = number
                purse.newest = needed
                purse.reserved = reserved
                outcomes.append(
                    [
                        (1, sequence - 1, at, key, name, client_id, symbol, side, order_kind, limit, quantity, lasts),
                        (6, sequence, at, name, symbol, purse.total, reserved),
                    ]
                )
            elif kind == 2:
                _, name, _, client_id = command
                purse = purses[name]
                key = purse.ids[client_id]
                reserved = purse.reserved - purse.newest
                purse.reserved = reserved
                outcomes.append(
                    [
                        (4, sequence - 1, at, key, name, client_id, "AU", purse.newest, "USER"),
                        (6, sequence, at, name, "AU", purse.total, reserved),
                    ]
                )
            else:
                _, name, _, client_id, new_id, limit, quantity = command
                purse = purses[name]
                key = purse.ids[client_id]
                purse.ids[new_id] = key
                outcomes.append(
                    [
                        (5, sequence - 1, at, key, name, client_id, new_id, limit, quantity, purse.newest, False),
                        (6, sequence, at, name, "AU", purse.total, purse.reserved),
                    ]
                )
        self.sequence = sequence
