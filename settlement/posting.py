"""From events to double entry: what each event of the exchange means for the ledger.

Signs: a positive amount credits an account, a negative one debits it; per entry and asset all lines sum to zero.

===============  ==============================================================  ========
ledger account   what its balance says                                           sign
===============  ==============================================================  ========
``member``       what the venue owes a trading account, in money or in metal      >= 0
``fee_income``   fees that the venue has earned                                   >= 0
``bank_escrow``  members' and venue's money at the escrow bank                    <= 0
``vault``        fine gold of a class under live receipts in the warehouses       <= 0
``suspense``     came or went by no document of settlement: always a break        any
===============  ==============================================================  ========
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from goldx.events import (
    AccountOpened,
    AnyEvent,
    CommandRejected,
    HoldingAdjusted,
    HoldingChanged,
    HoldingSettled,
    InstrumentDefined,
    ReferenceChanged,
    Trade,
)
from goldx.units import CASH
from settlement.outbox import Item
from settlement.sub_accounts import Legs

_HOLDING_METHODS = ("holding.adjust", "holding.settle")


class AccountKey(NamedTuple):
    """Which ledger account: ``name`` is the trading account's code, or the kind again for the venue's own."""

    kind: str
    name: str
    asset: str


@dataclass
class Batch:
    """Everything that one transaction writes; ``lines`` are (sequence, line, account, amount)."""

    entries: list[tuple[int, str, int, str | None]] = field(default_factory=list)
    lines: list[tuple[int, int, AccountKey, int]] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    holdings: dict[tuple[str, str], HoldingChanged] = field(default_factory=dict)
    accounts: list[AccountOpened] = field(default_factory=list)
    instruments: list[InstrumentDefined] = field(default_factory=list)
    references: dict[str, int] = field(default_factory=dict)
    last_prices: dict[str, int] = field(default_factory=dict)
    done: list[tuple[Item, int]] = field(default_factory=list)
    refused: dict[str, tuple[Item, int, str]] = field(default_factory=dict)


def references_in(events: Iterable[AnyEvent]) -> list[str]:
    """References that may be ours, to be looked up before ``fold``."""
    found: list[str] = []
    for event in events:
        if isinstance(event, HoldingAdjusted | HoldingSettled):
            found.append(event.reference)
        elif isinstance(event, CommandRejected) and event.method in _HOLDING_METHODS and event.subject:
            found.append(event.subject)
    return found


def fold(events: Iterable[AnyEvent], ours: Mapping[str, Item]) -> Batch:
    """Turns events, in order, into what is to be written. ``ours``: outbox items by reference."""
    batch = Batch()
    closed: set[str] = {reference for reference, item in ours.items() if item.status in ("DONE", "REFUSED")}
    for event in events:
        if isinstance(event, HoldingChanged):
            batch.holdings[event.account, event.asset] = event
        elif isinstance(event, Trade):
            _post_trade(batch, event)
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
        elif isinstance(event, CommandRejected) and event.method in _HOLDING_METHODS:
            item = ours.get(event.subject or "")
            if item is not None and item.reference not in closed:
                closed.add(item.reference)
                batch.refused[item.reference] = (item, event.sequence, event.reason)
    return batch


def _post_trade(batch: Batch, event: Trade) -> None:
    batch.trades.append(event)
    batch.last_prices[event.symbol] = event.price
    batch.entries.append((event.sequence, "trade", event.at, None))
    _add_lines(
        batch,
        event.sequence,
        (
            (AccountKey("member", event.buy_account, CASH), -event.amount - event.buy_fee),
            (AccountKey("member", event.sell_account, CASH), event.amount - event.sell_fee),
            (AccountKey("fee_income", "fee_income", CASH), event.buy_fee + event.sell_fee),
            (AccountKey("member", event.sell_account, event.symbol), -event.quantity),
            (AccountKey("member", event.buy_account, event.symbol), event.quantity),
        ),
    )


def _post_movement(
    batch: Batch,
    event: HoldingAdjusted | HoldingSettled,
    legs: Legs,
    ours: Mapping[str, Item],
    closed: set[str],
) -> None:
    """What came in or went out: each leg against the escrow bank or the vault; without a document, against suspense."""
    item = ours.get(event.reference)
    known = item is not None and item.legs == legs and item.reference not in closed
    if item is not None and known:
        closed.add(item.reference)
        batch.done.append((item, event.sequence))
    batch.entries.append((event.sequence, item.kind if item and known else "unidentified", event.at, event.reference))
    contra: defaultdict[str, int] = defaultdict(int)
    for _, asset, amount in legs:
        contra[asset] -= amount
    lines = [(AccountKey("member", account, asset), amount) for account, asset, amount in legs]
    for asset, amount in contra.items():
        kind = "suspense" if not known else "bank_escrow" if asset == CASH else "vault"
        lines.append((AccountKey(kind, kind, asset), amount))
    _add_lines(batch, event.sequence, lines)


def _add_lines(batch: Batch, sequence: int, lines: Iterable[tuple[AccountKey, int]]) -> None:
    batch.lines.extend(
        (sequence, number, account, amount) for number, (account, amount) in enumerate(lines, 1) if amount
    )
