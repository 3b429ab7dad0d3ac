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


class ExchangeTime(TypedDict):
    """The result of ``exchange.time``: the gateway's ``time``, and ``event_at`` of its newest event, ``sequence``.

    Times in ms since the epoch. ``trouble`` says why orders are not taken or not matched, or is None.
    """

    time: int
    event_at: int
    sequence: int
    trouble: str | None


class CancelAfter(TypedDict):
    """The result of ``session.cancel_after``. ``due_at``: when the timer runs out, in ms; None while it is off."""

    ms: int
    due_at: int | None


class SessionStatus(TypedDict):
    """The result of ``session.status``. ``cancel_after_ms`` is 0 and ``cancel_due_at`` None while no timer runs."""

    key_id: str
    session: str
    cancel_on_disconnect: bool
    grace_ms: int
    cancel_after_ms: int
    cancel_due_at: int | None
    heartbeat_seconds: int


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
    """One trade from the side of one of its two parties; ``liquidity`` is maker, taker, auction, deal or rfq.

    ``kind`` is book, auction, deal or rfq. The last two have no order: ``order_id`` is 0. ``lots`` are the receipts of
    named lots that have changed hands.
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
    busted: NotRequired[bool]
    lots: NotRequired[list[int]]


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


class Deal(TypedDict):
    """One negotiated deal. ``side`` is that of ``account``, which has proposed it; ``status`` open, accepted or ended.

    ``client_deal_id`` and ``persist`` are for the proposer alone. ``reason`` says why it has ended. ``lots`` are the
    receipts of named lots.
    """

    deal_id: int
    account: str
    counter_account: str
    symbol: str
    side: str
    price: str
    quantity: str
    amount: str
    expire_at: int
    at: int
    status: str
    agreed_at: NotRequired[int]
    client_deal_id: NotRequired[str]
    persist: NotRequired[bool]
    trade_id: NotRequired[int]
    reason: NotRequired[str]
    lots: NotRequired[list[int]]


class OfDeal(TypedDict):
    """The result of ``deal.propose``, ``deal.accept``, ``deal.decline`` and ``deal.cancel``.

    ``trade`` is there once the deal is accepted.
    """

    deal: Deal
    trade: NotRequired[OwnTrade]


class RequestQuote(TypedDict):
    """One quote in a request. ``side`` is the quoter's; ``status`` open, done or ended.

    ``account`` is left out for the requester of an anonymous request. A quote that was accepted has ``done_price``,
    ``done_quantity`` and ``trade_id``, and for its quoter ``covering_price``: the best price of a quote that did not
    trade. ``reason`` says why it has ended.
    """

    rfq_id: int
    rfq_quote_id: int
    symbol: str
    side: str
    price: str
    quantity: str
    amount: str
    firm_until: int
    at: int
    status: str
    account: NotRequired[str]
    all_or_none: NotRequired[bool]
    done_price: NotRequired[str]
    done_quantity: NotRequired[str]
    trade_id: NotRequired[int]
    covering_price: NotRequired[str]
    reason: NotRequired[str]


class QuoteRequest(TypedDict):
    """One request for quotes. ``side`` is the requester's; ``status`` open, accepted or ended.

    For its requester it has ``quotes``, those that it may see, and what became of it; for who may answer it has
    ``quote``, the reader's own.
    """

    rfq_id: int
    symbol: str
    side: str
    quantity: str
    grace_until: int
    expire_at: int
    at: int
    status: str
    account: NotRequired[str]
    client_rfq_id: NotRequired[str]
    members: NotRequired[list[str]]
    anonymous: NotRequired[bool]
    persist: NotRequired[bool]
    quotes: NotRequired[list[RequestQuote]]
    quote: NotRequired[RequestQuote]
    price: NotRequired[str]
    accepted_quantity: NotRequired[str]
    trade_ids: NotRequired[list[int]]
    reason: NotRequired[str]


class OfRequest(TypedDict):
    """The result of ``rfq.create``, ``rfq.accept`` and ``rfq.cancel``; ``trades`` once the request is accepted."""

    request: QuoteRequest
    trades: NotRequired[list[OwnTrade]]


class OpenRequests(TypedDict):
    """The result of ``rfq.list``: the open requests of an account, and those of others that it may answer."""

    requests: list[QuoteRequest]
    to_quote: list[QuoteRequest]


class Holding(TypedDict):
    """An account's holding of one asset, CNY or fine grams of a grade class."""

    total: str
    reserved: str
    available: str
    locked: str
    withdrawable: str
    owed: NotRequired[str]
