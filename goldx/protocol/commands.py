"""The commands: every request of a member or of the venue that changes the exchange.

A command has four forms, all with the fields in the order in which they stand here: a msgspec Struct of this module; a
MessagePack array ``[tag, field, field, ...]`` in the journal; a plain tuple of the same order inside the matching core,
which builds no object per command; and ``{"method": ..., "params": {...}}`` in JSON (``goldx.protocol.wire``).

Units: price fen per fine gram, quantity and gold amounts fine milligrams, money fen, times ms since the epoch, rates
basis points. ``None`` means "not given".
"""

from typing import ClassVar, Final, TypeAlias, get_args

import msgspec

from goldx.protocol import terms
from goldx.protocol.bases import LotsFound, MemberCommand, OperatorCommand, VenueCommand
from goldx.protocol.claim_commands import SettlementCommand
from goldx.protocol.deal_commands import DealCommand
from goldx.protocol.limit_commands import LimitsSet
from goldx.protocol.notice_commands import NoticeCommand
from goldx.protocol.quote_commands import QuoteCommand
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.protocol.rfq_commands import RfqCommand


class OrderPlace(MemberCommand, tag=1, frozen=True):
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


class OrderCancel(MemberCommand, tag=2, frozen=True):
    method: ClassVar[str] = "order.cancel"
    account: str
    order_id: int | None = None
    client_order_id: str | None = None


class OrderCancelAll(MemberCommand, tag=3, frozen=True):
    method: ClassVar[str] = "order.cancel_all"
    account: str
    symbol: str | None = None
    side: int | None = None


class OrderReplace(MemberCommand, tag=4, frozen=True):
    method: ClassVar[str] = "order.replace"
    account: str
    order_id: int | None = None
    client_order_id: str | None = None
    new_client_order_id: str | None = None
    price: int | None = None
    quantity: int | None = None


class QuoteSet(MemberCommand, tag=5, frozen=True):
    """Replaces the quote of an account in an instrument. ``group`` is that of its limits; None: the symbol."""

    method: ClassVar[str] = "quote.set"
    account: str
    quote_id: str
    symbol: str
    bid_price: int
    bid_quantity: int
    ask_price: int
    ask_quantity: int
    session: str = ""
    group: str | None = None


class QuoteCancel(MemberCommand, tag=6, frozen=True):
    method: ClassVar[str] = "quote.cancel"
    account: str
    symbol: str


class SessionClose(VenueCommand, tag=7, frozen=True):
    """Ends a session: its orders that were placed without ``persist`` are cancelled (reason DISCONNECT).

    ``session`` is ``KEY/NAME``, or ``KEY/*`` for a key that may not be used any more: then all orders that the key has
    placed are cancelled, those with ``persist`` too, which have a ``+`` before their session (older ones stay).
    """

    method: ClassVar[str] = "session.close"
    member: str
    session: str


class InstrumentDefine(OperatorCommand, tag=8, frozen=True):
    """Defines a grade class, or changes one that is closed. ``tick`` in fen, ``lot`` in fine milligrams.

    ``price_limit_percent`` is a whole percentage around the reference price; ``lower_price_limit`` and
    ``upper_price_limit`` are absolute and win over it. ``same_day_reuse_percent``: the share of the day's sale proceeds
    that may be withdrawn the same day (all of it may be traded with). ``bust_window_ms``: how long after a trade it may
    be annulled; None: half an hour, 0: never. ``max_holders``: the most owners that may hold it, have an order to buy
    it, or have proposed a deal to buy it; None: no limit. ``deal_report_ms``: how long after it was agreed a negotiated
    deal may be reported; None: 15 minutes. ``deal_delay_ms``: how long after its trade it is published; None: at once.

    ``given``, which the gateway sets, names the terms in the request; all other terms of a known instrument, and its
    reference price, stay as they are. None, in journals that are older than the field: all terms are replaced.

    ``rules``, which the gateway sets, is the version of the table of terms that take a second person
    (``goldx.protocol.dangerous_terms``). 0, in journals that are older than the field: one person may set any term.
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
    given: tuple[str, ...] | None = None
    reopening_steps: int | None = None
    rules: int = 0
    bust_window_ms: int | None = None
    max_holders: int | None = None
    deal_report_ms: int | None = None
    deal_delay_ms: int | None = None


class AccountOpen(OperatorCommand, tag=9, frozen=True):
    method: ClassVar[str] = "account.open"
    account: str
    member: str
    kind: int = terms.HOUSE
    owner: str | None = None
    by: str = ""


class HoldingAdjust(VenueCommand, tag=10, frozen=True):
    """Adds an amount of one asset to an account, or takes it out. A repeated ``reference`` is refused.

    ``deposit``: whether what it adds is new to the venue, and nothing that comes back or is corrected. ``claim``: the
    reference of a claim on the account, which money that is taken out reduces; empty: it collects none.
    """

    method: ClassVar[str] = "holding.adjust"
    account: str
    asset: str
    amount: int
    reference: str
    by: str = ""
    deposit: bool = False
    claim: str = ""


class Leg(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One adjustment of a ``holding.settle``."""

    account: str
    asset: str
    amount: int


class TradeTerms(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The terms of a trade that a ``trade.bust`` annuls: the trade's event, its time, and its trading day.

    ``trading_day`` is empty before the first one. Both order ids are 0 for a trade without orders, such as a deal.
    """

    at: int
    trading_day: str
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


class HoldingSettle(VenueCommand, tag=11, frozen=True):
    """Makes several adjustments, all or none: a load-out takes gold and pays its over/short weight in money.

    ``deposit`` as in ``HoldingAdjust``, for all legs that add something.
    """

    method: ClassVar[str] = "holding.settle"
    reference: str
    legs: tuple[Leg, ...]
    by: str = ""
    deposit: bool = False


class MarketSetPhase(OperatorCommand, tag=12, frozen=True):
    method: ClassVar[str] = "market.set_phase"
    symbol: str
    phase: int
    by: str = ""


class MarketSetReference(OperatorCommand, tag=13, frozen=True):
    """Changes the reference price.

    ``largest_change_percent``, which the gateway sets: a price further away from the last one (before the first trade:
    from the reference) becomes the reference only when a second person sends the same command. None: no limit.

    ``rules``, which the gateway sets too: from 1 on this is also so for the first reference of an instrument, if it is
    far from the prices of all others (``goldx.protocol.dangerous_terms``). 0 in journals that are older than the field.
    """

    method: ClassVar[str] = "market.set_reference"
    symbol: str
    price: int
    by: str = ""
    largest_change_percent: int | None = None
    rules: int = 0


class MemberKill(OperatorCommand, tag=14, frozen=True):
    method: ClassVar[str] = "member.kill"
    member: str
    by: str = ""


class MemberRestore(OperatorCommand, tag=15, frozen=True):
    method: ClassVar[str] = "member.restore"
    member: str
    by: str = ""


class MemberHalt(OperatorCommand, tag=16, frozen=True):
    """Refuses new orders of a member (reason HALTED) and leaves the resting ones; ``member.restore`` ends the halt."""

    method: ClassVar[str] = "member.halt"
    member: str
    by: str = ""


class ClockTick(VenueCommand, tag=17, frozen=True):
    method: ClassVar[str] = "clock.tick"


class MarketEndDay(OperatorCommand, tag=18, frozen=True):
    """Ends the trading day: DAY orders expire, resale locks come a day nearer their end, old client ids become free.

    ``next_trading_day`` is an ISO date. ``rules``, which the gateway sets, is the version of the rules by which the day
    ends. 0, in journals that are older than the field: any later day, in any phase, and only ids of open orders stay
    taken. 1: a weekday of the next weeks, with every instrument closed; an id stays taken until the end of the trading
    day after its first use. 2: what expired orders had reserved is free before the day ends. 3: no day ends into the
    past, not even from the last one allowed; sent where the timetable says that the day is over. 4: as 3, but it is
    only proposed until another person sends the same. 5: as 4 if the present day has not begun in China, else as 3.
    """

    method: ClassVar[str] = "market.end_day"
    next_trading_day: str
    by: str = ""
    rules: int = 0


class InstrumentRetire(OperatorCommand, tag=19, frozen=True):
    """Takes an instrument out of use: it stays closed. ``instrument.define`` puts it back into use."""

    method: ClassVar[str] = "instrument.retire"
    symbol: str
    by: str = ""


class AccountRetire(OperatorCommand, tag=20, frozen=True):
    """Takes an empty account out of use, for good: its new orders are refused (reason RETIRED)."""

    method: ClassVar[str] = "account.retire"
    account: str
    by: str = ""


class MarketCancelOrders(OperatorCommand, tag=21, frozen=True):
    """Cancels the open orders of an instrument, all or one account's. ``reason`` is a text that their owners see."""

    method: ClassVar[str] = "market.cancel_orders"
    symbol: str
    reason: str
    account: str | None = None
    by: str = ""


class TimetableStep(VenueCommand, tag=22, frozen=True):
    """Moves an instrument into the phase of its timetable. ``planned_at`` identifies the step, which is taken once.

    It is refused before it is due, and after ``latest_at``.
    """

    method: ClassVar[str] = "timetable.step"
    symbol: str
    phase: int
    planned_at: int
    latest_at: int
    by: str = ""


class TimetableHold(OperatorCommand, tag=23, frozen=True):
    """Holds the timetable of an instrument, whose steps are then refused, or releases it."""

    method: ClassVar[str] = "timetable.hold"
    symbol: str
    held: bool
    by: str = ""


class TimetableDelay(OperatorCommand, tag=24, frozen=True):
    """Delays the steps of an instrument that are planned from ``first_at`` to ``last_at``; 0 ms takes it back."""

    method: ClassVar[str] = "timetable.delay"
    symbol: str
    first_at: int
    last_at: int
    delay_ms: int
    by: str = ""


class TradeBust(OperatorCommand, tag=25, frozen=True):
    """Annuls a trade of this trading day within its instrument's window, when a second person sends the same command.

    Orders and triggered stops stay as they are. ``reason`` is a text that the parties and the public see. ``trade``,
    which the gateway sets, has the terms of the trade: the core remembers no trades. ``lots_found``, set by
    it as well, is about the named lots that the buyer gives back, where the trade was of some.
    """

    method: ClassVar[str] = "trade.bust"
    trade_id: int
    reason: str
    by: str = ""
    trade: TradeTerms | None = None
    lots_found: LotsFound | None = None


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
    | InstrumentRetire
    | AccountRetire
    | MarketCancelOrders
    | TimetableStep
    | TimetableHold
    | TimetableDelay
    | TradeBust
    | VenueSetRegime
    | DealCommand
    | RfqCommand
    | QuoteCommand
    | NoticeCommand
    | LimitsSet
    | SettlementCommand
)

COMMANDS: Final[tuple[type[AnyCommand], ...]] = get_args(AnyCommand)
"""Every command, in the order of the tags."""
MEMBER_COMMANDS: Final = tuple(command for command in COMMANDS if issubclass(command, MemberCommand))
OPERATOR_COMMANDS: Final = tuple(command for command in COMMANDS if issubclass(command, OperatorCommand))
BY_METHOD: Final = {command.method: command for command in COMMANDS}
