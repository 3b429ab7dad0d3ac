"""Requests for quotes: ``rfq.create``, ``rfq.accept``, ``rfq.cancel`` (domain sheet 1.7, price asking).

A request reserves nothing. Each of its quotes does, so whoever accepts gets settled trades in the same command, or a
refusal that changes nothing: no quoter has a last look. In the grace after its creation the requester sees no quote and
can accept none, so that the first quoter does not win by speed.

Requests are made in every phase but HALTED, and by the same limits of prices as negotiated deals. Disclosed ones are
allowed in every legal regime, and so count towards no cap of a sandbox; anonymous ones take an approval or a sandbox,
and count. In WIND_DOWN only the buyers of the regime buy.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.details import write_detail
from goldx.protocol.terms import (
    BUY,
    LONGEST_RFQ_GRACE_MS,
    MAX_OPEN_REQUESTS,
    OUTLIVES,
    RFQ_TRADE,
    SELL,
    SHORTEST_RFQ_GRACE_MS,
)
from goldx.protocol.units import MG_PER_GRAM, format_price, format_weight
from matching.core import claims, direct_trades, holders, methods, regime, rfq_ends
from matching.core.holdings import Account
from matching.core.instrument import Instrument
from matching.core.placing import price_refusal, quantity_refusal
from matching.core.rfq import OpenRfq, OpenRfqQuote
from matching.core.rfq_crossing import covering_price, cross
from matching.core.state import GRACE_ENDS, REQUESTS, State
from matching.core.tags import RFQ_ACCEPTED, RFQ_CREATED, RFQ_QUOTE_DONE


def create(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``rfq.create``: check it, and publish it to whom it may concern."""
    _, name, client_id, symbol, side, quantity, expire_at, grace_ms, names, anonymous, persist, session = command
    method = methods.RFQ_CREATE
    instrument = state.instruments.get(symbol)
    account = state.accounts.get(name)
    if instrument is None:
        return state.refuse(method, "UNKNOWN_SYMBOL", name, client_id)
    if account is None:
        return state.refuse(method, "UNKNOWN_ACCOUNT", name, client_id)
    if account.refusal:
        return state.refuse(method, account.refusal, name, client_id)
    used = state.rfq_ids.get((name, client_id))
    if used is not None:
        return state.refuse(method, "DUPLICATE_ID", name, client_id, f"it is request {used[0]}")
    number = state.last_rfq_id + 1
    kept = session if not persist or session.startswith(OUTLIVES) else ""
    times = (state.now + grace_ms, expire_at)
    request = OpenRfq(number, account, client_id, instrument, side, quantity, *times, tuple(names), anonymous, kept)
    reason, detail = _refusal_of_terms(state, request)
    if not reason:
        reason, detail = _refusal_of_requester(state, request)
    if reason:
        return state.refuse(method, reason, name, client_id, detail)
    state.last_rfq_id = number
    state.rfq_ids[name, client_id] = (number, state.day)
    state.requests[number] = request
    instrument.open_requests += 1
    account.member.open_requests += 1
    state.schedule(request.grace_until, GRACE_ENDS + number, symbol)
    state.schedule(expire_at, REQUESTS + number, symbol)
    what = (number, name, client_id, symbol, side, quantity, *times, request.members)
    return state.emit(RFQ_CREATED, *what, anonymous or None, persist or None)


def accept(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``rfq.accept``: the best quotes are settled trades now, or the command is refused and changes nothing."""
    _, name, rfq_id, limit, quantity = command
    request = _find(state, methods.RFQ_ACCEPT, name, rfq_id)
    if request is None:
        return
    wanted = request.quantity if quantity is None else quantity
    reason, detail = _refusal_of_acceptance(state, request, limit, wanted)
    quotes = [] if reason else [one for one in request.quotes.values() if _can_trade(state, one)]
    price, filled = cross(request, quotes, limit, wanted)
    if not reason and not filled:
        reason, detail = "CANNOT_FILL", _at_hand(request, quotes, limit)
    if not reason:
        reason, detail = _refusal_of_means(state, request, price, filled)
    if reason:
        state.refuse(methods.RFQ_ACCEPT, reason, name, str(rfq_id), detail)
        return
    cover = covering_price(request, quotes, filled)
    rfq_ends.close(state, request)
    instrument = request.instrument
    symbol = instrument.symbol
    numbers = tuple([state.last_trade_id + 1 + place for place in range(len(filled))])
    state.emit(RFQ_ACCEPTED, rfq_id, name, request.client_rfq_id, symbol, price, wanted, numbers)
    for quote, part in filled:
        rfq_ends.release(state, quote)
        names = (rfq_id, quote.quote_id, quote.account.name, name, symbol)
        state.emit(RFQ_QUOTE_DONE, *names, price, part, state.last_trade_id + 1, cover, request.anonymous or None)
        if request.anonymous:
            state.count_value(price * part // MG_PER_GRAM)
        parties = (request.account, quote.account) if request.side == BUY else (quote.account, request.account)
        direct_trades.trade(state, instrument, *parties, price, part, RFQ_TRADE)
    for quote in list(request.quotes.values()):
        rfq_ends.end_quote(state, quote, "TRADED_AWAY")


def cancel(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``rfq.cancel``, in any phase."""
    _, name, rfq_id = command
    request = _find(state, methods.RFQ_CANCEL, name, rfq_id)
    if request is not None:
        rfq_ends.end(state, request, "USER")


def _find(state: State, method: str, name: str, rfq_id: int) -> OpenRfq | None:
    """Return the open request of an account; refuse the command if there is none."""
    account: Account | None = state.accounts.get(name)
    request = state.requests.get(rfq_id)
    if account is None:
        state.refuse(method, "UNKNOWN_ACCOUNT", name, str(rfq_id))
        return None
    if request is None or request.account is not account:
        state.refuse(method, "UNKNOWN_RFQ", name, str(rfq_id))
        return None
    return request


def _refusal_of_terms(state: State, request: OpenRfq) -> tuple[str, str]:
    """Return (reason, detail) why a request of these terms may not be made now, or two empty texts."""
    instrument = request.instrument
    reason = direct_trades.refusal_of_market(state, instrument)
    if reason:
        return reason, ""
    if request.side not in (BUY, SELL):
        return "BAD_VALUE", write_detail("side", "buy or sell")
    if not SHORTEST_RFQ_GRACE_MS <= request.grace_until - state.now <= LONGEST_RFQ_GRACE_MS:
        return "BAD_VALUE", write_detail("grace_ms", f"{SHORTEST_RFQ_GRACE_MS} to {LONGEST_RFQ_GRACE_MS}")
    if request.expire_at <= request.grace_until:
        return "TOO_LATE", write_detail("expire_at", f"later than the end of the grace, {request.grace_until}")
    reason = quantity_refusal(instrument, request.quantity)
    if reason:
        return reason, ""
    unknown = [name for name in request.members if name not in state.members]
    if unknown:
        return "UNKNOWN_MEMBER", write_detail("members", unknown[0][:32])
    if request.account.member.open_requests >= MAX_OPEN_REQUESTS:
        return "TOO_MANY_OPEN", f"{request.account.member.name} has {MAX_OPEN_REQUESTS} open requests"
    return "", ""


def _refusal_of_requester(state: State, request: OpenRfq) -> tuple[str, str]:
    """Return (reason, detail) why an account may not trade by a request now, or two empty texts."""
    if request.side == BUY:
        if detail := claims.refuses(request.account):
            return claims.REASON, detail
        return direct_trades.refusal_of_buyer(state, request.mode(), request.instrument, request.account)
    detail = regime.refuses(state, request.mode())
    return ("REGIME", detail) if detail else ("", "")


def _refusal_of_acceptance(state: State, request: OpenRfq, limit: int, wanted: int) -> tuple[str, str]:
    """Return (reason, detail) why a request may not be accepted by these terms, or two empty texts.

    What refuses its account has ended it.
    """
    instrument = request.instrument
    reason = direct_trades.refusal_of_market(state, instrument)
    if reason:
        return reason, ""
    if state.now < request.grace_until:
        return "TOO_EARLY", f"the grace of request {request.rfq_id} lasts until {request.grace_until}"
    reason = price_refusal(instrument, limit) or quantity_refusal(instrument, wanted)
    if reason:
        return reason, ""
    if wanted > request.quantity:
        return "BAD_QUANTITY", write_detail(
            "quantity", f"at most the {format_weight(request.quantity)} g that were asked for"
        )
    return _refusal_of_requester(state, request)


def _can_trade(state: State, quote: OpenRfqQuote) -> bool:
    """Return whether a quote may trade now: limits of prices, owners and the regime may have changed since."""
    request = quote.request
    if price_refusal(request.instrument, quote.price):
        return False
    if holders.holder_of(state, quote.account) == holders.holder_of(state, request.account):
        return False
    return request.quoting_side() == SELL or not regime.refuses(state, request.mode(), quote.account)


def _at_hand(request: OpenRfq, quotes: list[OpenRfqQuote], limit: int) -> str:
    """Return what could be accepted instead, in words."""
    found = [quote for quote in quotes if not request.is_worse(quote.price, limit) and not quote.all_or_none]
    total = sum([quote.quantity for quote in found])
    return f"at {format_price(limit)} or better {format_weight(total)} g can be accepted in parts"


def _refusal_of_means(
    state: State, request: OpenRfq, price: int, filled: list[tuple[OpenRfqQuote, int]]
) -> tuple[str, str]:
    """Return (reason, detail) why the requester cannot pay or deliver, or is beyond a limit, or two empty texts."""
    instrument: Instrument = request.instrument
    side = request.side
    amount = sum([price * part // MG_PER_GRAM for _, part in filled])
    if request.anonymous and (detail := regime.refuses_value(state, amount)):
        return "REGIME", detail
    needed = sum([direct_trades.needed(instrument, side, price, part) for _, part in filled])
    traded = sum([part for _, part in filled])
    reason, detail = direct_trades.refusal_of_limits(request.account, side, price, traded, needed, orders=0)
    if reason:
        return reason, detail
    balance = direct_trades.source(request.account, instrument, side)
    return direct_trades.refusal_of_funds(balance, side, needed), ""
