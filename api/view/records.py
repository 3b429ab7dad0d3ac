"""What a gateway keeps by the million, and what it says of it: records that the garbage collector does not look at."""

from typing import Any, Final

import msgspec

from goldx.protocol.events import Trade

OPEN: Final = "open"
PENDING: Final = "pending"
"""A stop order that waits for its price."""
FILLED: Final = "filled"
CANCELLED: Final = "cancelled"


class Order(msgspec.Struct, gc=False):
    """One order. Prices in fen per fine gram, quantities in fine milligrams, money in fen.

    ``visible`` is the part that the book shows while the order rests, ``rank`` its place: lower ranks at a price are
    served first. ``amount`` and ``fee`` are the sums over its trades.
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
    """Id of its newest trade, 0 before the first; from there ``Fill`` leads to those before."""

    @property
    def live(self) -> bool:
        """Whether it can still trade or be cancelled."""
        return self.status in (OPEN, PENDING)

    def slice(self) -> int:
        """What a fresh appearance in the book shows of it."""
        return self.remaining if self.display_quantity is None else min(self.display_quantity, self.remaining)


class Fill(msgspec.Struct, gc=False, frozen=True):
    """A trade, and the ids of the trades that its two orders had before it (0: none).

    So an order of any number of trades needs no list of them, which would be copied as it grows, or collected.
    """

    trade: Trade
    maker_before: int
    taker_before: int


class OrderForm(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The protocol's form of an order: amounts as decimal text, words for numbers, and no extras that are not set."""

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


class OwnTradeForm(msgspec.Struct, gc=False, frozen=True):
    """The protocol's form of a trade for one of its two sides."""

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
    """A trade as one of its two sides is told it."""

    event: Trade
    side: int
    order_id: int

    @property
    def sequence(self) -> int:
        return self.event.sequence


class Candle(msgspec.Struct, gc=False):
    """Prices in fen per fine gram, volume in fine milligrams; ``start`` in ms."""

    start: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int


class BookUpdate(msgspec.Struct, gc=False):
    """What a command changed in a book. ``checksum`` is that after it, None until somebody wants to know."""

    at: int
    changes: tuple[Any, ...]
    checksum: int | None = None


class Gap(RuntimeError):
    """Events are missing: the view would be wrong from here on."""
