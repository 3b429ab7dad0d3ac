"""From events to double entry: the ledger's postings of each event that the engine publishes.

Events are sifted as soon as they are read (``sift``), since that needs no database: trades and the newest holdings are
set aside, and what moves money or metal by a document waits for ``post_movements``, which needs the outbox.

Signs: a positive amount credits an account, a negative one debits it; per entry and asset all lines sum to zero.

===============  ==============================================================  ========
ledger account   its balance                                                     sign
===============  ==============================================================  ========
``member``       what the venue owes a trading account, in money or in metal      >= 0
``fee_income``   fees that the venue has earned and not paid out                  >= 0
``bank_escrow``  members' and venue's money at the escrow bank                    <= 0
``vault``        fine gold of a class under live receipts in the warehouses       <= 0
``suspense``     movements without a document of settlement: breaks               any
``receivable``   what a trading account owes the venue, by the claims on it       <= 0
===============  ==============================================================  ========
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import attrgetter
from typing import Final, NamedTuple

from goldx.protocol.claim_events import AccountClaimChanged
from goldx.protocol.commands import HoldingAdjust, HoldingSettle
from goldx.protocol.deal_events import DealAccepted, DealEnded, DealProposed
from goldx.protocol.events import (
    AccountOpened,
    AnyEvent,
    CommandRejected,
    DayEnded,
    HoldingAdjusted,
    HoldingChanged,
    HoldingSettled,
    InstrumentDefined,
    PhaseChanged,
    ReferenceChanged,
    Trade,
    TradeBusted,
)
from goldx.protocol.units import CASH
from goldx.streams.frames import EventFrame
from settlement.base.sub_accounts import Legs
from settlement.documents.kinds import MOVEMENTS, PAYMENT_CLAIM, TRADE, TRADE_BUST, UNIDENTIFIED
from settlement.documents.ledger import OUTBOX_CLOSED
from settlement.ledger import market_proposals
from settlement.ledger.outbox import OutboxItem

_HOLDING_METHODS: Final = (HoldingAdjust.method, HoldingSettle.method)

_REFERRING = frozenset((HoldingAdjusted, HoldingSettled, CommandRejected))
_OF_DEALS = frozenset((DealProposed, DealAccepted, DealEnded))
_OF_PROPOSALS = frozenset((*market_proposals.PROPOSED, *market_proposals.ENDING))
_SELDOM = (
    _REFERRING
    | _OF_PROPOSALS
    | _OF_DEALS
    | {
        TradeBusted,
        AccountClaimChanged,
        AccountOpened,
        InstrumentDefined,
        ReferenceChanged,
        PhaseChanged,
        DayEnded,
    }
)
"""The events that settlement writes down, besides trades and holdings."""
WRITTEN: Final = _SELDOM | {Trade, HoldingChanged}
"""All events that settlement writes down."""
_MOVING: Final = _REFERRING | {TradeBusted, AccountClaimChanged}
_sequence_of = attrgetter("sequence")
_buyer_of = attrgetter("buy_account", "symbol")
_seller_of = attrgetter("sell_account", "symbol")
_price_of = attrgetter("symbol", "price")
_holding_of = attrgetter("account", "asset")
FRAMES_AT_ONCE: Final = 32
"""The number of frames, of some hundred events each under load, after which other tasks of the process have a turn."""


class AccountKey(NamedTuple):
    """The key of a ledger account. ``name`` is a trading account's code, or the kind again for the venue's own."""

    kind: str
    name: str
    asset: str


MEMBER: Final = "member"
"""The kind of a trading account's accounts in the ledger."""
FEES: Final = AccountKey("fee_income", "fee_income", CASH)
BANK: Final = AccountKey("bank_escrow", "bank_escrow", CASH)
RECEIVABLE: Final = "receivable"
"""The kind of the accounts of what trading accounts owe; each has the name of the account that owes it."""


class SequenceGap(Exception):
    """The event stream lacks events: settlement must stop."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"the event stream continues with sequence {found}; {expected} was expected")


@dataclass
class PostedBatch:
    """The rows of some events, of which at most the last one ends a trading day or moves title to named lots.

    ``of_lots`` are those that named lots may follow (``settlement.custody.titles``). ``end``: the sequence of the last
    event where another batch follows.
    ``entries`` and ``lines`` are those of ``moving``, once they are posted: (sequence, kind, time, reference) and
    (sequence, line, account, amount). Those of trades are made with their hashes (``settlement.ledger.rows``).
    """

    trades: list[Trade] = field(default_factory=list)
    moving: list[AnyEvent] = field(default_factory=list)
    busts: list[TradeBusted] = field(default_factory=list)
    claims: list[AccountClaimChanged] = field(default_factory=list)
    holdings: dict[tuple[str, str], HoldingChanged] = field(default_factory=dict)
    accounts: list[AccountOpened] = field(default_factory=list)
    instruments: list[InstrumentDefined] = field(default_factory=list)
    days: list[DayEnded] = field(default_factory=list)
    phases: list[PhaseChanged] = field(default_factory=list)
    references: dict[str, int] = field(default_factory=dict)
    proposals: market_proposals.Changes = field(default_factory=dict)
    of_lots: list[AnyEvent] = field(default_factory=list)
    end: int | None = None
    entries: list[tuple[int, str, int, str | None]] = field(default_factory=list)
    lines: list[tuple[int, int, AccountKey, int]] = field(default_factory=list)
    done: list[tuple[OutboxItem, int]] = field(default_factory=list)
    refused: dict[str, tuple[OutboxItem, int, str]] = field(default_factory=dict)

    def add(self, events: Sequence[AnyEvent]) -> None:
        """Collect the trades and the newest holdings from events that are all of the frequent kinds."""
        self.trades += [event for event in events if type(event) is Trade]
        changed = [event for event in events if type(event) is HoldingChanged]
        self.holdings.update(zip(map(_holding_of, changed), changed, strict=True))

    @property
    def sides(self) -> set[tuple[str, str]]:
        """Return the sides of the trades: trading account and instrument."""
        return {*map(_buyer_of, self.trades), *map(_seller_of, self.trades)}

    @property
    def last_prices(self) -> dict[str, int]:
        """Return the price of the newest trade of two orders in each instrument."""
        return dict(map(_price_of, [event for event in self.trades if event.kind is None]))


class Sifted(NamedTuple):
    """Events after the sequence ``after``, and the last one of them; None if there was none."""

    after: int
    last: AnyEvent | None
    batches: Sequence[PostedBatch]


async def sift(frames: Sequence[EventFrame], after: int) -> Sifted:
    """Return what follows from the events of frames that come after a sequence, giving other tasks their turns.

    Raises SequenceGap if the events are not numbered one by one.
    """
    batch = PostedBatch()
    last: AnyEvent | None = None
    batches = [batch]
    expected = after + 1
    for number, frame in enumerate(frames):
        if not number % FRAMES_AT_ONCE:
            await asyncio.sleep(0)
        events = [*chain.from_iterable(frame.outcomes)]
        if [*map(_sequence_of, events)] != [*range(expected, expected + len(events))]:
            events = _in_order(events, after, expected)
        if not events:
            continue
        expected += len(events)
        last = events[-1]
        if _SELDOM.isdisjoint(map(type, events)):
            batch.add(events)
            continue
        for kind, some in groupby(events, _kind_of):
            if kind not in _SELDOM and kind is not None:
                batch.add([*some])
                continue
            for event in some:
                _keep(batch, event)
                if kind is DayEnded or _moves_lots(event):
                    batch.end = event.sequence
                    batch = PostedBatch()
                    batches.append(batch)
    if len(batches) > 1 and batch == PostedBatch():
        batches.pop()
    return Sifted(after, last, batches)


def _moves_lots(event: AnyEvent) -> bool:
    """Return whether an event moves title to named lots: what comes after it goes by what the register then has."""
    return isinstance(event, Trade | TradeBusted) and bool(event.lots)


def _kind_of(event: AnyEvent) -> type[AnyEvent] | None:
    """Return the type of an event; None for a trade of named lots."""
    return None if type(event) is Trade and event.lots else type(event)


def _in_order(events: Iterable[AnyEvent], after: int, expected: int) -> list[AnyEvent]:
    """Return the events after a sequence. Raises SequenceGap unless they are numbered from ``expected`` on."""
    later = [event for event in events if event.sequence > after]
    for wanted, event in enumerate(later, expected):
        if event.sequence != wanted:
            raise SequenceGap(wanted, event.sequence)
    return later


def _keep(batch: PostedBatch, event: AnyEvent) -> None:
    """Set aside an event that comes seldom."""
    if type(event) in _OF_PROPOSALS:
        market_proposals.note(batch.proposals, event)
    if isinstance(event, Trade):
        batch.trades.append(event)
        batch.of_lots.append(event)
    elif isinstance(event, DealProposed | DealAccepted | DealEnded):
        batch.of_lots.append(event)
    elif isinstance(event, AccountOpened):
        batch.accounts.append(event)
    elif isinstance(event, InstrumentDefined):
        batch.instruments.append(event)
        batch.references.pop(event.symbol, None)
    elif isinstance(event, ReferenceChanged):
        batch.references[event.symbol] = event.price
    elif isinstance(event, DayEnded):
        batch.days.append(event)
    elif isinstance(event, PhaseChanged):
        batch.phases.append(event)
    elif type(event) in _MOVING:
        batch.moving.append(event)
        if isinstance(event, TradeBusted):
            batch.of_lots.append(event)


def references_in(events: Iterable[AnyEvent]) -> list[str]:
    """Return the references that the outbox may have, to be looked up before ``fold``."""
    found: list[str] = []
    for event in events:
        if type(event) not in _REFERRING:
            continue
        if isinstance(event, HoldingAdjusted | HoldingSettled):
            found.append(event.reference)
        elif isinstance(event, CommandRejected) and event.method in _HOLDING_METHODS and event.subject:
            found.append(event.subject)
    return found


def post_movements(batch: PostedBatch, ours: Mapping[str, OutboxItem]) -> None:
    """Add the postings of what moves money or metal otherwise than by trades. ``ours``: outbox items by reference."""
    closed: set[str] = {reference for reference, item in ours.items() if item.status in OUTBOX_CLOSED}
    for event in batch.moving:
        if isinstance(event, TradeBusted):
            _post_bust(batch, event)
        elif isinstance(event, AccountClaimChanged):
            _post_claim(batch, event)
        elif isinstance(event, HoldingAdjusted):
            legs: Legs = ((event.account, event.asset, event.amount),)
            _post_movement(batch, event, legs, ours, closed)
        elif isinstance(event, HoldingSettled):
            legs = tuple((leg.account, leg.asset, leg.amount) for leg in event.legs)
            _post_movement(batch, event, legs, ours, closed)
        elif isinstance(event, CommandRejected) and event.method in _HOLDING_METHODS:
            item = ours.get(event.subject or "")
            if item is not None and item.reference not in closed:
                closed.add(item.reference)
                batch.refused[item.reference] = (item, event.sequence, event.reason)


def lines_of(event: Trade) -> list[tuple[int, AccountKey, int]]:
    """Return the lines of a trade's entry: number, account, amount. A line of nothing is left out."""
    buyer, seller, symbol = event.buy_account, event.sell_account, event.symbol
    lines = (
        (1, AccountKey(MEMBER, buyer, CASH), -event.amount - event.buy_fee),
        (2, AccountKey(MEMBER, seller, CASH), event.amount - event.sell_fee),
        (3, FEES, event.buy_fee + event.sell_fee),
        (4, AccountKey(MEMBER, seller, symbol), -event.quantity),
        (5, AccountKey(MEMBER, buyer, symbol), event.quantity),
    )
    return [line for line in lines if line[2]]


def _post_bust(batch: PostedBatch, event: TradeBusted) -> None:
    """Add the postings that take a trade back: each line of the trade with the other sign."""
    batch.busts.append(event)
    batch.entries.append((event.sequence, TRADE_BUST, event.at, f"{TRADE}:{event.trade_id}"))
    buyer, seller, symbol = event.buy_account, event.sell_account, event.symbol
    lines = [
        (AccountKey(MEMBER, buyer, CASH), event.amount + event.buy_fee),
        (AccountKey(MEMBER, seller, CASH), event.sell_fee - event.amount),
        (FEES, -event.buy_fee - event.sell_fee),
        (AccountKey(MEMBER, seller, symbol), event.quantity),
        (AccountKey(MEMBER, buyer, symbol), -event.quantity),
    ]
    _add_lines(batch, event.sequence, lines)


def _post_claim(batch: PostedBatch, event: AccountClaimChanged) -> None:
    """Add the postings of a claim that was set: what has left the bank is owed by the account, or no more.

    What was collected of a claim stands in the entry of the money that was taken out.
    """
    batch.claims.append(event)
    change = event.amount - event.before + (event.collected or 0)
    if change:
        batch.entries.append((event.sequence, PAYMENT_CLAIM, event.at, event.reference))
        owed = AccountKey(RECEIVABLE, event.account, CASH)
        _add_lines(batch, event.sequence, [(owed, -change), (BANK, change)])


def _post_movement(
    batch: PostedBatch,
    event: HoldingAdjusted | HoldingSettled,
    legs: Legs,
    ours: Mapping[str, OutboxItem],
    closed: set[str],
) -> None:
    """Add the postings of a movement: against the account of its document's kind; without a document, suspense.

    Money that collects a claim is posted against what the account owes by it.
    """
    item = ours.get(event.reference)
    known = item is not None and item.legs == legs and item.reference not in closed
    if item is not None and known:
        closed.add(item.reference)
        batch.done.append((item, event.sequence))
    batch.entries.append((event.sequence, item.kind if item and known else UNIDENTIFIED, event.at, event.reference))
    contra: defaultdict[str, int] = defaultdict(int)
    for _, asset, amount in legs:
        contra[asset] -= amount
    lines = [(AccountKey(MEMBER, account, asset), amount) for account, asset, amount in legs]
    if isinstance(event, HoldingAdjusted) and event.collected:
        lines.append((AccountKey(RECEIVABLE, event.account, CASH), event.collected))
        contra[CASH] -= event.collected
    for asset, amount in contra.items():
        account = _against(item.kind if item and known else None, asset)
        lines.append((AccountKey(account, account, asset), amount))
    _add_lines(batch, event.sequence, lines)


def _against(kind: str | None, asset: str) -> str:
    """Return the ledger account that stands against a movement of a document of this kind; None: of no document."""
    if kind is None:
        return "suspense"
    movement = MOVEMENTS[kind]
    return movement.cash_against if asset == CASH else movement.gold_against


def _add_lines(batch: PostedBatch, sequence: int, lines: Iterable[tuple[AccountKey, int]]) -> None:
    batch.lines += [(sequence, number, account, amount) for number, (account, amount) in enumerate(lines, 1) if amount]
