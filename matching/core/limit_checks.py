"""The limits of members refuse what would pass them, before anything is accepted (MEMBER_LIMIT).

Every way of trading asks here, after its other rules and before it looks for the funds. The limits of the account come
first, then those of its member, for which all its accounts count together. A limit stops only what would add to what it
limits: so what a lower limit finds open stays open, trades, and can be made smaller; and no cancel is ever refused.

Net purchases are the money paid for purchases on this trading day less that got for sales, fees included, and all the
money that is reserved: what open orders to buy, proposed deals and quotes in requests could still add. Net sales are
the same in fine gold, of all instruments together.
"""

from __future__ import annotations

from collections.abc import Iterable

from goldx.protocol.details import write_detail
from goldx.protocol.terms import BUY
from goldx.protocol.units import CASH, MG_PER_GRAM, format_money, format_weight
from matching.core import fees
from matching.core.holdings import Account
from matching.core.instrument import Instrument
from matching.core.member_limits import MemberLimits
from matching.core.orders import Order

REASON = "MEMBER_LIMIT"


class Wanted:
    """The use that a command would make of the limits of its account.

    ``value`` (fen) and ``quantity`` (fine mg) are those of one order; 0 where it does not grow. ``orders`` is how many
    more are open afterwards, ``cash`` (fen) and ``gold`` (fine mg) how much more could be paid or sold. These three may
    be negative, where the command frees something.
    """

    __slots__ = ("cash", "gold", "orders", "quantity", "value")

    def __init__(self, value: int, quantity: int, orders: int, cash: int, gold: int) -> None:
        self.value: int = value
        self.quantity: int = quantity
        self.orders: int = orders
        self.cash: int = cash
        self.gold: int = gold


def refuses(account: Account, wanted: Wanted) -> str:
    """Return which limit refuses a command, with what is allowed and what is used, or an empty text.

    O(accounts of the member), if it has a limit for all of them together.
    """
    if account.usage is None:
        return ""
    member = account.member
    found = ""
    if account.limits is not None:
        found = _beyond(account.limits, (account,), f"account {account.name}", wanted)
    if not found and member.limits is not None:
        found = _beyond(member.limits, member.accounts, f"member {member.name}", wanted)
    return found


def value_of(instrument: Instrument, side: int, price: int, quantity: int) -> int:
    """Return the value of an order for its limit, in fen, without fees.

    That is the most at which it could trade now: a buy at its limit price (a market order: at the worst price at which
    it may trade), a sale at its limit price or at the best bid, if that is higher.
    """
    best = instrument.bids.best
    if side != BUY and best is not None and best.price > price:
        price = best.price
    return price * quantity // MG_PER_GRAM


def refuses_order(
    account: Account, instrument: Instrument, side: int, price: int, quantity: int, needed: int, orders: int = 1
) -> str:
    """Return why a new order, a side of a quote, or a quote in a request is refused, or an empty text.

    ``needed`` is how much more it could use than what it replaces: fen for a buy, fine mg for a sale. ``orders``: how
    many more are open afterwards.
    """
    if account.usage is None:
        return ""
    cash, gold = (needed, 0) if side == BUY else (0, needed)
    return refuses(account, Wanted(value_of(instrument, side, price, quantity), quantity, orders, cash, gold))


def refuses_market_order(
    account: Account, instrument: Instrument, side: int, price: int, quantity: int, is_stop: bool
) -> str:
    """Return why a new market order is refused, or an empty text. ``price`` is the worst at which it may trade now.

    It reserves no money, so that it is checked as if it traded whole at that price. A stop is checked for this when it
    triggers, and until then only for its quantity and as one more open order.
    """
    if account.usage is None:
        return ""
    gold = 0 if side == BUY else quantity
    if is_stop:
        return refuses(account, Wanted(0, quantity, 1, 0, gold))
    cash = fees.cost(price, quantity, 0, instrument.highest_fee) if side == BUY else 0
    return refuses(account, Wanted(value_of(instrument, side, price, quantity), quantity, 1, cash, gold))


def refuses_triggered(order: Order) -> str:
    """Return why a stop that has triggered may not enter, or an empty text.

    What it has reserved is counted already. A market stop to buy has reserved nothing.
    """
    account = order.account
    if account.usage is None:
        return ""
    instrument = order.instrument
    cash = 0
    if order.side == BUY and order.special is not None and order.special.market:
        cash = fees.cost(order.price, order.remaining, 0, instrument.highest_fee)
    value = value_of(instrument, order.side, order.price, order.quantity)
    return refuses(account, Wanted(value, order.quantity, 0, cash, 0))


def refuses_change(order: Order, price: int, total: int, more: int) -> str:
    """Return why an order may not get another price or total, or an empty text. ``more``: what it has to reserve."""
    account = order.account
    if account.usage is None:
        return ""
    instrument, side = order.instrument, order.side
    value = 0
    if order.special is None or not order.special.market:
        value = value_of(instrument, side, price, total)
        if value <= value_of(instrument, side, order.price, order.quantity):
            value = 0
    quantity = total if total > order.quantity else 0
    cash, gold = (more, 0) if side == BUY else (0, more)
    return refuses(account, Wanted(value, quantity, 0, cash, gold))


def refuses_direct(account: Account, side: int, amount: int, quantity: int, needed: int, orders: int) -> str:
    """Return why an account may not propose a trade without orders, or accept one, or an empty text.

    ``amount`` is its value in fen; ``needed`` and ``orders`` as for an order.
    """
    cash, gold = (needed, 0) if side == BUY else (0, needed)
    return refuses(account, Wanted(amount, quantity, orders, cash, gold))


def open_orders(accounts: Iterable[Account]) -> int:
    """Return how many orders, proposed deals and quotes in requests accounts have open."""
    return sum([account.usage.open_orders for account in accounts if account.usage is not None])


def net_purchases(accounts: Iterable[Account]) -> int:
    """Return what accounts have bought on balance on this trading day and could still buy, in fen."""
    return sum([account.usage.paid + account.cash.reserved for account in accounts if account.usage is not None])


def net_sales(accounts: Iterable[Account]) -> int:
    """Return what accounts have sold on balance on this trading day and could still sell, in fine mg."""
    return sum([account.usage.sold + _reserved_gold(account) for account in accounts if account.usage is not None])


def _reserved_gold(account: Account) -> int:
    return sum([balance.reserved for asset, balance in account.balances.items() if asset != CASH])


def _beyond(limits: MemberLimits, accounts: Iterable[Account], whose: str, wanted: Wanted) -> str:
    """Return which of the limits would be passed, or an empty text."""
    most = limits.max_order_value
    if most is not None and wanted.value > most:
        return _of_order("max_order_value", whose, f"{format_money(most)} CNY", f"{format_money(wanted.value)} CNY")
    most = limits.max_order_quantity
    if most is not None and wanted.quantity > most:
        return _of_order("max_order_quantity", whose, f"{format_weight(most)} g", f"{format_weight(wanted.quantity)} g")
    most = limits.max_open_orders
    if most is not None and wanted.orders > 0:
        used = open_orders(accounts)
        if used + wanted.orders > most:
            return _of_total("max_open_orders", whose, str(most), str(used), str(wanted.orders))
    most = limits.max_net_purchases
    if most is not None and wanted.cash > 0:
        used = net_purchases(accounts)
        if used + wanted.cash > most:
            texts = [f"{format_money(amount)} CNY" for amount in (most, used, wanted.cash)]
            return _of_total("max_net_purchases", whose, texts[0], texts[1], texts[2])
    most = limits.max_net_sales
    if most is not None and wanted.gold > 0:
        used = net_sales(accounts)
        if used + wanted.gold > most:
            texts = [f"{format_weight(amount)} g" for amount in (most, used, wanted.gold)]
            return _of_total("max_net_sales", whose, texts[0], texts[1], texts[2])
    return ""


def _of_order(name: str, whose: str, most: str, this: str) -> str:
    return write_detail(name, f"{whose} may have {most} in one order, and this one has {this}")


def _of_total(name: str, whose: str, most: str, used: str, more: str) -> str:
    return write_detail(name, f"{whose} is allowed {most}, has used {used}, and this would add {more}")
