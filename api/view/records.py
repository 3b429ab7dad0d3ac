"""Records that a gateway keeps by the million, and their forms in the protocol. The garbage collector skips them."""

from typing import Any, Final

import msgspec

from goldx.protocol.events import Trade, TradeBusted

OPEN: Final = "open"
PENDING: Final = "pending"
"""A stop order whose stop price has not been reached."""
FILLED: Final = "filled"
CANCELLED: Final = "cancelled"


class Order(msgspec.Struct, array_like=True, gc=False):
    """One order. Prices in fen per fine gram, quantities in fine milligrams, money in fen.

    ``visible`` is the quantity that the book shows while the order rests. Of the orders at a price, those with a lower
    ``rank`` trade first. ``amount`` and ``fee`` are the sums over the order's trades.
    """

    order_id: int
    account: str
    client_order_id: str
    symbol: str
    side: int
    type: int
    price: int | None
    quantity: int
    time_in_force: int
    expire_at: int | None
    post_only: bool
    display_quantity: int | None
    stop_price: int | None
    stp: int
    persist: bool
    quote_id: str | None
    at: int
    remaining: int
    status: str
    reason: str | None = None
    filled: int = 0
    amount: int = 0
    fee: int = 0
    visible: int = 0
    rank: int = 0
    last_trade: int = 0
    """Id of the newest trade, 0 before the first; each ``Fill`` names the trade before it."""
    past: bool = False
    """Whether it had ended before the present trading day, at whose end the view forgets it."""

    @property
    def live(self) -> bool:
        """Whether the order can still trade or be cancelled."""
        return self.status in (OPEN, PENDING)

    def shown_quantity(self) -> int:
        """Return the quantity that the book shows when the order is put at the end of its level."""
        return self.remaining if self.display_quantity is None else min(self.display_quantity, self.remaining)


class Fill(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A trade, and the ids of the trades before it of its maker order and of its taker order (0: none).

    The trades of an order are a chain, which unlike a list is never copied as it grows.
    """

    trade: Trade
    maker_before: int
    taker_before: int
    busted: bool = False
    """Whether the trade was annulled."""


class OrderForm(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The protocol's form of an order. Amounts are decimal strings; fields at their defaults are left out."""

    order_id: int
    account: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    price: str | None
    quantity: str
    remaining: str
    filled: str
    amount: str
    fee: str
    time_in_force: str
    stp: str
    status: str
    at: int
    expire_at: int | None = None
    display_quantity: str | None = None
    stop_price: str | None = None
    quote_id: str | None = None
    post_only: bool = False
    persist: bool = False
    reason: str | None = None


class OwnTradeForm(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The protocol's form of a trade, for one of its two parties. ``busted`` is left out of one that stands.

    ``order_id`` is 0 in a trade without orders. ``lots`` are the receipts of named lots that have changed hands.
    """

    trade_id: int
    at: int
    symbol: str
    order_id: int
    side: str
    price: str
    quantity: str
    amount: str
    fee: str
    remaining: str
    liquidity: str
    account: str
    client_order_id: str | None
    kind: str
    busted: bool = False
    lots: tuple[int, ...] | None = None


class Placed(msgspec.Struct, gc=False, frozen=True):
    """The result of ``order.place``."""

    order: OrderForm
    trades: list[OwnTradeForm]


class Cancelled(msgspec.Struct, gc=False, frozen=True):
    """The result of ``order.cancel``."""

    order: OrderForm


class Answer(msgspec.Struct, gc=False, frozen=True):
    """A JSON-RPC answer to a request whose id is a number."""

    jsonrpc: str
    id: int
    result: Placed | Cancelled


class OwnTrade(msgspec.Struct, gc=False, frozen=True):
    """A trade, or its annulment, as a message of one party's private channel.

    ``side`` and ``order_id`` are that party's.

    ``client_order_id`` is None if it is no longer known because the order ended on an earlier day.
    """

    event: Trade | TradeBusted
    side: int
    order_id: int
    client_order_id: str | None = None

    @property
    def sequence(self) -> int:
        return self.event.sequence


class Candle(msgspec.Struct, array_like=True, gc=False):
    """Prices in fen per fine gram, volume in fine milligrams; ``start`` in ms."""

    start: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int


class BookUpdate(msgspec.Struct, gc=False):
    """The changes of a book by one command. ``checksum`` is that of the book afterwards, None until it is needed."""

    at: int
    changes: tuple[Any, ...]
    checksum: int | None = None


class Gap(RuntimeError):
    """Raised when an event is missing in the stream: the view would be wrong from here on."""
