"""The limits of members refuse what would pass them, before anything is accepted (MEMBER_LIMIT).

Every way of trading asks here, after its other rules and before it looks for the funds. The limits of the account come
first, then those of its member, for which all its accounts count together. A limit stops only what would add to what it
limits: so what a lower limit finds open stays open, trades, and can be made smaller; and no cancel is ever refused.

Net purchases are the money paid for purchases on this trading day less that got for sales, fees included, and all the
money that is reserved: what open orders to buy, proposed deals and quotes in requests could still add. Net sales are
the same in fine gold, of all instruments together. What is sold today gives room for purchases of today alone: an order
that can outlive the day has to fit without it, or it could trade tomorrow beyond the limit.
"""

from __future__ import annotations

from goldx.protocol.details import write_detail
from goldx.protocol.terms import BUY, CONTINUOUS, DAY
from goldx.protocol.units import MG_PER_GRAM, format_money, format_weight
from matching.core import fees
from matching.core.book import Level
from matching.core.holdings import Account
from matching.core.instrument import Instrument
from matching.core.member_limits import LimitUsage, MemberLimits
from matching.core.orders import Order

REASON = "MEMBER_LIMIT"


class Wanted:
    """The use that a command would make of the limits of its account.

    ``value`` (fen) and ``quantity`` (fine mg) are those of one order; 0 where it does not grow. ``orders`` is how many
    more are open afterwards, ``cash`` (fen) and ``gold`` (fine mg) how much more could be paid or sold. These three may
    be negative, where the command frees something. ``lasts``: it may be open after the end of the trading day.
    """

    __slots__ = ("cash", "gold", "lasts", "orders", "quantity", "value")

    def __init__(self, value: int, quantity: int, orders: int, cash: int, gold: int, lasts: bool = False) -> None:
        self.value: int = value
        self.quantity: int = quantity
        self.orders: int = orders
        self.cash: int = cash
        self.gold: int = gold
        self.lasts: bool = lasts


def refuses(account: Account, wanted: Wanted) -> str:
    """Return which limit refuses a command, with what is allowed and what is used, or an empty text."""
    usage = account.usage
    if usage is None:
        return ""
    found = ""
    if account.limits is not None:
        found = _beyond(account.limits, usage, f"account {account.name}", wanted)
    member = account.member
    if not found and member.limits is not None and member.usage is not None:
        found = _beyond(member.limits, member.usage, f"member {member.name}", wanted)
    return found


def value_of(account: Account, instrument: Instrument, side: int, price: int, quantity: int) -> int:
    """Return the value of an order for its limit, in fen, without fees.

    That is what it may be expected to trade at, as things are now: a buy at its limit price, which is the most (a
    market order: at the worst price at which it may trade); a sale at its limit price, the best bid of another owner,
    or the price that decides where a trade does not have the price of the order that was there first, whichever is the
    highest. O(orders of the same owner before that bid).
    """
    if side != BUY:
        price = max(price, _best_bid(instrument, account.owner, price), _deciding_price(instrument))
    return price * quantity // MG_PER_GRAM


def refuses_order(
    account: Account,
    instrument: Instrument,
    side: int,
    price: int,
    quantity: int,
    needed: int,
    orders: int,
    lasts: bool,
) -> str:
    """Return why a new limit order is refused, or an empty text.

    ``needed`` is what it would reserve: fen for a buy, fine mg for a sale. ``orders`` is 0 if it trades at once or
    never.
    """
    if account.usage is None:
        return ""
    cash, gold = (needed, 0) if side == BUY else (0, needed)
    value = value_of(account, instrument, side, price, quantity)
    return refuses(account, Wanted(value, quantity, orders, cash, gold, lasts))


def refuses_quote(
    account: Account,
    instrument: Instrument,
    side: int,
    price: int,
    quantity: int,
    needed: int,
    old: Order | None,
    orders: int,
) -> str:
    """Return why a side of a quote is refused in place of an old one, or an empty text.

    ``needed`` is what it would reserve. ``orders``: how many more are open afterwards.
    """
    if account.usage is None:
        return ""
    value = value_of(account, instrument, side, price, quantity)
    limited = quantity
    if old is not None:
        needed -= old.reserved
        if value <= value_of(account, instrument, side, old.price, old.remaining):
            value = 0
        if quantity <= old.remaining:
            limited = 0
    cash, gold = (needed, 0) if side == BUY else (0, needed)
    return refuses(account, Wanted(value, limited, orders, cash, gold))


def refuses_market_order(
    account: Account, instrument: Instrument, side: int, price: int, quantity: int, is_stop: bool, lasts: bool
) -> str:
    """Return why a new market order is refused, or an empty text. ``price`` is the worst at which it may trade now.

    It reserves no money, so that it is checked as if it traded whole at that price. A stop is checked for this when it
    triggers, and until then only for its quantity and as one more open order.
    """
    if account.usage is None:
        return ""
    gold = 0 if side == BUY else quantity
    if is_stop:
        return refuses(account, Wanted(0, quantity, 1, 0, gold, lasts))
    cash = fees.cost(price, quantity, 0, instrument.highest_fee) if side == BUY else 0
    value = value_of(account, instrument, side, price, quantity)
    return refuses(account, Wanted(value, quantity, 0, cash, gold))


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
    value = value_of(account, instrument, order.side, order.price, order.quantity)
    return refuses(account, Wanted(value, order.quantity, 0, cash, 0))


def refuses_change(order: Order, price: int, total: int, more: int) -> str:
    """Return why an order may not get another price or total, or an empty text. ``more``: what it has to reserve.

    An order that is open outlives the day unless it is a DAY order: immediate ones are pending stops.
    """
    account = order.account
    if account.usage is None:
        return ""
    instrument, side = order.instrument, order.side
    value = 0
    if order.special is None or not order.special.market:
        value = value_of(account, instrument, side, price, total)
        if value <= value_of(account, instrument, side, order.price, order.quantity):
            value = 0
    quantity = total if total > order.quantity else 0
    cash, gold = (more, 0) if side == BUY else (0, more)
    return refuses(account, Wanted(value, quantity, 0, cash, gold, order.time_in_force != DAY))


def refuses_direct(account: Account, side: int, amount: int, quantity: int, needed: int, orders: int) -> str:
    """Return why an account may not propose a trade without orders, or accept one, or an empty text.

    ``amount`` (fen) and ``quantity`` (fine mg) are 0 where they do not grow; ``needed`` is how much more it could use
    than what it replaces, and ``orders`` how many more are open afterwards.
    """
    if account.usage is None:
        return ""
    cash, gold = (needed, 0) if side == BUY else (0, needed)
    return refuses(account, Wanted(amount, quantity, orders, cash, gold))


def _best_bid(instrument: Instrument, owner: str, above: int) -> int:
    """Return the best bid of another owner if it is higher than a price, or 0. An owner never trades with itself."""
    best = instrument.bids.best
    if best is None or best.price <= above:
        return 0
    if _has_other(best, owner):
        return best.price
    for level in instrument.bids.levels_up_to(above):
        if _has_other(level, owner):
            return level.price
    return 0


def _has_other(level: Level, owner: str) -> bool:
    """Return whether an order of another owner is at a level."""
    order = level.head
    while order is not None:
        if order.account.owner != owner:
            return True
        order = order.next
    return False


def _deciding_price(instrument: Instrument) -> int:
    """Return the highest price that draws the price of a trade away from the orders' own, in fen, or 0.

    In an auction the reference price decides between prices that are equally good, and the last price stands for the
    orders to come; under the median rule a trade is at the last price if that is between the limits.
    """
    if instrument.phase != CONTINUOUS:
        return max(instrument.last, instrument.reference)
    return (instrument.last or instrument.reference) if instrument.median else 0


def _beyond(limits: MemberLimits, usage: LimitUsage, whose: str, wanted: Wanted) -> str:
    """Return which of the limits would be passed, or an empty text."""
    most = limits.max_order_value
    if most is not None and wanted.value > most:
        return _of_order("max_order_value", whose, _money(most), _money(wanted.value))
    most = limits.max_order_quantity
    if most is not None and wanted.quantity > most:
        return _of_order("max_order_quantity", whose, _grams(most), _grams(wanted.quantity))
    most = limits.max_open_orders
    if most is not None and wanted.orders > 0 and usage.open_orders + wanted.orders > most:
        return _of_total("max_open_orders", whose, str(most), str(usage.open_orders), str(wanted.orders))
    net, reserved = usage.net_purchases(), usage.reserved_cash
    found = _of_day("max_net_purchases", whose, limits.max_net_purchases, net, reserved, wanted.cash, wanted.lasts)
    if not found:
        net, reserved = usage.net_sales(), usage.reserved_gold
        found = _of_day("max_net_sales", whose, limits.max_net_sales, net, reserved, wanted.gold, wanted.lasts)
    return found


def _of_day(name: str, whose: str, most: int | None, net: int, reserved: int, more: int, lasts: bool) -> str:
    """Return how a limit of a trading day would be passed, or an empty text.

    Amounts of max_net_purchases are in fen, those of max_net_sales in fine mg. ``net`` is what is used of it, and for
    what outlives the day (``lasts``) at least all that is ``reserved``. ``more`` is what would be added: what
    frees something, or adds nothing, is never stopped.
    """
    used = max(net, reserved) if lasts else net
    if most is None or more <= 0 or used + more <= most:
        return ""
    of_money = name == "max_net_purchases"
    allowed, taken, added = (_money(amount) if of_money else _grams(amount) for amount in (most, used, more))
    why = ""
    if used != net:
        other = "sales" if of_money else "purchases"
        why = f"today's {other} give no room to an order that can outlive the day"
    return _of_total(name, whose, allowed, taken, added, why)


def _money(amount: int) -> str:
    return f"{format_money(amount)} CNY"


def _grams(weight: int) -> str:
    return f"{format_weight(weight)} g"


def _of_order(name: str, whose: str, most: str, this: str) -> str:
    return write_detail(name, f"{whose} may have {most} in one order, and this one has {this}")


def _of_total(name: str, whose: str, most: str, used: str, more: str, why: str = "") -> str:
    text = f"{whose} is allowed {most}, has used {used}, and this would add {more}"
    return write_detail(name, f"{text} ({why})" if why else text)
