"""The limits of a member with what is used of them, in the protocol's form."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from api.view.accounts import Account
from api.view.limits import Traded, write_limits
from api.view.view import View
from goldx.protocol import units
from goldx.protocol.wire import write_event

AT_ONCE: Final = 500
"""The accounts that are written before other tasks get their turn."""


def write_member(view: View, member: str) -> dict[str, Any]:
    """Return the limits of a member and of its accounts in use, what is used of them, and what is proposed.

    ``used`` is None for a member of which nothing is counted. O(all accounts, its open deals, all requests and quotes).
    """
    return _write(view, member, _accounts_of(view, [member])[member], view.requests.count_quotes())


async def write_members(view: View, members: Iterable[str]) -> list[dict[str, Any]]:
    """Return ``write_member`` of several members; other tasks run after every AT_ONCE accounts.

    O(all accounts, requests and quotes) for every AT_ONCE accounts of these members.
    """
    written: list[dict[str, Any]] = []
    names: dict[str, list[str]] = {}
    quoted: Counter[str] = Counter()
    left = 0
    for member in (wanted := list(members)):
        if left <= 0:
            await asyncio.sleep(0)  # the view may be another one afterwards
            names, quoted = _accounts_of(view, wanted), view.requests.count_quotes()
            left = AT_ONCE
        written.append(_write(view, member, names[member], quoted))
        left -= 1 + len(names[member])
    return written


def _accounts_of(view: View, members: Iterable[str]) -> dict[str, list[str]]:
    """Return all accounts of members, retired ones too. O(all accounts)."""
    found: dict[str, list[str]] = {member: [] for member in members}
    for account in view.accounts.values():
        if (names := found.get(account.member)) is not None:
            names.append(account.name)
    return found


def _write(view: View, member: str, names: list[str], quoted: Counter[str]) -> dict[str, Any]:
    """Write a member with these accounts; ``quoted`` as for ``used``."""
    state = view.limits.state
    is_counted = member in state.counted_after
    proposed = [event for (of, _), event in state.proposed.items() if of == member]
    accounts = [
        {
            "account": name,
            "limits": write_limits(state.in_force.get((member, name))),
            "used": write_used(view, quoted, [name]) if is_counted else None,
        }
        for name in view.members.get(member, [])
    ]
    return {
        "member": member,
        "limits": write_limits(state.in_force.get((member, ""))),
        "used": write_used(view, quoted, names) if is_counted else None,
        "accounts": accounts,
        "proposed": [write_event(event) for event in proposed],
    }


def write_used(view: View, quoted: Counter[str], names: Iterable[str]) -> dict[str, Any]:
    """Return what accounts of a counted member have used of their limits together. ``quoted`` as for ``used``."""
    orders, purchases, sales = used(view, quoted, names)
    return {
        "open_orders": orders,
        "net_purchases": units.format_money(purchases),
        "net_sales": units.format_amount(sales, "gold"),
    }


def used(view: View, quoted: Counter[str], names: Iterable[str]) -> tuple[int, int, int]:
    """Return the open orders, the net purchases (fen) and the net sales (fine mg) of accounts of a counted member.

    ``quoted`` has the open quotes in requests by account.
    """
    orders = purchases = sales = 0
    for name in names:
        account: Account = view.accounts[name]
        traded = view.limits.state.traded.get(name, Traded())
        orders += len(account.live) + quoted[name]
        orders += sum(deal.proposed.account == name for deal in view.deals.open_of(name))
        purchases += traded.paid
        sales += traded.sold
        for asset, holding in account.holdings.items():
            if asset == units.CASH:
                purchases += holding.reserved
            else:
                sales += holding.reserved
    return orders, purchases, sales
