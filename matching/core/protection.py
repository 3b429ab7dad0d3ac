"""The protection of market makers: a group of quotes that has traded too much is cancelled at once.

A member names a group with each quote (without a name it is that of the instrument) and may set limits for it. Every
trade of the group's quotes counts, as maker, as taker and in an uncross; an annulled one stays counted. The trade that
reaches a limit is the last one, however large it is: the group's open quotes are cancelled before the incoming order,
or the uncross, goes on. From then on new quotes of the group are refused until the member resets it.

Only a trade does that. As older trades leave the window, a net quantity may pass its limit without one; then the next
trade of the group is the last.
"""

from __future__ import annotations

from typing import Any, Final

from goldx.protocol.details import write_detail
from goldx.protocol.terms import BUY, LONGEST_PROTECTION_WINDOW_MS
from goldx.protocol.units import MAX_WEIGHT_MG
from matching.core import methods
from matching.core.holdings import Member
from matching.core.open_quotes import of_group
from matching.core.orders import Order
from matching.core.protection_limits import Protection
from matching.core.state import State
from matching.core.tags import PROTECTION_RESET, PROTECTION_SET, PROTECTION_TRIGGERED

MAX_GROUPS: Final = 64
"""The most groups for which a member may have limits."""
REASON: Final = "PROTECTION"


def set_limits(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``quote.set_protection``: whoever may cancel may set limits, in every phase and when halted too."""
    _, name, group, window_ms, max_quantity, max_net = command
    account = state.accounts.get(name)
    if account is None:
        return state.refuse(methods.QUOTE_SET_PROTECTION, "UNKNOWN_ACCOUNT", name, group)
    protections = account.member.protections
    known = protections.get(group)
    if max_quantity is None and max_net is None:
        if known is None:
            detail = write_detail("max_quantity", "given, or max_net; the group has no limits to take away")
            return state.refuse(methods.QUOTE_SET_PROTECTION, "BAD_VALUE", name, group, detail)
        if known.frozen:
            return state.refuse(methods.QUOTE_SET_PROTECTION, REASON, name, group)
        del protections[group]
        return state.emit(PROTECTION_SET, name, group)
    if detail := _wrong_limit(window_ms, max_quantity, max_net):
        return state.refuse(methods.QUOTE_SET_PROTECTION, "BAD_VALUE", name, group, detail)
    if known is None and len(protections) >= MAX_GROUPS:
        detail = write_detail("group", f"a member may have limits for {MAX_GROUPS} groups")
        return state.refuse(methods.QUOTE_SET_PROTECTION, "BAD_VALUE", name, group, detail)
    protections[group] = new = Protection(window_ms, max_quantity or 0, max_net or 0)
    new.frozen = known is not None and known.frozen
    return state.emit(PROTECTION_SET, name, group, window_ms, max_quantity, max_net)


def reset(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``quote.reset_protection``."""
    _, name, group = command
    account = state.accounts.get(name)
    if account is None:
        return state.refuse(methods.QUOTE_RESET_PROTECTION, "UNKNOWN_ACCOUNT", name, group)
    protection = account.member.protections.get(group)
    if protection is None:
        detail = write_detail("group", "one with limits; quote.set_protection sets them")
        return state.refuse(methods.QUOTE_RESET_PROTECTION, "BAD_VALUE", name, group, detail)
    protection.frozen = False
    protection.begin()
    return state.emit(PROTECTION_RESET, name, group)


def is_frozen(member: Member, group: str) -> bool:
    """Return whether new quotes of a member's group are refused."""
    protection = member.protections.get(group)
    return protection is not None and protection.frozen


def of_order(order: Order) -> Protection | None:
    """Return the limits that an order counts towards; None if it is no quote, or one of a group without limits."""
    special = order.special
    if special is None or not special.group:
        return None
    return order.account.member.protections.get(special.group)


def count_trade(state: State, maker: Order, taker: Order, quantity: int) -> None:
    """Count a trade of a quantity for the groups of its quotes, and cancel those groups that reach a limit by it.

    Both orders have been brought up to date; what is left of them may be cancelled here.
    """
    for order in (maker, taker):
        protection = of_order(order)
        if protection is not None:
            bought, sold = (quantity, 0) if order.side == BUY else (0, quantity)
            protection.count(state.now, bought, sold)
    for order in (maker, taker):
        protection = of_order(order)
        special = order.special
        if protection is not None and special is not None and not protection.frozen and protection.is_reached():
            protection.frozen = True
            group = special.group
            state.emit(PROTECTION_TRIGGERED, order.account.name, group, protection.bought, protection.sold)
            for quote in of_group(state, order.account.member, group):
                state.cancel(quote, REASON, group)


class Trial:
    """A trial of a sweep: it counts what would trade with quotes, which are gone once a limit would be reached."""

    __slots__ = ("frozen", "now", "traded")

    def __init__(self, now: int) -> None:
        self.now: int = now
        self.frozen: set[tuple[str, str]] = set()
        """Members and groups that would have reached a limit."""
        self.traded: dict[tuple[str, str], tuple[int, int]] = {}
        """By member and group: what would be bought and sold within the window."""

    def take(self, quote: Order, protection: Protection, wanted: int) -> int:
        """Return how much of a wanted quantity a quote would give, and count that."""
        special = quote.special
        assert special is not None
        key = (quote.account.member.name, special.group)
        if key in self.frozen:
            return 0
        bought, sold = self.traded[key] if key in self.traded else protection.within(self.now)
        quantity = min(quote.remaining, wanted)
        if quote.side == BUY:
            bought += quantity
        else:
            sold += quantity
        self.traded[key] = (bought, sold)
        if protection.reached_by(bought, sold):
            self.frozen.add(key)
        return quantity


def _wrong_limit(window_ms: int | None, max_quantity: int | None, max_net: int | None) -> str:
    """Return what is wrong with limits, or an empty text."""
    if window_ms is None or not 0 < window_ms <= LONGEST_PROTECTION_WINDOW_MS:
        return write_detail("window_ms", f"from 1 to {LONGEST_PROTECTION_WINDOW_MS} with a limit")
    for name, limit in (("max_quantity", max_quantity), ("max_net", max_net)):
        if limit is not None and not 0 < limit <= MAX_WEIGHT_MG:
            return write_detail(name, "more than zero")
    return ""
