"""The bookkeeping that no core can leave out, whatever its book is: a lower bound on the time of the whole job.

For an order, its account and client id are looked up, its id is kept, it gets a number and a reservation, and its two
events are made; for a cancel, the look-ups and the two events; for a replace both. Nothing is checked but funds and
client id, and nothing trades: an order that would take counts as one that rests. What belongs to an order (its number,
price and reservation) is kept by the book, whose time is measured beside this one: here an account remembers the newest
order only.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.terms import BUY
from goldx.protocol.units import MG_PER_GRAM
from matching.core.tags import (
    HOLDING_CHANGED,
    ORDER_ACCEPTED,
    ORDER_CANCEL,
    ORDER_CANCELLED,
    ORDER_PLACE,
    ORDER_REPLACED,
)


class Purse:
    """An account with one balance for all assets."""

    __slots__ = ("ids", "newest", "reserved", "total")

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.total: int = 10**16
        self.reserved: int = 0
        self.newest: int = 0
        """The reservation of the newest order: a cancel frees as much, whichever order it is for."""


class Bookkeeping:
    """The bookkeeping of some accounts: commands in, events out."""

    __slots__ = ("last", "purses", "sequence")

    def __init__(self, names: list[str]) -> None:
        self.purses: dict[str, Purse] = {name: Purse() for name in names}
        self.last: int = 0
        self.sequence: int = 0

    def apply_all(self, at: Any, commands: list[tuple[Any, ...]], outcomes: list[list[tuple[Any, ...]]]) -> None:
        """Append the two events of each order.place, order.cancel by client id, or order.replace."""
        name: Any
        client_id: Any
        purses = self.purses
        sequence = self.sequence
        for command in commands:
            first = sequence + 1
            sequence += 2
            tag: int = command[0]
            if tag == ORDER_PLACE:
                _, name, client_id, symbol, side, kind, quantity, limit, lasts, *_ = command
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
                        (ORDER_ACCEPTED, first, at, key, name, client_id, symbol, side, kind, limit, quantity, lasts),
                        (HOLDING_CHANGED, sequence, at, name, symbol, purse.total, reserved),
                    ]
                )
            elif tag == ORDER_CANCEL:
                _, name, _, client_id = command
                purse = purses[name]
                key = purse.ids[client_id]
                reserved = purse.reserved - purse.newest
                purse.reserved = reserved
                outcomes.append(
                    [
                        (ORDER_CANCELLED, first, at, key, name, client_id, "AU", purse.newest, "USER"),
                        (HOLDING_CHANGED, sequence, at, name, "AU", purse.total, reserved),
                    ]
                )
            else:
                _, name, _, client_id, new_id, limit, quantity = command
                purse = purses[name]
                key = purse.ids[client_id]
                purse.ids[new_id] = key
                outcomes.append(
                    [
                        (ORDER_REPLACED, first, at, key, name, client_id, new_id, limit, quantity, purse.newest, False),
                        (HOLDING_CHANGED, sequence, at, name, "AU", purse.total, purse.reserved),
                    ]
                )
        self.sequence = sequence
