"""From events to double entry: the ledger's postings of each event that the engine publishes.

Signs: a positive amount credits an account, a negative one debits it; per entry and asset all lines sum to zero.

===============  ==============================================================  ========
ledger account   its balance                                                     sign
===============  ==============================================================  ========
``member``       what the venue owes a trading account, in money or in metal      >= 0
``fee_income``   fees that the venue has earned and not paid out                  >= 0
``bank_escrow``  members' and venue's money at the escrow bank                    <= 0
``vault``        fine gold of a class under live receipts in the warehouses       <= 0
``suspense``     movements without a document of settlement: breaks               any
===============  ==============================================================  ========
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

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
from settlement.base.sub_accounts import Legs
from settlement.documents.kinds import MOVEMENTS, TRADE, TRADE_BUST, UNIDENTIFIED
from settlement.documents.ledger import OUTBOX_CLOSED
from settlement.ledger.outbox import Item

_HOLDING_METHODS = ("holding.adjust", "holding.settle")

_REFERRING = frozenset((HoldingAdjusted, HoldingSettled, CommandRejected))
_POSTED = _REFERRING | {
    HoldingChanged,
    Trade,
    TradeBusted,
    AccountOpened,
    InstrumentDefined,
    ReferenceChanged,
    PhaseChanged,
    DayEnded,
}
"""The events that settlement writes down. One lookup in a set skips the others, which are most."""


class AccountKey(NamedTuple):
    """The key of a ledger account. ``name`` is a trading account's code, or the kind again for the venue's own."""

    kind: str
    name: str
    asset: str


FEES = AccountKey("fee_income", "fee_income", CASH)


@dataclass
class Batch:
    """All rows that one transaction writes; ``lines`` are (sequence, line, account, amount)."""

    entries: list[tuple[int, str, int, str | None]] = field(default_factory=list)
    lines: list[tuple[int, int, AccountKey, int]] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    busts: list[TradeBusted] = field(default_factory=list)
    holdings: dict[tuple[str, str], HoldingChanged] = field(default_factory=dict)
    accounts: list[AccountOpened] = field(default_factory=list)
    instruments: list[InstrumentDefined] = field(default_factory=list)
    days: list[DayEnded] = field(default_factory=list)
    phases: list[PhaseChanged] = field(default_factory=list)
    references: dict[str, int] = field(default_factory=dict)
    last_prices: dict[str, int] = field(default_factory=dict)
    done: list[tuple[Item, int]] = field(default_factory=list)
    refused: dict[str, tuple[Item, int, str]] = field(default_factory=dict)


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


def fold(events: Iterable[AnyEvent], ours: Mapping[str, Item]) -> Batch:
    """Return the rows that follow from events, in order. ``ours``: outbox items by reference."""
    batch = Batch()
    closed: set[str] = {reference for reference, item in ours.items() if item.status in OUTBOX_CLOSED}
    for event in events:
        if type(event) not in _POSTED:
            continue
        if isinstance(event, HoldingChanged):
            batch.holdings[event.account, event.asset] = event
        elif isinstance(event, Trade):
            _post_trade(batch, event)
        elif isinstance(event, TradeBusted):
            _post_bust(batch, event)
        elif isinstance(event, HoldingAdjusted):
            legs: Legs = ((event.account, event.asset, event.amount),)
            _post_movement(batch, event, legs, ours, closed)
        elif isinstance(event, HoldingSettled):
            legs = tuple((leg.account, leg.asset, leg.amount) for leg in event.legs)
            _post_movement(batch, event, legs, ours, closed)
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
        elif isinstance(event, CommandRejected) and event.method in _HOLDING_METHODS:
            item = ours.get(event.subject or "")
            if item is not None and item.reference not in closed:
                closed.add(item.reference)
                batch.refused[item.reference] = (item, event.sequence, event.reason)
    return batch


@lru_cache(maxsize=1 << 16)
def member_account(account: str, asset: str) -> AccountKey:
    """Return the key of a trading account's ledger account, the same object each time, for the sake of backlogs."""
    return AccountKey("member", account, asset)


def _post_trade(batch: Batch, event: Trade) -> None:
    """Add a trade's postings. Written without a loop, since a backlog consists of trades."""
    batch.trades.append(event)
    symbol, sequence, quantity, amount = event.symbol, event.sequence, event.quantity, event.amount
    buyer, seller, buy_fee, sell_fee = event.buy_account, event.sell_account, event.buy_fee, event.sell_fee
    batch.last_prices[symbol] = event.price
    batch.entries.append((sequence, TRADE, event.at, None))
    lines = batch.lines
    lines.append((sequence, 1, member_account(buyer, CASH), -amount - buy_fee))
    if amount != sell_fee:
        lines.append((sequence, 2, member_account(seller, CASH), amount - sell_fee))
    if buy_fee or sell_fee:
        lines.append((sequence, 3, FEES, buy_fee + sell_fee))
    lines.append((sequence, 4, member_account(seller, symbol), -quantity))
    lines.append((sequence, 5, member_account(buyer, symbol), quantity))


def _post_bust(batch: Batch, event: TradeBusted) -> None:
    """Add the postings that take a trade back: each line of the trade with the other sign."""
    batch.busts.append(event)
    batch.entries.append((event.sequence, TRADE_BUST, event.at, f"{TRADE}:{event.trade_id}"))
    buyer, seller, symbol = event.buy_account, event.sell_account, event.symbol
    lines = [
        (member_account(buyer, CASH), event.amount + event.buy_fee),
        (member_account(seller, CASH), event.sell_fee - event.amount),
        (FEES, -event.buy_fee - event.sell_fee),
        (member_account(seller, symbol), event.quantity),
        (member_account(buyer, symbol), -event.quantity),
    ]
    _add_lines(batch, event.sequence, lines)


def _post_movement(
    batch: Batch,
    event: HoldingAdjusted | HoldingSettled,
    legs: Legs,
    ours: Mapping[str, Item],
    closed: set[str],
) -> None:
    """Add the postings of a movement: against the account of its document's kind; without a document, suspense."""
    item = ours.get(event.reference)
    known = item is not None and item.legs == legs and item.reference not in closed
    if item is not None and known:
        closed.add(item.reference)
        batch.done.append((item, event.sequence))
    batch.entries.append((event.sequence, item.kind if item and known else UNIDENTIFIED, event.at, event.reference))
    contra: defaultdict[str, int] = defaultdict(int)
    for _, asset, amount in legs:
        contra[asset] -= amount
    lines = [(member_account(account, asset), amount) for account, asset, amount in legs]
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


def _add_lines(batch: Batch, sequence: int, lines: Iterable[tuple[AccountKey, int]]) -> None:
    batch.lines += [(sequence, number, account, amount) for number, (account, amount) in enumerate(lines, 1) if amount]
