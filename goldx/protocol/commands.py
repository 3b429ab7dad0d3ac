"""Everything that changes the exchange: the commands of members and of the venue.

A command is one msgspec Struct here, a MessagePack array ``[kind, field, field, ...]`` in the journal, a plain tuple of
the same order inside the matching core (no object is built per command on its way through), and
``{"method": ..., "params": {...}}`` in JSON (``goldx.protocol.wire``). All four come from the field order below.

Units: price fen per fine gram, quantity and gold amounts fine milligrams, money fen, times ms since the epoch, rates
basis points. ``None`` means "not given".
"""

from typing import ClassVar, TypeAlias

import msgspec

from goldx.protocol import terms


class Command(msgspec.Struct, array_like=True, tag_field="$kind", gc=False, frozen=True):
    """Base of all commands: its tag leads the array, ``method`` is the protocol's name of it."""

    method: ClassVar[str]


class OrderPlace(Command, tag=1, frozen=True):
    method: ClassVar[str] = "order.place"
    account: str
    client_order_id: str
    symbol: str
    side: int
    type: int
    quantity: int
    price: int | None = None
    time_in_force: int = terms.GTC
    expire_at: int | None = None
    post_only: bool = False
    display_quantity: int | None = None
    stop_price: int | None = None
    stp: int = terms.CANCEL_TAKER
    persist: bool = False
    session: str = ""


class OrderCancel(Command, tag=2, frozen=True):
    method: ClassVar[str] = "order.cancel"
    account: str
    order_id: int | None = None
    client_order_id: str | None = None


class OrderCancelAll(Command, tag=3, frozen=True):
    method: ClassVar[str] = "order.cancel_all"
    account: str
    symbol: str | None = None
    side: int | None = None


class OrderReplace(Command, tag=4, frozen=True):
    method: ClassVar[str] = "order.replace"
    account: str
    order_id: int | None = None
    client_order_id: str | None = None
    new_client_order_id: str | None = None
    price: int | None = None
    quantity: int | None = None


class QuoteSet(Command, tag=5, frozen=True):
    method: ClassVar[str] = "quote.set"
    account: str
    quote_id: str
    symbol: str
    bid_price: int
    bid_quantity: int
    ask_price: int
    ask_quantity: int
    session: str = ""


class QuoteCancel(Command, tag=6, frozen=True):
    method: ClassVar[str] = "quote.cancel"
    account: str
    symbol: str


class SessionClose(Command, tag=7, frozen=True):
    """A session ended: its orders that were not placed with ``persist`` are cancelled (reason DISCONNECT)."""

    method: ClassVar[str] = "session.close"
    member: str
    session: str


class InstrumentDefine(Command, tag=8, frozen=True):
    """Defines a grade class, or changes one that is closed. ``tick`` in fen, ``lot`` in fine milligrams.

    ``price_limit_percent`` is a whole percentage around the reference price; ``lower_price_limit`` and
    ``upper_price_limit`` are absolute and win over it. ``same_day_reuse_percent``: the share of the day's sale proceeds
    that may be withdrawn the same day (all of it may be traded with).
    """

    method: ClassVar[str] = "instrument.define"
    symbol: str
    name: str = ""
    name_zh: str = ""
    form: str = "NONAPPROVED_BAR"
    min_fineness: int = 1
    max_fineness: int = 100_000
    tick: int = 1
    lot: int = 1_000
    max_quantity: int | None = None
    price_limit_percent: int | None = None
    lower_price_limit: int | None = None
    upper_price_limit: int | None = None
    market_protection: int | None = None
    reference_price: int | None = None
    maker_fee_bp: int = 0
    taker_fee_bp: int = 0
    price_rule: int = terms.MAKER_PRICE
    dynamic_band_percent: int | None = None
    interruption_ms: int = 300_000
    resale_lock_days: int = 0
    same_day_reuse_percent: int = 100
    by: str = ""


class AccountOpen(Command, tag=9, frozen=True):
    method: ClassVar[str] = "account.open"
    account: str
    member: str
    kind: int = terms.HOUSE
    owner: str | None = None
    by: str = ""


class HoldingAdjust(Command, tag=10, frozen=True):
    """Puts in or takes out one asset; ``reference`` makes it happen once however often it is sent."""

    method: ClassVar[str] = "holding.adjust"
    account: str
    asset: str
    amount: int
    reference: str
    by: str = ""


class Leg(msgspec.Struct, array_like=True, gc=False, frozen=True):
    account: str
    asset: str
    amount: int


class HoldingSettle(Command, tag=11, frozen=True):
    """Several adjustments, all or none: how a withdrawal takes gold and settles its over/short weight in money."""

    method: ClassVar[str] = "holding.settle"
    reference: str
    legs: tuple[Leg, ...]
    by: str = ""


class MarketSetPhase(Command, tag=12, frozen=True):
    method: ClassVar[str] = "market.set_phase"
    symbol: str
    phase: int
    by: str = ""


class MarketSetReference(Command, tag=13, frozen=True):
    method: ClassVar[str] = "market.set_reference"
    symbol: str
    price: int
    by: str = ""


class MemberKill(Command, tag=14, frozen=True):
    method: ClassVar[str] = "member.kill"
    member: str
    by: str = ""


class MemberRestore(Command, tag=15, frozen=True):
    method: ClassVar[str] = "member.restore"
    member: str
    by: str = ""


class MemberHalt(Command, tag=16, frozen=True):
    """Refuses new orders of a member (reason HALTED) and leaves its resting ones; ``member.restore`` ends it."""

    method: ClassVar[str] = "member.halt"
    member: str
    by: str = ""


class ClockTick(Command, tag=17, frozen=True):
    method: ClassVar[str] = "clock.tick"


class MarketEndDay(Command, tag=18, frozen=True):
    """DAY orders expire, client ids may be used again, lock days roll. ``next_trading_day`` is an ISO date."""

    method: ClassVar[str] = "market.end_day"
    next_trading_day: str
    by: str = ""


AnyCommand: TypeAlias = (
    OrderPlace
    | OrderCancel
    | OrderCancelAll
    | OrderReplace
    | QuoteSet
    | QuoteCancel
    | SessionClose
    | InstrumentDefine
    | AccountOpen
    | HoldingAdjust
    | HoldingSettle
    | MarketSetPhase
    | MarketSetReference
    | MemberKill
    | MemberRestore
    | MemberHalt
    | ClockTick
    | MarketEndDay
)

MEMBER_COMMANDS: tuple[type[AnyCommand], ...] = (
    OrderPlace,
    OrderCancel,
    OrderCancelAll,
    OrderReplace,
    QuoteSet,
    QuoteCancel,
)
VENUE_COMMANDS: tuple[type[AnyCommand], ...] = (
    SessionClose,
    InstrumentDefine,
    AccountOpen,
    HoldingAdjust,
    HoldingSettle,
    MarketSetPhase,
    MarketSetReference,
    MemberKill,
    MemberRestore,
    MemberHalt,
    ClockTick,
    MarketEndDay,
)
BY_METHOD: dict[str, type[AnyCommand]] = {c.method: c for c in (*MEMBER_COMMANDS, *VENUE_COMMANDS)}
