"""The results of the client's methods, as the protocol defines them.

All are plain dictionaries. Prices (CNY per fine gram), quantities (fine grams) and money (CNY) are decimal strings,
``at`` is milliseconds since the epoch.
"""

from typing import Any, NotRequired, TypedDict

Message = dict[str, Any]
"""One message of a channel: channel, type, sequence, previous, epoch, at, data, and for books checksum.

``type`` is snapshot, update, gap, or notice: what the gateway says besides the numbered messages, of ``status.SYMBOL``
that orders are not taken or not matched (``data["trouble"]``), or are again (None).
"""


class Order(TypedDict):
    """One order; ``filled`` and ``amount`` and ``fee`` are the sums over its trades."""

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
    expire_at: NotRequired[int]
    display_quantity: NotRequired[str]
    stop_price: NotRequired[str]
    quote_id: NotRequired[str]
    post_only: NotRequired[bool]
    persist: NotRequired[bool]
    reason: NotRequired[str]


class OwnTrade(TypedDict):
    """One trade from the side of one of its two orders; ``liquidity`` is maker, taker or uncross."""

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
    busted: NotRequired[bool]


class Placed(TypedDict):
    """The result of ``order.place`` and ``order.replace``: the order, and the trades that it has had."""

    order: Order
    trades: list[OwnTrade]


class Cancelled(TypedDict):
    """The result of ``order.cancel``."""

    order: Order


class AllCancelled(TypedDict):
    """The result of ``order.cancel_all``: the orders that it cancelled."""

    orders: list[Order]


class Holding(TypedDict):
    """An account's holding of one asset, CNY or fine grams of a grade class."""

    total: str
    reserved: str
    available: str
    locked: str
    withdrawable: str
