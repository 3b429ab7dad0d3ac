"""The holders of an instrument, of whom there may be at most ``max_holders`` (domain sheet 5.1, 5.2, 5.4).

A holder is a person, whatever the number of its accounts: ``holder_of`` says who. Who has an open order to buy, has
proposed to buy in a deal, or has a quote to buy in a request counts too, so that no trade can ever make one holder too
many.
"""

from __future__ import annotations

from goldx.protocol.details import write_detail
from goldx.protocol.terms import BUY, SELL
from matching.core.holdings import Account
from matching.core.instrument import Instrument
from matching.core.state import State


def identity_of(state: State, owner: str) -> str:
    """Return the person whom the owner of an account stands for.

    An owner that is the name of an account, as those of pledged and held gold are, stands for that account's owner.
    """
    account = state.accounts.get(owner)
    return owner if account is None else account.owner


def holder_of(state: State, account: Account) -> str:
    """Return the identity of the beneficial holder of what an account has."""
    return identity_of(state, account.owner)


def clients(state: State) -> dict[str, None]:
    """Return the persons who have an account in use. O(accounts)."""
    return {holder_of(state, account): None for account in state.accounts.values() if not account.retired}


def refuses_holders(state: State, instrument: Instrument, joining: list[Account]) -> str:
    """Return why accounts may not become holders, or an empty text.

    O(accounts + buy orders of the instrument + deals + quotes in requests), where the instrument has a limit and an
    account holds nothing.
    """
    most = instrument.max_holders
    symbol = instrument.symbol
    if not most or all(_has(account, symbol) for account in joining):
        return ""
    found = holders(state, instrument)
    count = len(found)
    for account in joining:
        found[holder_of(state, account)] = None
    if len(found) <= max(most, count):
        return ""
    return write_detail("max_holders", f"{symbol} may have {most} holders, and has {count} with those who want to buy")


def holders(state: State, instrument: Instrument) -> dict[str, None]:
    """Return the holders of an instrument and those who have an open order, deal or quote to buy it."""
    found: dict[str, None] = {}
    symbol = instrument.symbol
    for account in state.accounts.values():
        if _has(account, symbol):
            found[holder_of(state, account)] = None
    for level in instrument.bids.levels.values():
        order = level.head
        while order is not None:
            found[holder_of(state, order.account)] = None
            order = order.next
    for _, number in instrument.stops(BUY):
        found[holder_of(state, state.orders[number].account)] = None
    for deal in state.deals.values():
        if deal.instrument is instrument and deal.side == BUY:
            found[holder_of(state, deal.account)] = None
    for request in state.requests.values():
        if request.instrument is instrument and request.side == SELL:
            for quote in request.quotes.values():
                found[holder_of(state, quote.account)] = None
    return found


def _has(account: Account, symbol: str) -> bool:
    balance = account.balances.get(symbol)
    return balance is not None and balance.total > 0
