"""Trades without orders in the market data of one instrument: published apart from their making, and counted by kind.

They are in no candle and change no price. Their volume counts on the trading day on which they are published.
"""

from typing import Any

from goldx.protocol import terms, units
from goldx.protocol.deal_events import TradePublished
from goldx.protocol.events import Trade, TradeBusted


class DirectTrades:
    """``waiting``: the trades that are not public yet. ``public``: the kind of each that was published today.

    ``volumes``: by kind the number and the quantity (fine mg) of those published today, without annulled ones.
    """

    def __init__(self) -> None:
        self.waiting: set[int] = set()
        self.public: dict[int, int] = {}
        self.volumes: dict[int, tuple[int, int]] = {}

    def state(self) -> tuple[list[int], dict[int, int], dict[int, tuple[int, int]]]:
        """Return everything, for ``restore``."""
        return sorted(self.waiting), self.public, self.volumes

    def restore(self, waiting: list[int], public: dict[int, int], volumes: dict[int, tuple[int, int]]) -> None:
        """Restore what ``state`` returned."""
        self.waiting, self.public, self.volumes = set(waiting), public, volumes

    def begin_day(self) -> None:
        self.public.clear()
        self.volumes.clear()

    def make(self, event: Trade) -> None:
        """Record a trade that its parties know and the public does not."""
        self.waiting.add(event.trade_id)

    def publish(self, event: TradePublished) -> None:
        """Record that a trade is public."""
        self.waiting.discard(event.trade_id)
        self.public[event.trade_id] = event.kind
        trades, quantity = self.volumes.get(event.kind, (0, 0))
        self.volumes[event.kind] = trades + 1, quantity + event.quantity

    def bust(self, event: TradeBusted) -> bool:
        """Take an annulled trade back, and return whether it was public."""
        if event.trade_id in self.waiting:
            self.waiting.discard(event.trade_id)
            return False
        kind = self.public.pop(event.trade_id, None)
        if kind is not None:
            trades, quantity = self.volumes[kind]
            self.volumes[kind] = trades - 1, quantity - event.quantity
        return True

    def write_volumes(self) -> dict[str, Any]:
        """Return number and quantity by kind, in the protocol's form."""
        return {
            terms.TRADE_KINDS[kind]: {"trades": trades, "quantity": units.format_weight(quantity)}
            for kind, (trades, quantity) in sorted(self.volumes.items())
        }
