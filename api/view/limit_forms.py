"""The limits of a member with what is used of them, in the protocol's form."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from api.view.accounts import Account
from api.view.limits import Traded, write_limits
from api.view.view import View
from goldx.protocol import units
from goldx.protocol.wire import write_event


def write_member(view: View, member: str) -> dict[str, Any]:
    """Return the limits of a member and of its accounts in use, what is used of them, and what is proposed.

    ``used`` is None for a member of which nothing is counted. O(all accounts, its open deals, all requests and quotes).
    """
    state = view.limits.state
    names = [account.name for account in view.accounts.values() if account.member == member]
    quoted = view.requests.count_quotes() if member in state.counted_after else None
    proposed = [event for (of, _), event in state.proposed.items() if of == member]
    accounts = [
        {
            "account": name,
            "limits": write_limits(state.in_force.get((member, name))),
            "used": None if quoted is None else write_used(view, quoted, [name]),
        }
        for name in view.members.get(member, [])
    ]
    return {
        "member": member,
        "limits": write_limits(state.in_force.get((member, ""))),
        "used": None if quoted is None else write_used(view, quoted, names),
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
