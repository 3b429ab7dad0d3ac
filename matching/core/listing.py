"""How instruments come to be traded: their definition and their reference price."""

from __future__ import annotations

from typing import Any, Final

from goldx.protocol import terms
from goldx.protocol.dangerous_terms import dangerous_terms, is_strange_first_reference
from goldx.protocol.details import write_detail
from goldx.protocol.units import BASIS_POINTS, CASH, FINENESS_ONE, MAX_PRICE_FEN, MAX_WEIGHT_MG, MG_PER_GRAM
from matching.core import methods, regime
from matching.core.instrument import TERMS, Definition, Instrument
from matching.core.state import State
from matching.core.tags import INSTRUMENT_DEFINED, INSTRUMENT_PROPOSED, REFERENCE_CHANGED, REFERENCE_PROPOSED

MAX_HOLDERS: Final = 1_000_000
KNOWN_BEFORE: Final = TERMS.index("max_holders")
"""How many terms a proposed definition has at least; later ones are left off at the end where they are None."""
_REFERENCE_PRICE: Final = TERMS.index("reference_price")


def define(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``instrument.define``: a new instrument, or new terms for one that is closed and without open orders.

    The terms of a known instrument that are in ``given`` are replaced, all terms if it is None. The reference price
    stays if no other is given, and the last price if it is a multiple of the tick. A retired instrument is in use
    again. By rules from 1 on, dangerous terms take two persons.
    """
    _, symbol, *values, by, given, reopening_steps, rules, bust_window_ms, max_holders, report_ms, delay_ms = command
    values += (reopening_steps, bust_window_ms, max_holders, report_ms, delay_ms)
    instrument = state.instruments.get(symbol)
    detail = ""
    if instrument is not None and given is not None:
        values = [
            new if name in given else old
            for name, new, old in zip(TERMS, values, instrument.definition.values(), strict=True)
        ]
        if instrument.reference and values[_REFERENCE_PRICE] != instrument.reference:
            detail = write_detail("reference_price", "market.set_reference alone changes it")
    definition = Definition(values)
    detail = _wrong_term(symbol, definition) or detail
    if detail:
        state.refuse(methods.INSTRUMENT_DEFINE, "BAD_VALUE", None, symbol, detail)
        return
    if instrument is not None and (
        (instrument.phase != terms.CLOSED or instrument.has_open_orders())
        or (instrument.open_deals or instrument.open_requests)
    ):
        words = "it must be closed and without open orders" + (" and deals" if instrument.open_deals else "")
        words += " and requests for quotes" if instrument.open_requests else ""
        state.refuse(methods.INSTRUMENT_DEFINE, "PHASE", None, symbol, words)
        return
    if (instrument is None or instrument.retired) and (
        detail := regime.refuses_new_business(state, methods.INSTRUMENT_DEFINE)
    ):
        state.refuse(methods.INSTRUMENT_DEFINE, "REGIME", None, symbol, detail)
        return
    if rules and _is_proposed(state, symbol, instrument, definition, by, rules):
        return
    state.proposed_terms.pop(symbol, None)
    if instrument is None:
        instrument = state.instruments[symbol] = Instrument(symbol)
    kept = instrument.reference
    instrument.define(definition)
    instrument.regulate(state.regime)
    instrument.retired = False
    if kept and not instrument.reference:
        instrument.set_reference(kept)
    if instrument.last % instrument.tick:
        instrument.last = 0
    state.emit(INSTRUMENT_DEFINED, symbol, *definition.written())


def _is_proposed(
    state: State, symbol: str, instrument: Instrument | None, definition: Definition, by: str, rules: int
) -> bool:
    """Return whether a definition waits for a second person; then it is noted and published."""
    old = None if instrument is None else dict(zip(TERMS, instrument.definition.values(), strict=True))
    price = definition.reference_price or 0 if instrument is None else instrument.last or instrument.reference
    others = [one.last or one.reference for one in state.instruments.values() if one is not instrument]
    dangerous = dangerous_terms(old, dict(zip(TERMS, definition.values(), strict=True)), price, others, rules)
    values = definition.values()
    while len(values) > KNOWN_BEFORE and values[-1] is None:  # as versions wrote them that did not know these terms
        values = values[:-1]
    proposed, first = state.proposed_terms.get(symbol, ((), by))
    if not dangerous or (proposed == values and first != by):
        return False
    state.proposed_terms[symbol] = (values, by)
    state.emit(INSTRUMENT_PROPOSED, symbol, dangerous, by)
    return True


def set_reference(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``market.set_reference``: limits that are a percentage of it change with it; resting orders stay.

    A price further away than ``largest_change_percent`` takes two persons; by rules from 1 on, so does a first
    reference that is far from the prices of all other instruments.
    """
    _, symbol, price, by, largest, rules = command
    instrument = state.instruments.get(symbol)
    if instrument is None:
        state.refuse(methods.MARKET_SET_REFERENCE, "UNKNOWN_SYMBOL", None, symbol)
    elif not 0 < price <= MAX_PRICE_FEN:
        state.refuse(methods.MARKET_SET_REFERENCE, "BAD_PRICE", None, symbol)
    elif instrument.retired:
        state.refuse(methods.MARKET_SET_REFERENCE, "RETIRED", None, symbol, "instrument.define brings it back")
    elif _is_strange(state, instrument, price, largest, rules) and not _is_second(instrument, price, by):
        instrument.proposed_price = price
        instrument.proposed_by = by
        state.emit(REFERENCE_PROPOSED, symbol, price, by)
    else:
        instrument.proposed_price = 0
        instrument.proposed_by = ""
        instrument.set_reference(price)
        if instrument.phase == terms.AUCTION:
            state.changed_auctions[symbol] = instrument
        state.emit(REFERENCE_CHANGED, symbol, price)


def _is_strange(state: State, instrument: Instrument, price: int, percent: int | None, rules: int) -> bool:
    """Return whether a price differs by more than ``percent`` from the last price, or else from the reference.

    Before the first of either, and by rules from 1 on: whether it is far from the prices of all other instruments.
    """
    centre = instrument.last or instrument.reference
    if centre:
        return percent is not None and abs(price - centre) * 100 > centre * percent
    others = (one.last or one.reference for one in state.instruments.values() if one is not instrument)
    return rules > 0 and is_strange_first_reference(price, others)


def _is_second(instrument: Instrument, price: int, by: str) -> bool:
    """Return whether another person has proposed this reference price."""
    return instrument.proposed_price == price and instrument.proposed_by != by


def _wrong_term(symbol: str, definition: Definition) -> str:
    """Return what is wrong with the terms of an instrument, or an empty text."""
    if symbol == CASH:
        return write_detail("symbol", "CNY is the asset code of money")
    for name, value, lowest, highest in (
        ("min_fineness", definition.min_fineness, 1, FINENESS_ONE),
        ("max_fineness", definition.max_fineness, definition.min_fineness, FINENESS_ONE),
        ("tick", definition.tick, 1, MAX_PRICE_FEN),
        ("lot", definition.lot, 1, MAX_WEIGHT_MG),
        ("max_quantity", definition.max_quantity, 1, MAX_WEIGHT_MG),
        ("price_limit_percent", definition.price_limit_percent, 1, 99),
        ("lower_price_limit", definition.lower_price_limit, 1, MAX_PRICE_FEN),
        ("upper_price_limit", definition.upper_price_limit, definition.lower_price_limit or 1, MAX_PRICE_FEN),
        ("market_protection", definition.market_protection, 1, MAX_PRICE_FEN),
        ("reference_price", definition.reference_price, 1, MAX_PRICE_FEN),
        ("maker_fee_bp", definition.maker_fee_bp, 0, BASIS_POINTS // 10),
        ("taker_fee_bp", definition.taker_fee_bp, 0, BASIS_POINTS // 10),
        ("price_rule", definition.price_rule, 0, len(terms.PRICE_RULES) - 1),
        ("dynamic_band_percent", definition.dynamic_band_percent, 1, 99),
        ("interruption_ms", definition.interruption_ms, 1_000, 86_400_000),
        ("reopening_steps", definition.reopening_steps, 1, 9),
        ("bust_window_ms", definition.bust_window_ms, 0, terms.LONGEST_BUST_WINDOW_MS),
        ("max_holders", definition.max_holders, 1, MAX_HOLDERS),
        ("deal_report_ms", definition.deal_report_ms, 0, terms.LONGEST_DEAL_MS),
        ("deal_delay_ms", definition.deal_delay_ms, 0, terms.LONGEST_DEAL_MS),
        ("resale_lock_days", definition.resale_lock_days, 0, 250),
        ("same_day_reuse_percent", definition.same_day_reuse_percent, 0, 100),
    ):
        if value is not None and not lowest <= value <= highest:
            return write_detail(name, f"{lowest} to {highest}")
    if definition.form not in terms.FORMS:
        return write_detail("form", "one of " + ", ".join(terms.FORMS))
    if definition.tick * definition.lot % MG_PER_GRAM:
        return write_detail("lot", "a lot at one tick must be worth whole fen")
    return ""
