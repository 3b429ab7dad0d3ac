"""Negotiated deals: ``deal.propose``, ``deal.accept``, ``deal.decline``, ``deal.cancel``.

A proposal reserves at once what the proposer would give. So whoever accepts it gets a settled trade in the same
command, or a refusal for a reason of its own or of the venue's, which changes nothing: the proposer has no last look.

Deals are made in every phase but HALTED, in a closed market too: where the law allows no order book, none is ever open.
Their price lies on the tick and within the price limits of the day, which for deals outside the book too stand around a
published price (domain sheet 1.7: 15 % around the benchmark), at the proposal and again at the acceptance. Every legal
regime allows them; in WIND_DOWN only its buyers buy. They take no approval, and so count towards no cap of a sandbox.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.details import write_detail
from goldx.protocol.terms import BUY, DEAL_TRADE, NEGOTIATED_DEAL, OUTLIVES, SELL
from goldx.protocol.units import MG_PER_GRAM
from matching.core import deal_ends, direct_trades, holders, methods, named_lots
from matching.core.deal import Deal
from matching.core.holdings import Account
from matching.core.instrument import Instrument
from matching.core.placing import price_refusal, quantity_refusal
from matching.core.state import DEALS, State
from matching.core.tags import DEAL_ACCEPTED, DEAL_PROPOSED


def propose(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``deal.propose``: check it, reserve, publish it to the two parties."""
    _, name, client_deal_id, counter, symbol, side, quantity, price, *more = command
    expire_at, agreed_at, persist, session, given, found = more
    lots: tuple[int, ...] = tuple(given)
    method = methods.DEAL_PROPOSE
    instrument = state.instruments.get(symbol)
    account = state.accounts.get(name)
    counter_account = state.accounts.get(counter)
    if instrument is None:
        return state.refuse(method, "UNKNOWN_SYMBOL", name, client_deal_id)
    if account is None or counter_account is None:
        detail = "" if account is None else write_detail("counter_account", counter[:32])
        return state.refuse(method, "UNKNOWN_ACCOUNT", name, client_deal_id, detail)
    if account.refusal or counter_account.refusal:
        detail = "" if account.refusal else write_detail("counter_account", f"{counter} may not trade")
        return state.refuse(method, account.refusal or counter_account.refusal, name, client_deal_id, detail)
    used = state.deal_ids.get((name, client_deal_id))
    if used is not None:
        used_by, _ = used
        return state.refuse(method, "DUPLICATE_ID", name, client_deal_id, f"it is deal {used_by}")
    if holders.holder_of(state, account) == holders.holder_of(state, counter_account):
        return state.refuse(method, "SELF_TRADE", name, client_deal_id, "both accounts have one beneficial owner")
    reason, detail = _refusal_of_terms(state, instrument, side, price, expire_at, agreed_at)
    if not reason:
        reason, detail = _refusal_of_quantity(state, instrument, quantity, price, lots, found, gives=side == SELL)
    if not reason:
        reason, detail = _refusal_of_report(state, instrument, agreed_at)
    if not reason:
        buyer = account if side == BUY else counter_account
        reason, detail = direct_trades.refusal_of_buyer(state, NEGOTIATED_DEAL, instrument, buyer)
    if reason:
        return state.refuse(method, reason, name, client_deal_id, detail)
    balance = direct_trades.source(account, instrument, side)
    needed = direct_trades.needed(instrument, side, price, quantity)
    reason, detail = direct_trades.refusal_of_limits(account, side, price, quantity, needed, orders=1)
    if not reason:
        reason = direct_trades.refusal_of_funds(balance, side, needed)
    if reason:
        return state.refuse(method, reason, name, client_deal_id, detail)

    number = state.last_deal_id + 1
    state.last_deal_id = number
    kept = session if not persist or session.startswith(OUTLIVES) else ""
    terms = (number, account, client_deal_id, counter_account, instrument, side, quantity, price, expire_at)
    state.deals[number] = Deal(*terms, agreed_at, kept, balance, needed, lots)
    state.deal_ids[name, client_deal_id] = (number, state.day)
    instrument.open_deals += 1
    if account.usage is not None:
        account.usage.open(1)
    balance.reserve(needed)
    state.touched.append(balance)
    state.schedule(expire_at, DEALS + number, symbol)
    proposed = (DEAL_PROPOSED, number, name, client_deal_id, counter, symbol, side, quantity, price, expire_at)
    if not lots:
        return state.emit(*proposed, agreed_at, persist or None)
    _, _, reservation, _ = found
    return state.emit(*proposed, agreed_at, persist or None, lots, reservation or None)


def accept(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``deal.accept``: the trade settles now, or the command is refused and changes nothing."""
    _, name, deal_id, found = command
    deal = _find(state, methods.DEAL_ACCEPT, name, deal_id, made_by_it=False)
    if deal is None:
        return
    acceptor = deal.counter_account
    proposer = deal.account
    instrument = deal.instrument
    side = SELL if deal.side == BUY else BUY
    needed = direct_trades.needed(instrument, side, deal.price, deal.quantity)
    detail = ""
    reason = direct_trades.refusal_of_market(state, instrument)  # what refuses accounts has ended deals
    if not reason:
        reason = price_refusal(instrument, deal.price)
    if not reason:
        reason, detail = _refusal_of_report(state, instrument, deal.agreed_at)
    gives_lots = bool(deal.lots) and side == SELL
    if not reason and gives_lots:
        reason, detail = named_lots.refusal(state, deal.lots, deal.quantity, found, gives=True)
    buyer, seller = (proposer, acceptor) if deal.side == BUY else (acceptor, proposer)
    if not reason:
        reason, detail = direct_trades.refusal_of_buyer(state, NEGOTIATED_DEAL, instrument, buyer)
    if not reason:
        reason, detail = direct_trades.refusal_of_limits(acceptor, side, deal.price, deal.quantity, needed, orders=0)
    if not reason:
        reason = direct_trades.refusal_of_funds(direct_trades.source(acceptor, instrument, side), side, needed)
    if reason:
        state.refuse(methods.DEAL_ACCEPT, reason, name, str(deal_id), detail)
        return
    deal_ends.release(state, deal)
    parties = (proposer.name, deal.client_deal_id, name)
    accepted = (DEAL_ACCEPTED, deal_id, *parties, instrument.symbol, state.last_trade_id + 1)
    if gives_lots:
        _, _, reservation, _ = found
        state.emit(*accepted, reservation)
    else:
        state.emit(*accepted)
    direct_trades.trade(state, instrument, buyer, seller, deal.price, deal.quantity, DEAL_TRADE, deal.lots)


def decline(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``deal.decline``, for killed and halted members too."""
    _, name, deal_id = command
    deal = _find(state, methods.DEAL_DECLINE, name, deal_id, made_by_it=False)
    if deal is not None:
        deal_ends.end(state, deal, "DECLINED")


def cancel(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``deal.cancel``, in any phase."""
    _, name, deal_id = command
    deal = _find(state, methods.DEAL_CANCEL, name, deal_id, made_by_it=True)
    if deal is not None:
        deal_ends.end(state, deal, "USER")


def _find(state: State, method: str, name: str, deal_id: int, *, made_by_it: bool) -> Deal | None:
    """Return the open proposal that an account has made, or got; refuse the command if there is none."""
    account: Account | None = state.accounts.get(name)
    deal = state.deals.get(deal_id)
    if account is None:
        state.refuse(method, "UNKNOWN_ACCOUNT", name, str(deal_id))
        return None
    if deal is None or (deal.account if made_by_it else deal.counter_account) is not account:
        state.refuse(method, "UNKNOWN_DEAL", name, str(deal_id))
        return None
    return deal


def _refusal_of_terms(
    state: State, instrument: Instrument, side: int, price: int, expire_at: int, agreed_at: int | None
) -> tuple[str, str]:
    """Return (reason, detail) why a deal of these terms may not be proposed now, or two empty texts."""
    reason = direct_trades.refusal_of_market(state, instrument)
    if reason:
        return reason, ""
    if side not in (BUY, SELL):
        return "BAD_VALUE", write_detail("side", "buy or sell")
    if expire_at <= state.now:
        return "TOO_LATE", write_detail("expire_at", "a time that has not passed")
    if agreed_at is not None and agreed_at > state.now:
        return "BAD_VALUE", write_detail("agreed_at", "a time that has passed")
    return price_refusal(instrument, price), ""


def _refusal_of_quantity(
    state: State, instrument: Instrument, quantity: int, price: int, lots: tuple[int, ...], found: Any, *, gives: bool
) -> tuple[str, str]:
    """Return (reason, detail) why a deal may not be for a quantity, or for named lots, or two empty texts.

    Named lots weigh what they weigh: their quantity need not be a multiple of the instrument's lot. So it has to be
    asked whether they come to any money, which a multiple of the lot always does.
    """
    if not lots:
        return quantity_refusal(instrument, quantity), ""
    if quantity > instrument.max_quantity:
        return "BAD_QUANTITY", write_detail("quantity", f"at most {instrument.max_quantity} mg")
    if quantity > 0 and price * quantity < MG_PER_GRAM:
        return "BAD_QUANTITY", write_detail("quantity", "lots that come to at least one fen at this price")
    return named_lots.refusal(state, lots, quantity, found, gives=gives)


def _refusal_of_report(state: State, instrument: Instrument, agreed_at: int | None) -> tuple[str, str]:
    """Return (reason, detail) why a deal that was agreed at a time is reported too late, or two empty texts."""
    if agreed_at is None or state.now <= agreed_at + instrument.deal_report:
        return "", ""
    until = agreed_at + instrument.deal_report
    return "TOO_LATE", write_detail(
        "agreed_at", f"deals of {instrument.symbol} are reported and accepted until {until}"
    )
