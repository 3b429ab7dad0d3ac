"""Quotes in requests: ``rfq.quote`` and ``rfq.withdraw``.

A quote reserves at once what it could give, for its whole quantity, so nothing can fail when it is accepted. It is firm
from when the requester can see it: until then it may only become better. So nobody can quote early, watch the market
while the grace lasts, and take the quote back just before or after the requester sees it.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.details import write_detail
from goldx.protocol.terms import BUY, MAX_OPEN_RFQ_QUOTES, RFQ_FIRM_MS
from goldx.protocol.units import format_weight
from matching.core import direct_trades, holders, methods, regime, rfq_ends
from matching.core.holdings import Account
from matching.core.placing import price_refusal, quantity_refusal
from matching.core.rfq import OpenRfq, OpenRfqQuote
from matching.core.state import State
from matching.core.tags import RFQ_QUOTED


def quote(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``rfq.quote``: check it, reserve, and let it take the place of the account's quote if there is one."""
    _, name, rfq_id, price, quantity, all_or_none, session = command
    subject = str(rfq_id)
    account = state.accounts.get(name)
    if account is None:
        return state.refuse(methods.RFQ_QUOTE, "UNKNOWN_ACCOUNT", name, subject)
    request = state.requests.get(rfq_id)
    if request is None or not request.asks(account.member):
        return state.refuse(methods.RFQ_QUOTE, "UNKNOWN_RFQ", name, subject)
    if account.refusal:
        return state.refuse(methods.RFQ_QUOTE, account.refusal, name, subject)
    old = request.quotes.get(name)
    reason, detail = _refusal(state, request, account, price, quantity, all_or_none)
    if not reason and old is not None:
        reason, detail = _refusal_of_change(state, request, old, price, quantity, all_or_none)
    side = request.quoting_side()
    balance = direct_trades.source(account, request.instrument, side)
    needed = direct_trades.needed(request.instrument, side, price, quantity)
    more = needed - (0 if old is None else old.reserved)
    if not reason:
        orders = 1 if old is None else 0
        replaced = (0, 0) if old is None else (old.price, old.quantity)
        reason, detail = direct_trades.refusal_of_limits(
            account, side, price, quantity, more, orders=orders, replaced=replaced
        )
    if not reason:
        reason = direct_trades.refusal_of_funds(balance, side, more)
    if reason:
        return state.refuse(methods.RFQ_QUOTE, reason, name, subject, detail)

    if old is not None:
        rfq_ends.release(state, old)
    number = state.last_rfq_quote_id + 1
    state.last_rfq_quote_id = number
    firm_until = min(max(state.now, request.grace_until) + RFQ_FIRM_MS, request.expire_at)
    terms = (price, quantity, all_or_none, firm_until, session)
    request.quotes[name] = OpenRfqQuote(number, request, account, *terms, balance, needed)
    account.member.open_rfq_quotes += 1
    if account.usage is not None:
        account.usage.open(1)
    balance.reserve(needed)
    state.touched.append(balance)
    names = (rfq_id, number, name, request.account.name, request.instrument.symbol)
    replaces = None if old is None else old.quote_id
    hidden = state.now < request.grace_until or None
    what = (side, price, quantity, firm_until, all_or_none or None, replaces, hidden, request.anonymous or None)
    return state.emit(RFQ_QUOTED, *names, *what)


def withdraw(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``rfq.withdraw``, in any phase."""
    _, name, rfq_id = command
    subject = str(rfq_id)
    request = state.requests.get(rfq_id)
    if name not in state.accounts:
        state.refuse(methods.RFQ_WITHDRAW, "UNKNOWN_ACCOUNT", name, subject)
    elif request is None or name not in request.quotes:
        state.refuse(methods.RFQ_WITHDRAW, "UNKNOWN_RFQ", name, subject)
    elif state.now < request.quotes[name].firm_until:
        detail = f"the quote is firm until {request.quotes[name].firm_until}"
        state.refuse(methods.RFQ_WITHDRAW, "FIRM", name, subject, detail)
    else:
        rfq_ends.end_quote(state, request.quotes[name], "USER")


def _refusal(
    state: State, request: OpenRfq, account: Account, price: int, quantity: int, all_or_none: bool
) -> tuple[str, str]:
    """Return (reason, detail) why an account may not quote these terms now, or two empty texts."""
    if holders.holder_of(state, account) == holders.holder_of(state, request.account):
        return "SELF_TRADE", "the request is of the same beneficial owner"
    instrument = request.instrument
    reason = direct_trades.refusal_of_market(state, instrument)
    if not reason:
        reason = price_refusal(instrument, price) or quantity_refusal(instrument, quantity)
    if reason:
        return reason, ""
    if quantity > request.quantity or (all_or_none and quantity < request.quantity):
        words = "the whole of" if all_or_none else "at most"
        return "BAD_QUANTITY", write_detail(
            "quantity", f"{words} the {format_weight(request.quantity)} g that are asked for"
        )
    if account.name not in request.quotes and account.member.open_rfq_quotes >= MAX_OPEN_RFQ_QUOTES:
        return "TOO_MANY_OPEN", f"{account.member.name} has {MAX_OPEN_RFQ_QUOTES} open quotes in requests"
    if request.quoting_side() == BUY:
        return direct_trades.refusal_of_buyer(state, request.mode(), instrument, account)
    detail = regime.refuses(state, request.mode())
    return ("REGIME", detail) if detail else ("", "")


def _refusal_of_change(
    state: State, request: OpenRfq, old: OpenRfqQuote, price: int, quantity: int, all_or_none: bool
) -> tuple[str, str]:
    """Return (reason, detail) why a firm quote may not become this one, or two empty texts."""
    if state.now >= old.firm_until:
        return "", ""
    is_worse = request.is_worse(price, old.price) or quantity < old.quantity or (all_or_none and not old.all_or_none)
    return ("FIRM", f"the quote is firm until {old.firm_until}, and may only be improved") if is_worse else ("", "")
