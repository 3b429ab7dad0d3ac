"""The limits of members in the brute-force model: what is used is added up from all trades and open orders anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from goldx.protocol import terms, units
from tests.amounts import money_of
from tests.matching.core.model_parts import Account, Instrument, Order, Refused
from tests.matching.core.model_rules import could_use, fee_after

if TYPE_CHECKING:
    from tests.matching.core.model_books import Books


def check_limits(
    books: Books,
    account: Account,
    *,
    value: int = 0,
    quantity: int = 0,
    orders: int = 0,
    gives: tuple[str, int] = (units.CASH, 0),
    tomorrow: bool = False,
) -> None:
    """Refuse what would pass a limit. ``gives`` is the asset and how much more of it could be given.

    ``tomorrow``: it may still be open then, when nothing that is given today makes up for it.
    """
    everyone = [one for one in books.accounts.values() if one.member == account.member]
    for subject, accounts in (((account.member, account.name), [account]), ((account.member, ""), everyone)):
        limits = books.limits_of_members.get(subject)
        if limits is None:
            continue
        names = {one.name for one in accounts}
        asset, more = gives
        wanted = [
            (limits.max_order_value, 0, value),
            (limits.max_order_quantity, 0, quantity),
            (limits.max_open_orders, count_open(books, names), orders),
            (limits.max_net_purchases, bought(books, accounts, tomorrow), more if asset == units.CASH else 0),
            (limits.max_net_sales, sold(books, accounts, tomorrow), more if asset != units.CASH else 0),
        ]
        if any(most is not None and added > 0 and used + added > most for most, used, added in wanted):
            raise Refused("MEMBER_LIMIT")


def count_open(books: Books, names: Iterable[str]) -> int:
    """Return how many orders, proposed deals and quotes in requests accounts have open, those to come included."""
    owners = [order.account.name for order in (*books.orders, *books.coming)]
    owners += [deal.asked.account for deal in books.deals]
    owners += [offer.given.account for request in books.requests for offer in request.offers]
    return sum(owner in names for owner in owners)


def trades_of_today(books: Books, account: Account) -> list[tuple[int, int]]:
    """Return what an account has paid (fen) and sold (mg) in each trade of this day that counts and stands."""
    after = max(books.last_trade_of_past, books.limits_count_after.get(account.member, books.last_trade_id))
    found = []
    for number, trade in books.trades.items():
        if number > after and number not in books.busted:
            if trade.buy_account == account.name:
                found.append((trade.amount + trade.buy_fee, -trade.quantity))
            if trade.sell_account == account.name:
                found.append((trade.sell_fee - trade.amount, trade.quantity))
    return found


def bought(books: Books, accounts: list[Account], tomorrow: bool = False) -> int:
    reserved = sum(books.reserved(account, units.CASH) for account in accounts)
    traded = sum(paid for account in accounts for paid, _ in trades_of_today(books, account))
    return reserved if tomorrow and traded < 0 else reserved + traded


def sold(books: Books, accounts: list[Account], tomorrow: bool = False) -> int:
    reserved = sum(books.reserved(account, symbol) for account in accounts for symbol in books.instruments)
    traded = sum(gold for account in accounts for _, gold in trades_of_today(books, account))
    return reserved if tomorrow and traded < 0 else reserved + traded


def worst_price(books: Books, order: Order, instrument: Instrument) -> int:
    """Return the limit of an order; of a market order the worst price at which it could trade now."""
    if order.price is not None:
        return order.price
    found = books.crossing_limit(order)
    lowest, highest = instrument.limits()
    tick = instrument.terms.tick
    if found is None:
        found = highest if order.side == terms.BUY else lowest
    highest -= highest % tick
    lowest += -lowest % tick
    return min(found, highest) if order.side == terms.BUY else max(found, lowest)


def value_of(books: Books, order: Order, instrument: Instrument, quantity: int | None = None) -> int:
    """Return the value of an order, or of a part of it, for its limit.

    A sale may trade at the bids of others. In an auction it may trade at the last price or the reference price, and
    where a trade is at the median price, at the last price or, before the first trade, at the reference price.
    """
    prices = [worst_price(books, order, instrument)]
    if order.side == terms.SELL:
        bids = books.resting(order.symbol, terms.BUY)
        prices += [bid.price or 0 for bid in bids if bid.account.owner != order.account.owner]
        last, reference = instrument.last or 0, instrument.reference or 0
        if instrument.phase in (terms.PRE_OPEN, terms.AUCTION):
            prices += [last, reference]
        elif instrument.terms.price_rule == terms.MEDIAN_PRICE:
            prices.append(last or reference)
    return money_of(max(prices), order.quantity if quantity is None else quantity)


def worst_use(books: Books, order: Order, instrument: Instrument) -> tuple[str, int]:
    """Return what an order could use: as what it reserves, but for a market buy as if it traded at its worst price."""
    asset, amount = could_use(order, instrument)
    if order.side == terms.BUY and order.price is None:
        amount = money_of(worst_price(books, order, instrument), order.remaining)
        amount += fee_after(0, amount, max(instrument.terms.maker_fee_bp, instrument.terms.taker_fee_bp))[0]
    return asset, amount


def check_order(books: Books, order: Order) -> None:
    """Refuse a new order beyond a limit. One that trades at once or never is not open afterwards."""
    instrument = books.instruments[order.symbol]
    waits = order.stop_price is not None
    at_once = order.type == terms.MARKET or order.time_in_force in (terms.IOC, terms.FOK)
    orders = 0 if at_once and not waits else 1
    tomorrow = orders == 1 and order.time_in_force != terms.DAY
    if waits and order.price is None:
        gives, value = could_use(order, instrument), 0
    else:
        gives, value = worst_use(books, order, instrument), value_of(books, order, instrument)
    check_limits(
        books, order.account, value=value, quantity=order.quantity, orders=orders, gives=gives, tomorrow=tomorrow
    )


def check_side(books: Books, order: Order, old: list[Order], orders: int) -> None:
    """Refuse a side of a quote that adds to what is limited, in place of what is open of the old orders."""
    instrument = books.instruments[order.symbol]
    asset, amount = could_use(order, instrument)
    value = value_of(books, order, instrument)
    is_larger = order.quantity > sum(one.remaining for one in old)
    is_dearer = value > sum(value_of(books, one, instrument, one.remaining) for one in old)
    check_limits(
        books,
        order.account,
        value=value if is_dearer else 0,
        quantity=order.quantity if is_larger else 0,
        orders=orders,
        gives=(asset, amount - sum(could_use(one, instrument)[1] for one in old)),
    )


def check_changed(books: Books, old: Order, new: Order) -> None:
    """Refuse a change of an order that adds to what is limited."""
    instrument = books.instruments[old.symbol]
    values = (0, 0) if old.price is None else (value_of(books, old, instrument), value_of(books, new, instrument))
    asset, before = could_use(old, instrument)
    check_limits(
        books,
        old.account,
        value=values[1] if values[1] > values[0] else 0,
        quantity=new.quantity if new.quantity > old.quantity else 0,
        gives=(asset, could_use(new, instrument)[1] - before),
        tomorrow=old.time_in_force != terms.DAY,
    )


def triggers_within_limits(books: Books, order: Order) -> bool:
    """Return whether a stop that has triggered is within the limits; what it has reserved has been counted before."""
    instrument = books.instruments[order.symbol]
    asset, amount = worst_use(books, order, instrument)
    more = amount - could_use(order, instrument)[1]
    value = value_of(books, order, instrument)
    try:
        check_limits(books, order.account, value=value, quantity=order.quantity, gives=(asset, more))
    except Refused:
        return False
    return True
