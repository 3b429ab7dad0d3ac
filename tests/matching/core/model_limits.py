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
) -> None:
    """Refuse what would pass a limit. ``gives`` is the asset and how much more of it could be given."""
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
            (limits.max_net_purchases, bought(books, accounts), more if asset == units.CASH else 0),
            (limits.max_net_sales, sold(books, accounts), more if asset != units.CASH else 0),
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


def bought(books: Books, accounts: list[Account]) -> int:
    reserved = sum(books.reserved(account, units.CASH) for account in accounts)
    return reserved + sum(paid for account in accounts for paid, _ in trades_of_today(books, account))


def sold(books: Books, accounts: list[Account]) -> int:
    reserved = sum(books.reserved(account, symbol) for account in accounts for symbol in books.instruments)
    return reserved + sum(gold for account in accounts for _, gold in trades_of_today(books, account))


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


def value_of(books: Books, order: Order, instrument: Instrument) -> int:
    """Return the value of an order for its limit: a sale may trade at the best bid, if that is higher."""
    price = worst_price(books, order, instrument)
    bids = books.resting(order.symbol, terms.BUY)
    if order.side == terms.SELL and bids:
        price = max(price, bids[0].price or 0)
    return money_of(price, order.quantity)


def worst_use(books: Books, order: Order, instrument: Instrument) -> tuple[str, int]:
    """Return what an order could use: as what it reserves, but for a market buy as if it traded at its worst price."""
    asset, amount = could_use(order, instrument)
    if order.side == terms.BUY and order.price is None:
        amount = money_of(worst_price(books, order, instrument), order.remaining)
        amount += fee_after(0, amount, max(instrument.terms.maker_fee_bp, instrument.terms.taker_fee_bp))[0]
    return asset, amount


def check_order(books: Books, order: Order, freed: int = 0, orders: int = 1) -> None:
    """Refuse a new order beyond a limit. ``freed`` is what the same command frees of what it gives."""
    instrument = books.instruments[order.symbol]
    if order.price is None and order.stop_price is not None:
        gives = could_use(order, instrument)
        check_limits(books, order.account, quantity=order.quantity, orders=orders, gives=gives)
        return
    asset, amount = worst_use(books, order, instrument)
    value = value_of(books, order, instrument)
    check_limits(
        books, order.account, value=value, quantity=order.quantity, orders=orders, gives=(asset, amount - freed)
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
