"""What the venue decides about instruments and the trading day, and what happens by itself in the course of time."""

from __future__ import annotations

from heapq import heappop
from typing import Any

from goldx.protocol import terms
from goldx.protocol.units import BASIS_POINTS, CASH, FINENESS_ONE, MAX_PRICE_FEN, MAX_WEIGHT_MG, MG_PER_GRAM
from matching.core import entry, phases
from matching.core.ids import ClientIds
from matching.core.instrument import Instrument
from matching.core.state import NEVER, State


def define(state: State, command: tuple[Any, ...]) -> None:
    """instrument.define: a new instrument, or new terms for one that is closed and without open orders.

    New terms are given whole; only a reference price not given anew stays, and the last price where it fits the tick.
    """
    _, symbol, *values, _ = command
    detail = _wrong_term(symbol, values)
    if detail:
        state.refuse("instrument.define", "BAD_VALUE", None, symbol, detail)
        return
    instrument = state.instruments.get(symbol)
    if instrument is None:
        instrument = state.instruments[symbol] = Instrument(symbol)
    elif instrument.phase != terms.CLOSED or not instrument.idle():
        state.refuse("instrument.define", "PHASE", None, symbol, "it must be closed and without open orders")
        return
    kept = instrument.reference
    instrument.define(tuple(values))
    if kept and not instrument.reference:
        instrument.set_reference(kept)
    if instrument.last % instrument.tick:
        instrument.last = 0
    state.emit(8, symbol, *instrument.definition)


def set_reference(state: State, command: tuple[Any, ...]) -> None:
    """market.set_reference: limits that are a percentage of it move with it; resting orders stay."""
    _, symbol, price, _ = command
    instrument = state.instruments.get(symbol)
    if instrument is None:
        state.refuse("market.set_reference", "UNKNOWN_SYMBOL", None, symbol)
    elif not 0 < price <= MAX_PRICE_FEN:
        state.refuse("market.set_reference", "BAD_PRICE", None, symbol)
    else:
        instrument.set_reference(price)
        if instrument.phase == terms.AUCTION:
            state.auctioning[symbol] = instrument
        state.emit(16, symbol, price)


def end_day(state: State, command: tuple[Any, ...]) -> None:
    """market.end_day: DAY orders expire; client ids, references, resale locks and the day's proceeds roll."""
    _, next_trading_day, _ = command
    if next_trading_day <= state.trading_day:
        state.refuse("market.end_day", "BAD_VALUE", None, next_trading_day, f"later than {state.trading_day}")
        return
    for order in list(state.orders.values()):
        if order.time_in_force == terms.DAY:
            state.cancel(order, "EXPIRED")
    state.day += 1
    state.trading_day = next_trading_day
    state.yesterdays_references = state.references
    state.references = {}
    state.emit(17, next_trading_day)
    for account in state.accounts.values():
        open_ids = [(name, number) for name, number in account.ids.items() if state.named(account, name) is not None]
        account.ids = ClientIds(open_ids)
        account.quotes = {}
        for balance in account.balances.values():
            if balance.roll(state.day):
                state.touched.append(balance)


def run_due(state: State) -> None:
    """Does what was to happen by now: orders expire, interruptions end with an uncross. In order of time."""
    timetable = state.timetable
    while timetable and timetable[0][0] <= state.now:
        time, number, symbol = heappop(timetable)
        if number == NEVER:
            instrument = state.instruments[symbol]
            if instrument.interrupted_until == time:
                phases.change(state, instrument, terms.CONTINUOUS)
                entry.run_stops(state)
        else:
            order = state.orders.get(number)
            if order is not None:
                state.cancel(order, "EXPIRED")
    state.next_due = timetable[0][0] if timetable else NEVER


def _wrong_term(symbol: str, values: list[Any]) -> str:
    """What is wrong with the terms of an instrument, or nothing."""
    form, min_fineness, max_fineness, tick, lot, max_quantity, limit_percent, lower, upper, protection = values[2:12]
    reference, maker_fee, taker_fee, price_rule, band, interruption_ms, lock_days, reuse_percent = values[12:]
    if symbol == CASH:
        return "symbol: CNY is the asset code of money"
    for name, value, lowest, highest in (
        ("min_fineness", min_fineness, 1, FINENESS_ONE),
        ("max_fineness", max_fineness, min_fineness, FINENESS_ONE),
        ("tick", tick, 1, MAX_PRICE_FEN),
        ("lot", lot, 1, MAX_WEIGHT_MG),
        ("max_quantity", max_quantity, 1, MAX_WEIGHT_MG),
        ("price_limit_percent", limit_percent, 1, 99),
        ("lower_price_limit", lower, 1, MAX_PRICE_FEN),
        ("upper_price_limit", upper, lower or 1, MAX_PRICE_FEN),
        ("market_protection", protection, 1, MAX_PRICE_FEN),
        ("reference_price", reference, 1, MAX_PRICE_FEN),
        ("maker_fee_bp", maker_fee, 0, BASIS_POINTS // 10),
        ("taker_fee_bp", taker_fee, 0, BASIS_POINTS // 10),
        ("price_rule", price_rule, 0, len(terms.PRICE_RULES) - 1),
        ("dynamic_band_percent", band, 1, 99),
        ("interruption_ms", interruption_ms, 1_000, 86_400_000),
        ("resale_lock_days", lock_days, 0, 250),
        ("same_day_reuse_percent", reuse_percent, 0, 100),
    ):
        if value is not None and not lowest <= value <= highest:
            return f"{name}: {lowest} to {highest}"
    if form not in terms.FORMS:
        return "form: one of " + ", ".join(terms.FORMS)
    if tick * lot % MG_PER_GRAM:
        return "lot: a lot at one tick must be worth whole fen"
    return ""
