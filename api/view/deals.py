"""Proposed deals as a gateway keeps them, and their form for each of the two parties.

A deal is kept until the end of its trading day, with which every proposal ends.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from api.view.records import OPEN
from goldx.protocol import terms, units
from goldx.protocol.deal_events import DealAccepted, DealEnded, DealProposed

ACCEPTED: Final = "accepted"
ENDED: Final = "ended"


class Deal(msgspec.Struct, array_like=True, gc=False):
    """One deal: the event that proposed it, and what became of it."""

    proposed: DealProposed
    status: str = OPEN
    trade_id: int | None = None
    reason: str | None = None

    @property
    def parties(self) -> tuple[str, str]:
        """The proposer's account, and the account to which it was proposed."""
        return self.proposed.account, self.proposed.counter_account


class DealForm(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The protocol's form of a deal for one of its parties. ``side`` is the proposer's.

    ``client_deal_id`` and ``persist`` are for the proposer alone. ``lots`` are the receipts of named lots.
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
    agreed_at: int | None = None
    client_deal_id: str | None = None
    persist: bool = False
    trade_id: int | None = None
    reason: str | None = None
    lots: list[int] | None = None


class Deals:
    """The deals of this trading day. ``of_account`` has the open ones by account and number."""

    def __init__(self) -> None:
        self.by_id: dict[int, Deal] = {}
        self.of_account: dict[str, dict[int, Deal]] = {}

    def handlers(self) -> dict[type[Any], Callable[[Any], None]]:
        """Return the functions that fold the events of deals, by type."""
        return {DealProposed: lambda event: self.add(Deal(event)), DealAccepted: self.end, DealEnded: self.end}

    def add(self, deal: Deal) -> None:
        """Add a deal."""
        number = deal.proposed.deal_id
        self.by_id[number] = deal
        if deal.status == OPEN:
            for name in deal.parties:
                self.of_account.setdefault(name, {})[number] = deal

    def end(self, event: DealAccepted | DealEnded) -> None:
        """Record the end of an open deal."""
        deal = self.by_id[event.deal_id]
        if isinstance(event, DealAccepted):
            deal.status, deal.trade_id = ACCEPTED, event.trade_id
        else:
            deal.status, deal.reason = ENDED, event.reason
        for name in deal.parties:
            open_ones = self.of_account[name]
            del open_ones[event.deal_id]
            if not open_ones:
                del self.of_account[name]

    def open_of(self, account: str) -> list[Deal]:
        """Return the open deals of an account, those that it has proposed and those proposed to it, oldest first."""
        return list(self.of_account.get(account, {}).values())

    def count_open(self, symbol: str) -> int:
        """Return the number of open deals in an instrument."""
        return sum(deal.proposed.symbol == symbol for deal in self._open())

    def find(self, account: str, client_deal_id: str) -> Deal | None:
        """Return the deal of today that an account has proposed under a client id. O(deals of today)."""
        wanted = (account, client_deal_id)
        found = (d for d in self.by_id.values() if (d.proposed.account, d.proposed.client_deal_id) == wanted)
        return next(found, None)

    def begin_day(self) -> None:
        """Forget the deals of the day that has ended, all of which are over."""
        self.by_id.clear()
        self.of_account.clear()

    def _open(self) -> Iterator[Deal]:
        return (deal for deal in self.by_id.values() if deal.status == OPEN)


def write_deal(deal: Deal, account: str) -> DealForm:
    """Return the form of a deal for one of its parties."""
    event = deal.proposed
    own = account == event.account
    return DealForm(
        event.deal_id,
        event.account,
        event.counter_account,
        event.symbol,
        terms.SIDES[event.side],
        units.format_price(event.price),
        units.format_weight(event.quantity),
        units.format_money(event.price * event.quantity // units.MG_PER_GRAM),
        event.expire_at,
        event.at,
        deal.status,
        event.agreed_at,
        event.client_deal_id if own else None,
        bool(event.persist) and own,
        deal.trade_id,
        deal.reason,
        None if event.lots is None else list(event.lots),
    )
