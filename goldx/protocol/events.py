"""The events: everything that the exchange says has happened.

Those of one subject stand in modules of their own (``*_events``), each with the union of its events.
An event is a msgspec Struct of this module for those who read it, a plain tuple of the same order inside the matching
core that makes it, a MessagePack array in the event stream, and one JSON object a line in ``goldx replay``. The array
begins ``[tag, sequence, at, ...]``: ``sequence`` is gapless per shard, ``at`` is the journal's time in ms.

Units as in ``goldx.protocol.commands``. Fields of type ``... | None`` that are None are left out of the JSON form,
except ``price`` and ``taker_side``, which are written as null.
"""

from typing import ClassVar, Final, TypeAlias, get_args

from goldx.protocol.bases import Event
from goldx.protocol.claim_events import SettlementEvent
from goldx.protocol.commands import Leg
from goldx.protocol.deal_events import DirectEvent
from goldx.protocol.limit_events import LimitEvent
from goldx.protocol.notice_events import NoticeEvent
from goldx.protocol.quote_events import QuoteEvent
from goldx.protocol.regime_events import RegimeEvent
from goldx.protocol.rfq_events import RfqEvent
from goldx.protocol.timetable_events import TimetableEvent


class OrderAccepted(Event, tag=1, frozen=True):
    event: ClassVar[str] = "order.accepted"
    order_id: int
    account: str
    client_order_id: str
    symbol: str
    side: int
    type: int
    price: int | None
    quantity: int
    time_in_force: int
    expire_at: int | None = None
    post_only: bool | None = None
    display_quantity: int | None = None
    stop_price: int | None = None
    stp: int | None = None
    persist: bool | None = None
    quote_id: str | None = None


class OrderRejected(Event, tag=2, frozen=True):
    """An order was refused. With the reason DUPLICATE_ID, ``order_id`` is the order that has the client id.

    ``detail`` says what a regime or a limit of holders would allow (reasons REGIME and MAX_HOLDERS).
    """

    event: ClassVar[str] = "order.rejected"
    account: str
    client_order_id: str
    symbol: str
    reason: str
    order_id: int | None = None
    detail: str | None = None


class Trade(Event, tag=3, frozen=True):
    """A trade. ``*_remaining`` is what is left of each order, hidden quantity included.

    ``taker_side`` is None in the uncross of an auction, and for a trade without orders, which has 0 for both order ids.
    ``kind`` is one of ``goldx.protocol.terms.TRADE_KINDS``. It is None for a trade of two orders, as in streams that
    are older than the field: ``goldx.protocol.trade_kinds`` has the kind of any trade. ``lots``: receipts, if named.
    """

    event: ClassVar[str] = "trade"
    trade_id: int
    symbol: str
    price: int
    quantity: int
    amount: int
    maker_order_id: int
    taker_order_id: int
    buy_account: str
    sell_account: str
    taker_side: int | None
    maker_remaining: int
    taker_remaining: int
    buy_fee: int
    sell_fee: int
    kind: int | None = None
    lots: tuple[int, ...] | None = None


class OrderCancelled(Event, tag=4, frozen=True):
    """``detail`` is the venue's own reason, where the venue cancelled the order (reason VENUE)."""

    event: ClassVar[str] = "order.cancelled"
    order_id: int
    account: str
    client_order_id: str
    symbol: str
    remaining: int
    reason: str
    detail: str | None = None


class OrderReplaced(Event, tag=5, frozen=True):
    """An order was changed. ``quantity`` is the new total including what has filled, ``remaining`` what is left."""

    event: ClassVar[str] = "order.replaced"
    order_id: int
    account: str
    client_order_id: str
    new_client_order_id: str
    symbol: str
    price: int | None
    quantity: int
    remaining: int
    kept_priority: bool


class HoldingChanged(Event, tag=6, frozen=True):
    """The holding of an account in one asset from now on.

    ``locked`` is the part of ``total`` that may not be sold yet (resale lock), ``unwithdrawable`` the part that may be
    traded with but not withdrawn today (sale proceeds).
    """

    event: ClassVar[str] = "holding.changed"
    account: str
    asset: str
    total: int
    reserved: int
    locked: int | None = None
    unwithdrawable: int | None = None


class PhaseChanged(Event, tag=7, frozen=True):
    """``planned_at`` is the planned time of the timetable's step that was taken, None for any other change.

    A step that finds its phase already there changes nothing else: then ``phase`` is ``previous``.
    """

    event: ClassVar[str] = "phase.changed"
    symbol: str
    phase: int
    previous: int
    planned_at: int | None = None


class InstrumentDefined(Event, tag=8, frozen=True):
    event: ClassVar[str] = "instrument.defined"
    symbol: str
    name: str
    name_zh: str
    form: str
    min_fineness: int
    max_fineness: int
    tick: int
    lot: int
    max_quantity: int | None
    price_limit_percent: int | None
    lower_price_limit: int | None
    upper_price_limit: int | None
    market_protection: int | None
    reference_price: int | None
    maker_fee_bp: int
    taker_fee_bp: int
    price_rule: int
    dynamic_band_percent: int | None
    interruption_ms: int
    resale_lock_days: int
    same_day_reuse_percent: int
    reopening_steps: int | None = None
    bust_window_ms: int | None = None
    max_holders: int | None = None
    deal_report_ms: int | None = None
    deal_delay_ms: int | None = None


class AccountOpened(Event, tag=9, frozen=True):
    event: ClassVar[str] = "account.opened"
    account: str
    member: str
    kind: int
    owner: str


class MemberKilled(Event, tag=10, frozen=True):
    event: ClassVar[str] = "member.killed"
    member: str


class MemberRestored(Event, tag=11, frozen=True):
    event: ClassVar[str] = "member.restored"
    member: str


class MemberHalted(Event, tag=12, frozen=True):
    event: ClassVar[str] = "member.halted"
    member: str


class CommandRejected(Event, tag=13, frozen=True):
    """A command other than ``order.place`` was refused. ``subject`` names what the command was about."""

    event: ClassVar[str] = "command.rejected"
    method: str
    reason: str
    account: str | None = None
    subject: str | None = None
    detail: str | None = None


class HoldingAdjusted(Event, tag=14, frozen=True):
    event: ClassVar[str] = "holding.adjusted"
    account: str
    asset: str
    amount: int
    reference: str
    collected: int | None = None  # the part in fen that has reduced a claim on the account


class HoldingSettled(Event, tag=15, frozen=True):
    event: ClassVar[str] = "holding.settled"
    reference: str
    legs: tuple[Leg, ...]


class ReferenceChanged(Event, tag=16, frozen=True):
    event: ClassVar[str] = "reference.changed"
    symbol: str
    price: int


class DayEnded(Event, tag=17, frozen=True):
    event: ClassVar[str] = "day.ended"
    next_trading_day: str


class AuctionIndicated(Event, tag=18, frozen=True):
    """The price and quantity at which an auction would uncross now; both are None when nothing crosses."""

    event: ClassVar[str] = "auction.indicated"
    symbol: str
    price: int | None
    quantity: int | None


class OrderTriggered(Event, tag=19, frozen=True):
    event: ClassVar[str] = "order.triggered"
    order_id: int
    account: str
    client_order_id: str
    symbol: str


class SelfTradePrevented(Event, tag=20, frozen=True):
    """Two orders of one owner met and did not trade. ``quantity`` is what both lost under ``decrement``, else 0."""

    event: ClassVar[str] = "self_trade.prevented"
    symbol: str
    maker_order_id: int
    taker_order_id: int
    quantity: int
    maker_remaining: int
    taker_remaining: int


class IcebergRefreshed(Event, tag=21, frozen=True):
    """The next slice of an iceberg order joined the end of its price level."""

    event: ClassVar[str] = "order.refreshed"
    order_id: int
    symbol: str
    quantity: int


class ReferenceProposed(Event, tag=22, frozen=True):
    """One person has proposed a far reference price; it holds once another sends the same command on the same day."""

    event: ClassVar[str] = "reference.proposed"
    symbol: str
    price: int
    by: str


class InstrumentRetired(Event, tag=23, frozen=True):
    event: ClassVar[str] = "instrument.retired"
    symbol: str


class AccountRetired(Event, tag=24, frozen=True):
    event: ClassVar[str] = "account.retired"
    account: str


class AuctionExtended(Event, tag=27, frozen=True):
    """The auction of an interruption goes on, because its price would lie outside the corridor.

    It ends at ``until`` if its price lies from ``lower_price_limit`` to ``upper_price_limit``; None: any price will do.
    """

    event: ClassVar[str] = "auction.extended"
    symbol: str
    until: int
    lower_price_limit: int | None = None
    upper_price_limit: int | None = None


class InstrumentProposed(Event, tag=28, frozen=True):
    """One person has proposed ``terms`` that take two; they hold once another sends the same command that day."""

    event: ClassVar[str] = "instrument.proposed"
    symbol: str
    terms: tuple[str, ...]
    by: str


class TradeBustProposed(Event, tag=29, frozen=True):
    """One person has asked for the annulment of a trade. It stands until somebody other than ``by`` asks as well."""

    event: ClassVar[str] = "trade.bust_proposed"
    trade_id: int
    symbol: str
    reason: str
    by: str


class TradeBusted(Event, tag=30, frozen=True):
    """A trade was annulled: money, gold and fees are back. All terms are those of the trade of ``traded_at``.

    ``proposed_by`` has asked for it, ``by`` has agreed and given the ``reason``. ``lots``: named lots that go back.
    """

    event: ClassVar[str] = "trade.busted"
    trade_id: int
    symbol: str
    price: int
    quantity: int
    amount: int
    maker_order_id: int
    taker_order_id: int
    buy_account: str
    sell_account: str
    taker_side: int | None
    buy_fee: int
    sell_fee: int
    traded_at: int
    proposed_by: str
    by: str
    reason: str
    lots: tuple[int, ...] | None = None
    lot_reservation: int | None = None


class DayEndProposed(Event, tag=31, frozen=True):
    """One person has named a next trading day that takes two: the day ends when another sends the same command."""

    event: ClassVar[str] = "day.end_proposed"
    next_trading_day: str
    by: str


AnyEvent: TypeAlias = (
    OrderAccepted
    | OrderRejected
    | Trade
    | OrderCancelled
    | OrderReplaced
    | HoldingChanged
    | PhaseChanged
    | InstrumentDefined
    | AccountOpened
    | MemberKilled
    | MemberRestored
    | MemberHalted
    | CommandRejected
    | HoldingAdjusted
    | HoldingSettled
    | ReferenceChanged
    | DayEnded
    | AuctionIndicated
    | OrderTriggered
    | SelfTradePrevented
    | IcebergRefreshed
    | ReferenceProposed
    | InstrumentRetired
    | AccountRetired
    | TimetableEvent
    | AuctionExtended
    | InstrumentProposed
    | TradeBustProposed
    | TradeBusted
    | DayEndProposed
    | RegimeEvent
    | DirectEvent
    | RfqEvent
    | QuoteEvent
    | NoticeEvent
    | LimitEvent
    | SettlementEvent
)

EVENTS: Final[tuple[type[AnyEvent], ...]] = get_args(AnyEvent)
"""Every event, in the order of the tags."""
