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
    """The trades of an account on this trading day and what it has open, where its member has limits.

    ``paid`` in fen: the money paid for purchases, fees included, less that got for sales, fees deducted. ``sold`` in
    fine mg: the gold sold less that bought. Either may be negative. ``reserved_cash`` (fen) and ``reserved_gold`` (fine
    mg, of all instruments) are what is open could add to them. ``open_orders``: its orders, pending stops and sides of
    quotes, the deals that it has proposed, and its quotes in requests.

    A member has one of its own, with the sums of its accounts: ``whole`` of each of them. So no check has to go through
    the accounts.
    """

    __slots__ = ("open_orders", "paid", "reserved_cash", "reserved_gold", "sold", "whole")

    def __init__(self, whole: LimitUsage | None) -> None:
        self.whole: LimitUsage | None = whole
        self.open_orders: int = 0
        self.paid: int = 0
        self.sold: int = 0
        self.reserved_cash: int = 0
        self.reserved_gold: int = 0

    def count(self, paid: int, sold: int) -> None:
        """Count a trade, or with the signs turned its annulment."""
        self.paid += paid
        self.sold += sold
        if self.whole is not None:
            self.whole.count(paid, sold)

    def open(self, orders: int) -> None:
        """Count how many more orders are open, or fewer if the number is negative."""
        self.open_orders += orders
        if self.whole is not None:
            self.whole.open(orders)

    def reserve(self, cash: int, gold: int) -> None:
        """Count how much more is reserved, or less if an amount is negative."""
        self.reserved_cash += cash
        self.reserved_gold += gold
        if self.whole is not None:
            self.whole.reserve(cash, gold)

    def begin_day(self) -> None:
        """Forget the trades; what is open stays counted."""
        self.paid = self.sold = 0

    def net_purchases(self) -> int:
        """Return what has been bought on balance on this trading day and could still be bought, in fen."""
        return self.paid + self.reserved_cash

    def net_sales(self) -> int:
        """Return what has been sold on balance on this trading day and could still be sold, in fine mg."""
        return self.sold + self.reserved_gold
