"""A book rebuilt from the published events alone, in their JSON form.

Independent of the core and of the gateway's view. If the events of the core did not carry enough to rebuild every queue
in its order, this would go wrong.
"""

from dataclasses import dataclass, field
from typing import Any

from goldx.protocol import units

SIDES = ("buy", "sell")


@dataclass
class OrderFromEvents:
    """One order as its events describe it. Quantities in fine mg, price in fen per fine gram."""

    order_id: int
    account: str
    client_order_id: str
    symbol: str
    side: str
    price: int | None
    remaining: int
    display: int | None
    visible: int = 0
    filled: int = 0
    status: str = "live"


@dataclass
class BookFromEvents:
    orders: dict[int, OrderFromEvents] = field(default_factory=dict)
    queues: dict[tuple[str, str, int], list[int]] = field(default_factory=dict)
    """The order ids at each (symbol, side, price), in time priority."""

    def read(self, event: dict[str, Any]) -> None:
        handler = getattr(self, "_" + event["event"].replace(".", "_"), None)
        if handler is not None:
            handler(event)

    def book(self, symbol: str, side: str) -> list[tuple[int, list[tuple[int, int]]]]:
        """Return [(price, [(order id, visible quantity), ...]), ...], best price first."""
        prices = sorted((p for s, d, p in self.queues if (s, d) == (symbol, side)), reverse=side == "buy")
        return [(p, [(i, self.orders[i].visible) for i in self.queues[symbol, side, p]]) for p in prices]

    def _order_accepted(self, event: dict[str, Any]) -> None:
        order = OrderFromEvents(
            event["order_id"],
            event["account"],
            event["client_order_id"],
            event["symbol"],
            event["side"],
            None if event["price"] is None else units.parse_price(event["price"]),
            units.parse_weight(event["quantity"]),
            units.parse_weight(event["display_quantity"]) if "display_quantity" in event else None,
        )
        self.orders[order.order_id] = order
        if "stop_price" in event:
            order.status = "pending_stop"
        else:
            self._join(order)

    def _order_triggered(self, event: dict[str, Any]) -> None:
        order = self.orders[event["order_id"]]
        order.status = "live"
        self._join(order)

    def _trade(self, event: dict[str, Any]) -> None:
        quantity = units.parse_weight(event["quantity"])
        for role in ("maker", "taker"):
            order = self.orders[event[f"{role}_order_id"]]
            order.filled += quantity
            entering = role == "taker" and event["taker_side"] is not None
            self._reduce(order, units.parse_weight(event[f"{role}_remaining"]), quantity, entering)
            if order.remaining == 0:
                self._end(order, "filled")

    def _self_trade_prevented(self, event: dict[str, Any]) -> None:
        quantity = units.parse_weight(event["quantity"])
        for role in ("maker", "taker"):
            order = self.orders[event[f"{role}_order_id"]]
            self._reduce(order, units.parse_weight(event[f"{role}_remaining"]), quantity, role == "taker")

    def _reduce(self, order: OrderFromEvents, remaining: int, by: int, entering: bool) -> None:
        order.remaining = remaining
        if entering:
            order.visible = remaining if order.display is None else min(order.display, remaining)
        else:
            order.visible -= by

    def _order_refreshed(self, event: dict[str, Any]) -> None:
        order = self.orders[event["order_id"]]
        self._leave(order)
        self._join(order)
        order.visible = units.parse_weight(event["quantity"])

    def _order_replaced(self, event: dict[str, Any]) -> None:
        order = self.orders[event["order_id"]]
        order.client_order_id = event["new_client_order_id"]
        order.remaining = units.parse_weight(event["remaining"])
        if event["kept_priority"]:
            order.visible = min(order.visible, order.remaining)
            return
        self._leave(order)
        order.price = None if event["price"] is None else units.parse_price(event["price"])
        if order.status == "live":
            self._join(order)

    def _order_cancelled(self, event: dict[str, Any]) -> None:
        order = self.orders[event["order_id"]]
        order.remaining = 0
        self._end(order, "expired" if event["reason"] == "EXPIRED" else "cancelled")

    def _join(self, order: OrderFromEvents) -> None:
        order.visible = order.remaining if order.display is None else min(order.display, order.remaining)
        if order.price is not None:
            self.queues.setdefault((order.symbol, order.side, order.price), []).append(order.order_id)

    def _leave(self, order: OrderFromEvents) -> None:
        key = (order.symbol, order.side, order.price or 0)
        if order.order_id in self.queues.get(key, ()):
            self.queues[key].remove(order.order_id)
            if not self.queues[key]:
                del self.queues[key]

    def _end(self, order: OrderFromEvents, status: str) -> None:
        self._leave(order)
        order.status = status
