"""The limits of members as the gateway sees them, and what is used of them.

It counts as ``matching.core.limit_setting`` does: the trades of the trading day from a member's first limit on. What is
open comes from the orders, deals, requests and holdings that the view has anyway.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from api.view.accounts import Account
from goldx.protocol.events import Trade, TradeBusted
from goldx.protocol.limit_events import LimitsChanged, LimitsProposed
from goldx.protocol.wire import write_event

NAMES: Final = ("max_order_value", "max_order_quantity", "max_open_orders", "max_net_purchases", "max_net_sales")
KEPT: Final = 1_024
"""The newest changes that are kept; older ones are in the event stream."""


class Traded(msgspec.Struct, array_like=True, gc=False):
    """The money paid (fen, with fees) and the gold sold (fine mg) by an account on balance on this trading day."""

    paid: int = 0
    sold: int = 0


class KeptLimits(msgspec.Struct, array_like=True):
    """Everything that is kept. A subject is a member and an account, which is empty for the member itself."""

    history: list[LimitsChanged] = []
    """The newest KEPT changes, oldest first."""
    in_force: dict[tuple[str, str], LimitsChanged] = {}
    """By subject: the last change, without those that took all limits away."""
    proposed: dict[tuple[str, str], LimitsProposed] = {}
    counted_after: dict[str, int] = {}
    """By member: the trade after which its trades count."""
    traded: dict[str, Traded] = {}
    """By account of these members."""


class ViewedLimits:
    """The limits of all members. ``accounts`` has all accounts by name, also those to come."""

    def __init__(self, accounts: Mapping[str, Account], last_trade: Callable[[], int]) -> None:
        self.state = KeptLimits()
        self._accounts = accounts
        self._last_trade = last_trade

    def handlers(self) -> dict[type[Any], Callable[[Any], None]]:
        """Return the functions that fold the events of limits, by type."""
        return {LimitsProposed: self.propose, LimitsChanged: self.change}

    def propose(self, event: LimitsProposed) -> None:
        """Keep a proposal until limits of the same subject are set or the trading day ends."""
        self.state.proposed[_subject(event)] = event

    def change(self, event: LimitsChanged) -> None:
        """Put limits in force, and begin to count what the member does if they are its first."""
        state = self.state
        subject = _subject(event)
        state.proposed.pop(subject, None)
        state.history.append(event)
        del state.history[:-KEPT]
        if any(getattr(event, name) is not None for name in NAMES):
            state.in_force[subject] = event
        else:
            state.in_force.pop(subject, None)
        if event.member not in state.counted_after:
            state.counted_after[event.member] = self._last_trade()
            state.traded |= {name: Traded() for name in self._accounts_of(event.member)}

    def add_account(self, name: str, member: str) -> None:
        """Count what a new account does, if its member is counted."""
        if member in self.state.counted_after:
            self.state.traded.setdefault(name, Traded())

    def count(self, event: Trade) -> None:
        """Count a trade for the accounts that are counted."""
        if (buyer := self.state.traded.get(event.buy_account)) is not None:
            buyer.paid += event.amount + event.buy_fee
            buyer.sold -= event.quantity
        if (seller := self.state.traded.get(event.sell_account)) is not None:
            seller.paid -= event.amount - event.sell_fee
            seller.sold += event.quantity

    def bust(self, event: TradeBusted) -> None:
        """Take an annulled trade back where it was counted."""
        if (buyer := self._counted(event.buy_account, event.trade_id)) is not None:
            buyer.paid -= event.amount + event.buy_fee
            buyer.sold += event.quantity
        if (seller := self._counted(event.sell_account, event.trade_id)) is not None:
            seller.paid += event.amount - event.sell_fee
            seller.sold -= event.quantity

    def _counted(self, account: str, trade_id: int) -> Traded | None:
        """Return what an account has traded, if a trade of a number is part of it."""
        after = self.state.counted_after.get(self._accounts[account].member)
        return self.state.traded[account] if after is not None and trade_id > after else None

    def _accounts_of(self, member: str) -> list[str]:
        """Return the accounts of a member, retired ones too."""
        return [account.name for account in self._accounts.values() if account.member == member]

    def begin_day(self) -> None:
        """Forget what was proposed and traded, and count no member without limits any more."""
        state = self.state
        state.proposed.clear()
        limited = {member for member, _ in state.in_force}
        state.counted_after = {name: after for name, after in state.counted_after.items() if name in limited}
        state.traded = {name: Traded() for member in state.counted_after for name in self._accounts_of(member)}

    def write_history(self, member: str | None) -> list[dict[str, Any]]:
        """Return the newest changes of a member, or of all, newest first, in the protocol's form."""
        return [write_event(event) for event in reversed(self.state.history) if member in (None, event.member)]


def write_limits(event: LimitsChanged | None) -> dict[str, Any]:
    """Return the limits that are set, in the protocol's form."""
    written = {} if event is None else write_event(event)
    return {name: written[name] for name in NAMES if name in written}


def _subject(event: LimitsChanged | LimitsProposed) -> tuple[str, str]:
    return event.member, event.account or ""
