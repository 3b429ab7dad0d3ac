"""Trades without orders: of a deal that two accounts have negotiated, of a request for quotes, later of lots.

Such a trade settles at once like one of the book: money, gold, resale lock and held back proceeds. It does not change
the last price and triggers no stop. Both parties pay the taker's fee, as neither has given the public a price, and no
residue is kept, as the fee of such a trade is charged once. The trade is public after the delay of its instrument.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.terms import BUY, HALTED
from goldx.protocol.units import MG_PER_GRAM
from matching.core import claims, day_opening, fees, holders, limit_checks, regime
from matching.core.holdings import Account, Balance
from matching.core.instrument import Instrument
from matching.core.state import UNPUBLISHED, State
from matching.core.tags import TRADE, TRADE_PUBLISHED


def needed(instrument: Instrument, side: int, price: int, quantity: int) -> int:
    """Return what one side of such a trade gives: fen with the fee for the buyer, fine mg for the seller."""
    return fees.cost(price, quantity, 0, instrument.taker_fee) if side == BUY else quantity


def source(account: Account, instrument: Instrument, side: int) -> Balance:
    """Return the balance from which one side of such a trade gives; an empty one if the account has none."""
    if side == BUY:
        return account.cash
    return account.balances.get(instrument.symbol) or Balance(account.name, instrument.symbol)


def refusal_of_limits(
    account: Account,
    side: int,
    price: int,
    quantity: int,
    needed: int,
    *,
    orders: int,
    replaced: tuple[int, int] = (0, 0),
) -> tuple[str, str]:
    """Return (reason, detail) why a claim or limits refuse what one side offers or accepts, or two empty texts.

    ``needed`` is how much more it gives than what this replaces, ``replaced`` the price and the quantity of that.
    ``orders``: how many more are open afterwards.
    """
    if side == BUY and (detail := claims.refuses(account)):
        return claims.REASON, detail
    old_price, old_quantity = replaced
    amount = price * quantity // MG_PER_GRAM
    if amount <= old_price * old_quantity // MG_PER_GRAM:
        amount = 0
    grown = quantity if quantity > old_quantity else 0
    detail = limit_checks.refuses_direct(account, side, amount, grown, needed, orders)
    return (limit_checks.REASON, detail) if detail else ("", "")


def refusal_of_funds(balance: Balance, side: int, amount: int) -> str:
    """Return the reason why an amount is not available in a balance, or an empty text."""
    if amount <= balance.available():
        return ""
    if side == BUY:
        return "INSUFFICIENT_CASH"
    return "RESALE_LOCKED" if amount <= balance.total - balance.reserved else "INSUFFICIENT_GOLD"


def refusal_of_market(state: State, instrument: Instrument) -> str:
    """Return the reason why no such trade may be asked for or made in an instrument now, or an empty text."""
    if instrument.retired:
        return "RETIRED"
    if instrument.phase == HALTED:
        return "HALTED"
    return day_opening.REASON if state.opening == day_opening.WAITS else ""


def refusal_of_buyer(state: State, mode: int, instrument: Instrument, buyer: Account) -> tuple[str, str]:
    """Return (reason, detail) why an account may not buy by a way of trading now, or two empty texts."""
    detail = regime.refuses(state, mode, buyer)
    if detail:
        return "REGIME", detail
    detail = holders.refuses_holders(state, instrument, [buyer])
    return ("MAX_HOLDERS", detail) if detail else ("", "")


def trade(
    state: State,
    instrument: Instrument,
    buyer: Account,
    seller: Account,
    price: int,
    quantity: int,
    kind: int,
    lots: tuple[int, ...] = (),
) -> None:
    """Make a trade between two accounts that have what it takes, none of it reserved any more.

    ``lots``: the receipts of named lots; what they are does not matter to the core.
    """
    symbol = instrument.symbol
    amount = price * quantity // MG_PER_GRAM
    charged = fees.fee(0, amount, instrument.taker_fee)
    state.fees_collected += 2 * charged
    state.last_trade_id += 1
    day_opening.note(state)
    state.general_trades += 1
    number = state.last_trade_id
    parties = (buyer.name, seller.name)
    more: tuple[Any, ...] = (kind, lots) if lots else (kind,)
    state.emit(TRADE, number, symbol, price, quantity, amount, 0, 0, *parties, None, 0, 0, charged, charged, *more)
    proceeds = amount - charged
    bought = buyer.balance(symbol)
    sold = seller.balance(symbol)
    buyer.cash.total -= amount + charged
    bought.total += quantity
    sold.total -= quantity
    seller.cash.total += proceeds
    if instrument.lock_days:
        bought.lock(quantity, state.day + instrument.lock_days)
    if buyer.usage is not None:
        buyer.usage.count(amount + charged, -quantity)
    if seller.usage is not None:
        seller.usage.count(-proceeds, quantity)
    if instrument.reuse_percent < 100:
        seller.cash.hold_back(proceeds - proceeds * instrument.reuse_percent // 100)
    state.touched += (buyer.cash, bought, sold, seller.cash)
    published = (symbol, price, quantity, amount, state.now, kind)
    if instrument.deal_delay:
        at = state.now + instrument.deal_delay
        state.unpublished[number] = (at, published)
        state.schedule(at, UNPUBLISHED + number, symbol)
    else:
        state.emit(TRADE_PUBLISHED, number, *published)


def publish(state: State, trade_id: int) -> None:
    """Publish a trade that is due, unless it was annulled before."""
    found = state.unpublished.pop(trade_id, None)
    if found is not None:
        _, published = found
        state.emit(TRADE_PUBLISHED, trade_id, *published)
