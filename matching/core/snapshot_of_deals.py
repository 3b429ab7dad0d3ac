"""Deals and requests for quotes in a snapshot: what is open, the client ids, and trades that are not public yet.

Written and read as ``matching.core.snapshot`` does everything else.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol import terms
from matching.core.deal import Deal
from matching.core.rfq import OpenRfq, OpenRfqQuote
from matching.core.state import DEALS, GRACE_ENDS, LEAVING, REQUESTS, UNPUBLISHED, Due, State


def write_deals(state: State) -> tuple[Any, ...]:
    """Return the proposed deals, and what is left of deals and requests that were accepted; nothing if all is empty."""
    if not state.last_deal_id and not state.unpublished:
        return ()
    ids = [(name, client_id, number, day) for (name, client_id), (number, day) in state.deal_ids.items()]
    unpublished = [(number, at, fields) for number, (at, fields) in state.unpublished.items()]
    return state.last_deal_id, [_write_deal(deal) for deal in state.deals.values()], ids, unpublished


def read_deals(state: State, record: Any) -> None:
    """Put what ``write_deals`` returned into a state that has its accounts and instruments."""
    state.last_deal_id, deals, ids, unpublished = record
    for deal_record in deals:
        deal = _read_deal(state, deal_record)
        state.deals[deal.deal_id] = deal
        deal.instrument.open_deals += 1
        state.timetable.append(Due(deal.expire_at, DEALS + deal.deal_id, deal.instrument.symbol))
    state.deal_ids = {(name, client_id): (number, day) for name, client_id, number, day in ids}
    for number, at, fields in unpublished:
        symbol, *_ = fields
        state.unpublished[number] = (at, tuple(fields))
        state.timetable.append(Due(at, UNPUBLISHED + number, symbol))


def _write_deal(deal: Deal) -> tuple[Any, ...]:
    written = (
        deal.deal_id,
        deal.account.name,
        deal.client_deal_id,
        deal.counter_account.name,
        deal.instrument.symbol,
        deal.side,
        deal.quantity,
        deal.price,
        deal.expire_at,
        deal.agreed_at,
        deal.session,
        deal.reserved,
    )
    return (*written, list(deal.lots)) if deal.lots else written


def _read_deal(state: State, record: Any) -> Deal:
    number, name, client_id, counter, symbol, side, quantity, price, expire_at, agreed_at, session, reserved, *more = (
        record
    )
    lots: tuple[int, ...] = ()
    if more:
        (numbers,) = more
        lots = tuple(numbers)
    account = state.accounts[name]
    instrument = state.instruments[symbol]
    balance = account.cash if side == terms.BUY else account.balances[symbol]
    parties = (account, client_id, state.accounts[counter])
    times = (expire_at, agreed_at, session)
    return Deal(number, *parties, instrument, side, quantity, price, *times, balance, reserved, lots)


def write_requests(state: State) -> tuple[Any, ...]:
    """Return the open requests with their quotes; nothing if there was never any request."""
    if not state.last_rfq_id:
        return ()
    ids = [(name, client_id, number, day) for (name, client_id), (number, day) in state.rfq_ids.items()]
    requests = [_write_request(request) for request in state.requests.values()]
    return state.last_rfq_id, state.last_rfq_quote_id, requests, ids


def read_requests(state: State, record: Any) -> None:
    """Put what ``write_requests`` returned into a state that has its accounts and instruments."""
    state.last_rfq_id, state.last_rfq_quote_id, requests, ids = record
    for request_record in requests:
        _read_request(state, request_record)
    state.rfq_ids = {(name, client_id): (number, day) for name, client_id, number, day in ids}


def _write_request(request: OpenRfq) -> tuple[Any, ...]:
    return (
        request.rfq_id,
        request.account.name,
        request.client_rfq_id,
        request.instrument.symbol,
        request.side,
        request.quantity,
        request.grace_until,
        request.expire_at,
        request.members,
        request.anonymous,
        request.session,
        [_write_quote(quote) for quote in request.quotes.values()],
    )


def _read_request(state: State, record: Any) -> None:
    number, name, client_id, symbol, side, quantity, grace_until, expire_at, members, anonymous, session, quotes = (
        record
    )
    account = state.accounts[name]
    instrument = state.instruments[symbol]
    what = (client_id, instrument, side, quantity, grace_until, expire_at, tuple(members), anonymous, session)
    request = state.requests[number] = OpenRfq(number, account, *what)
    instrument.open_requests += 1
    account.member.open_requests += 1
    if grace_until > state.now:
        state.timetable.append(Due(grace_until, GRACE_ENDS + number, symbol))
    state.timetable.append(Due(expire_at, REQUESTS + number, symbol))
    for quote_record in quotes:
        _read_quote(state, request, quote_record)


def _write_quote(quote: OpenRfqQuote) -> tuple[Any, ...]:
    return (
        quote.quote_id,
        quote.account.name,
        quote.price,
        quote.quantity,
        quote.all_or_none,
        quote.firm_until,
        quote.session,
        quote.reserved,
        quote.leaves,
    )


def _read_quote(state: State, request: OpenRfq, record: Any) -> None:
    number, name, price, quantity, all_or_none, firm_until, session, reserved, leaves = record
    account = state.accounts[name]
    symbol = request.instrument.symbol
    balance = account.cash if request.quoting_side() == terms.BUY else account.balances[symbol]
    what = (price, quantity, all_or_none, firm_until, session, balance, reserved)
    quote = request.quotes[name] = OpenRfqQuote(number, request, account, *what)
    account.member.open_rfq_quotes += 1
    if leaves:
        quote.leaves = True
        state.leaving[number] = quote
        state.timetable.append(Due(firm_until, LEAVING + number, symbol))
