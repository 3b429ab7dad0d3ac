"""The open sides of quotes: those of an account in an instrument, and those of a group of a member."""

from __future__ import annotations

from matching.core.holdings import Account, Member
from matching.core.orders import Order
from matching.core.state import State


def open_quote(state: State, account: Account, symbol: str) -> list[Order]:
    """Return the sides of an account's quote in a symbol that are still open, the bid first; no levels."""
    quote_id = account.quotes.get(symbol)
    if quote_id is None:
        return []
    sides = [state.find_order(account, quote_id + word) for word in ("/bid", "/ask")]
    return [side for side in sides if side is not None]


def slot(level: int, side: int) -> int:
    """Return the key of a side of a level in ``Account.levels``."""
    return level * 2 + side


def of_level(state: State, account: Account, symbol: str, level: int, side: int) -> Order | None:
    """Return the open order on a side of a level of an account's mass quotes, or None."""
    slots = account.levels.get(symbol)
    return None if slots is None else state.orders.get(slots.get(slot(level, side), 0))


def of_symbol(state: State, account: Account, symbol: str) -> list[Order]:
    """Return the open sides of an account's quote and of all its levels in a symbol, in order of acceptance."""
    found = {order.order_id: order for order in open_quote(state, account, symbol)}
    for number in account.levels.get(symbol, {}).values():
        if number in state.orders:
            found[number] = state.orders[number]
    return [found[number] for number in sorted(found)]


def of_group(state: State, member: Member, group: str) -> list[Order]:
    """Return the open sides of all quotes of a member's group, in order of acceptance. O(quotes of the member)."""
    found: dict[int, Order] = {}
    for account in member.accounts:
        for symbol in dict.fromkeys([*account.quotes, *account.levels]):
            for order in of_symbol(state, account, symbol):
                special = order.special
                if special is not None and special.group == group:
                    found[order.order_id] = order
    return [found[number] for number in sorted(found)]
