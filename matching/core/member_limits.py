"""The limits of a member or of one of its accounts, and the use that an account has made of them."""

from __future__ import annotations

from typing import Final

NAMES: Final = ("max_order_value", "max_order_quantity", "max_open_orders", "max_net_purchases", "max_net_sales")
"""The limits in the order in which the command, the events and a snapshot have them."""


class MemberLimits:
    """The limits that operators have set; None: no such limit.

    ``max_order_value`` in fen and ``max_order_quantity`` in fine mg are for one order, ``max_open_orders`` is a number;
    ``max_net_purchases`` in fen and ``max_net_sales`` in fine mg are for a trading day.
    """

    __slots__ = NAMES

    def __init__(self, values: tuple[int | None, ...]) -> None:
        value, quantity, orders, purchases, sales = values
        self.max_order_value: int | None = value
        self.max_order_quantity: int | None = quantity
        self.max_open_orders: int | None = orders
        self.max_net_purchases: int | None = purchases
        self.max_net_sales: int | None = sales

    def values(self) -> tuple[int | None, ...]:
        """Return the limits in the order of NAMES."""
        return (
            self.max_order_value,
            self.max_order_quantity,
            self.max_open_orders,
            self.max_net_purchases,
            self.max_net_sales,
        )


class LimitUsage:
    """The trades of an account on this trading day and its open orders, where its member has limits.

    ``paid`` in fen: the money paid for purchases, fees included, less that got for sales, fees deducted. ``sold`` in
    fine mg: the gold sold less that bought. Either may be negative. What open orders could add to them is not in here:
    it is what the account has reserved. ``open_orders``: its orders, pending stops and sides of quotes, the deals that
    it has proposed, and its quotes in requests.
    """

    __slots__ = ("open_orders", "paid", "sold")

    def __init__(self) -> None:
        self.open_orders: int = 0
        self.paid: int = 0
        self.sold: int = 0

    def count(self, paid: int, sold: int) -> None:
        """Count a trade, or with the signs turned its annulment."""
        self.paid += paid
        self.sold += sold
