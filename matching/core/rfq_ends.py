"""Ends of requests for quotes, and of their quotes: what was reserved for a quote is free again.

A request ends with its acceptance, with ``rfq.cancel``, at its ``expire_at`` (EXPIRED), with the trading day (EXPIRED),
when its member is killed (KILL) or halted (HALT), with its session (DISCONNECT), when the regime no longer allows it
(REGIME), and when the venue cancels the orders of its instrument or takes the instrument or the account out of use
(VENUE). All its quotes end with it.

A quote ends besides with ``rfq.withdraw``, with its member and its session, and as above. But the end of a session is
no way to take back a firm quote: such a quote ends when it is no longer firm. What the venue does, such as a kill or
the suspension of a key, ends firm quotes too.
"""

from __future__ import annotations

from goldx.protocol.terms import BUY, EVERY, OUTLIVES
from matching.core import regime
from matching.core.holdings import Account, Member
from matching.core.instrument import Instrument
from matching.core.rfq import OpenRfq, OpenRfqQuote
from matching.core.state import GRACE_ENDS, LEAVING, REQUESTS, State
from matching.core.tags import RFQ_ENDED, RFQ_GRACE_ENDED, RFQ_QUOTE_ENDED


def close(state: State, request: OpenRfq) -> list[OpenRfqQuote]:
    """Take a request out of the open ones, and return its quotes, which still have to be ended."""
    del state.requests[request.rfq_id]
    request.instrument.open_requests -= 1
    request.account.member.open_requests -= 1
    return list(request.quotes.values())


def release(state: State, quote: OpenRfqQuote) -> None:
    """Take a quote out of the open ones, and free what it has reserved."""
    del quote.request.quotes[quote.account.name]
    quote.account.member.open_rfq_quotes -= 1
    if quote.account.usage is not None:
        quote.account.usage.open(-1)
    state.leaving.pop(quote.quote_id, None)
    quote.balance.reserve(-quote.reserved)
    state.touched.append(quote.balance)


def end_quote(state: State, quote: OpenRfqQuote, reason: str, detail: str = "") -> None:
    """End an open quote without a trade."""
    release(state, quote)
    request = quote.request
    names = (request.rfq_id, quote.quote_id, quote.account.name, request.account.name, request.instrument.symbol)
    hidden = state.now < request.grace_until or None
    state.emit(RFQ_QUOTE_ENDED, *names, reason, hidden, request.anonymous or None, detail or None)


def end(state: State, request: OpenRfq, reason: str, detail: str = "") -> None:
    """End an open request without a trade, and its quotes."""
    quotes = close(state, request)
    names = (request.rfq_id, request.account.name, request.client_rfq_id, request.instrument.symbol)
    state.emit(RFQ_ENDED, *names, reason, detail or None)
    for quote in quotes:
        end_quote(state, quote, "DECLINED" if reason == "USER" else reason, detail)


def run_due(state: State, number: int) -> None:
    """Do what is due for a number of the timetable: a quote leaves, a grace ends, or a request expires."""
    if number >= REQUESTS:
        request = state.requests.get(number - REQUESTS)
        if request is not None:
            end(state, request, "EXPIRED")
    elif number >= GRACE_ENDS:
        request = state.requests.get(number - GRACE_ENDS)
        if request is not None:
            _end_grace(state, request)
    else:
        quote = state.leaving.get(number - LEAVING)
        if quote is not None:
            end_quote(state, quote, "DISCONNECT")


def _end_grace(state: State, request: OpenRfq) -> None:
    """Publish the quotes of a request to its requester."""
    shown = [
        (quote.quote_id, quote.account.name, quote.price, quote.quantity, quote.firm_until, quote.all_or_none or None)
        for quote in request.quotes.values()
    ]
    names = (request.rfq_id, request.account.name, request.client_rfq_id, request.instrument.symbol)
    state.emit(RFQ_GRACE_ENDED, *names, tuple(shown), request.anonymous or None)


def end_all(state: State) -> None:
    """End every request, as its trading day ends, and free the client ids that were used before this day."""
    for request in list(state.requests.values()):
        end(state, request, "EXPIRED")
    state.rfq_ids = {name: used for name, used in state.rfq_ids.items() if used[1] >= state.day}


def end_of_member(state: State, member: Member, reason: str) -> None:
    """End the requests of a member, and its quotes in those of others."""
    for request in list(state.requests.values()):
        if request.account.member is member:
            end(state, request, reason)
        else:
            for quote in _quotes_of(request, member):
                end_quote(state, quote, reason)


def end_of_session(state: State, member: Member, session: str) -> None:
    """End what a session of a member has asked for and quoted; ``KEY/*``: all that the key has, in every session.

    A quote that is still firm stays until it is not, unless it is the whole key that ends.
    """
    is_key = session.endswith(EVERY)
    for request in list(state.requests.values()):
        if request.account.member is member and _is_of(request.session, session):
            end(state, request, "DISCONNECT")
            continue
        for quote in _quotes_of(request, member):
            if not _is_of(quote.session, session):
                continue
            if is_key or state.now >= quote.firm_until:
                end_quote(state, quote, "DISCONNECT")
            elif not quote.leaves:
                quote.leaves = True
                state.leaving[quote.quote_id] = quote
                state.schedule(quote.firm_until, LEAVING + quote.quote_id, request.instrument.symbol)


def end_of_instrument(state: State, instrument: Instrument, account: str | None, text: str) -> bool:
    """End the requests and quotes in an instrument, all or those of an account; return whether any ended."""
    ended = False
    for request in [one for one in state.requests.values() if one.instrument is instrument]:
        if account is None or account == request.account.name:
            end(state, request, "VENUE", text)
            ended = True
        elif account in request.quotes:
            end_quote(state, request.quotes[account], "VENUE", text)
            ended = True
    return ended


def end_of_account(state: State, account: Account, text: str) -> None:
    """End the requests of an account, which has nothing left to quote with."""
    for request in list(state.requests.values()):
        if request.account is account:
            end(state, request, "VENUE", text)


def end_purchases(state: State, account: Account, text: str) -> None:
    """End the requests by which an account would buy, and its quotes in those of others that would."""
    for request in list(state.requests.values()):
        if request.account is account:
            if request.side == BUY:
                end(state, request, "VENUE", text)
        elif request.side != BUY and account.name in request.quotes:
            end_quote(state, request.quotes[account.name], "VENUE", text)


def end_forbidden(state: State) -> None:
    """End the requests that the regime does not allow any more: anonymous ones."""
    for request in list(state.requests.values()):
        if regime.refuses(state, request.mode()):
            end(state, request, "REGIME")


def _quotes_of(request: OpenRfq, member: Member) -> list[OpenRfqQuote]:
    return [quote for quote in request.quotes.values() if quote.account.member is member]


def _is_of(session: str, ended: str) -> bool:
    """Return whether what was sent in a session ends with another one, or with ``KEY/*``."""
    if ended.endswith(EVERY):
        return session.removeprefix(OUTLIVES).startswith(ended[:-1])
    return session == ended != ""
