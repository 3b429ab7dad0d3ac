"""The limits of groups of quotes in the model: every trade is remembered, and added up whenever that is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from goldx.protocol import terms
from goldx.protocol.quote_events import ProtectionTriggered
from tests.matching.core.model_parts import Order

if TYPE_CHECKING:
    from tests.matching.core.model_books import Books


@dataclass(eq=False)
class Limits:
    """The limits of a group of a member's quotes, and all trades of these since it was last counted anew."""

    window_ms: int
    max_quantity: int | None
    max_net: int | None
    frozen: bool = False
    trades: list[tuple[int, int, int]] = field(default_factory=list)
    """(time, side, quantity)"""

    def traded(self, now: int, side: int) -> int:
        """Return what was bought, or sold, less than the window ago."""
        return sum(quantity for at, one, quantity in self.trades if one == side and now - at < self.window_ms)

    def are_reached(self, now: int) -> bool:
        bought, sold = self.traded(now, terms.BUY), self.traded(now, terms.SELL)
        return (self.max_quantity is not None and bought + sold >= self.max_quantity) or (
            self.max_net is not None and abs(bought - sold) >= self.max_net
        )


def protect(books: Books, parties: tuple[Order, Order], quantity: int) -> None:
    """Count a trade for the groups of the quotes in it; then cancel all quotes of those that reach a limit."""
    quotes = [o for o in parties if (o.account.member, o.group) in books.limits and o.quote_id is not None]
    for order in quotes:
        books.limits[order.account.member, order.group].trades.append((books.at, order.side, quantity))
    for order in quotes:
        member, group = order.account.member, order.group
        limits = books.limits[member, group]
        if limits.are_reached(books.at) and not limits.frozen:
            limits.frozen = True
            traded = limits.traded(books.at, terms.BUY), limits.traded(books.at, terms.SELL)
            books.emit(ProtectionTriggered, order.account.name, group, *traded)
            of_group = [o for o in books.orders if (o.account.member, o.group) == (member, group) and o.quote_id]
            books.cancel_each(of_group, "PROTECTION", group)
