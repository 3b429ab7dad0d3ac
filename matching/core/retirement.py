"""Taking instruments and accounts out of use, and cancelling orders that prevent it."""

from __future__ import annotations

from typing import Any

from goldx.protocol.details import write_detail
from goldx.protocol.terms import CLOSED
from goldx.protocol.units import format_money
from matching.core import deal_ends, methods, rfq_ends
from matching.core.state import State
from matching.core.tags import ACCOUNT_RETIRED, INSTRUMENT_RETIRED


def cancel_orders(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``market.cancel_orders``, in any phase: cancel in order of acceptance, pending stops too, then deals.

    Requests for quotes and the quotes in them end last.
    """
    _, symbol, text, name, _ = command
    instrument = state.instruments.get(symbol)
    if instrument is None:
        state.refuse(methods.MARKET_CANCEL_ORDERS, "UNKNOWN_SYMBOL", name, symbol)
    elif name is not None and name not in state.accounts:
        state.refuse(methods.MARKET_CANCEL_ORDERS, "UNKNOWN_ACCOUNT", name, symbol)
    elif not text.strip():
        state.refuse(
            methods.MARKET_CANCEL_ORDERS,
            "BAD_VALUE",
            name,
            symbol,
            write_detail("reason", "a text for the owners of the orders"),
        )
    else:
        orders = [order for order in state.orders.values() if order.instrument is instrument]
        found = [order for order in orders if name is None or order.account.name == name]
        for order in found:
            state.cancel(order, "VENUE", text)
        ended = deal_ends.end_of_instrument(state, instrument, name, text)
        ended = rfq_ends.end_of_instrument(state, instrument, name, text) or ended
        if not ended and not found:
            state.refuse(methods.MARKET_CANCEL_ORDERS, "UNKNOWN_ORDER", name, symbol, "there is no open order")


def retire_instrument(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``instrument.retire`` to an instrument that is closed, has no open orders and is held by nobody.

    Proposed deals in it and requests for quotes end.
    """
    _, symbol, _ = command
    instrument = state.instruments.get(symbol)
    if instrument is None:
        state.refuse(methods.INSTRUMENT_RETIRE, "UNKNOWN_SYMBOL", None, symbol)
    elif instrument.retired:
        state.refuse(methods.INSTRUMENT_RETIRE, "RETIRED", None, symbol)
    elif instrument.phase != CLOSED or instrument.has_open_orders():
        state.refuse(methods.INSTRUMENT_RETIRE, "PHASE", None, symbol, "it must be closed and without open orders")
    else:
        for account in state.accounts.values():
            balance = account.balances.get(symbol)
            if balance is not None and balance.total:
                detail = f"{account.name} holds {balance.total} mg of it; nobody may"
                state.refuse(methods.INSTRUMENT_RETIRE, "BAD_VALUE", account.name, symbol, detail)
                return
        instrument.retired = True
        state.emit(INSTRUMENT_RETIRED, symbol)
        deal_ends.end_of_instrument(state, instrument, None, f"{symbol} was retired")
        rfq_ends.end_of_instrument(state, instrument, None, f"{symbol} was retired")


def retire_account(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``account.retire`` to an account that holds and owes nothing, and so has no open orders but market stops.

    Deals that were proposed to it end, and its requests; it has proposed and quoted nothing, as it has nothing to
    reserve.
    """
    _, name, _ = command
    account = state.accounts.get(name)
    if account is None:
        return state.refuse(methods.ACCOUNT_RETIRE, "UNKNOWN_ACCOUNT", name, name)
    if account.retired:
        return state.refuse(methods.ACCOUNT_RETIRE, "RETIRED", name, name)
    for asset, balance in account.balances.items():
        if balance.total:
            detail = f"it holds {balance.total} of {asset} in its smallest unit; it must be empty"
            return state.refuse(methods.ACCOUNT_RETIRE, "BAD_VALUE", name, name, detail)
    if account.owed:
        detail = f"it owes {format_money(account.owed)} CNY; it must owe nothing"
        return state.refuse(methods.ACCOUNT_RETIRE, "BAD_VALUE", name, name, detail)
    if state.open_orders([account]):
        return state.refuse(methods.ACCOUNT_RETIRE, "BAD_VALUE", name, name, "it has open orders; it must have none")
    account.retired = True
    account.find_refusal()
    state.emit(ACCOUNT_RETIRED, name)
    deal_ends.end_of_account(state, account, f"{name} was retired")
    return rfq_ends.end_of_account(state, account, f"{name} was retired")
