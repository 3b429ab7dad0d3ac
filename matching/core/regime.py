"""The legal regime in force: what it refuses (domain sheet 5.3, 5.4).

Before the first ``venue.set_regime`` nothing is refused. Afterwards each way of trading has to be asked about by
``refuses``, in the command that would begin it. An order book, call auctions, anonymity and market making take an
approval, or a sandbox within its caps; negotiated deals, disclosed requests, price lists and auctions of lots do not.
In WIND_DOWN only those are left, with the buyers that the regime names.
"""

from __future__ import annotations

from goldx.protocol.details import write_detail
from goldx.protocol.terms import AUCTION, CALL_AUCTION, CONTINUOUS, ORDER_BOOK, PRE_OPEN, SANDBOX, WIND_DOWN
from goldx.protocol.units import MG_PER_GRAM, format_money
from matching.core import holders, methods
from matching.core.holdings import Account
from matching.core.instrument import Instrument
from matching.core.state import State


def refuses(state: State, mode: int, buyer: Account | None = None) -> str:
    """Return why the regime refuses a way of trading, saying what would be needed, or an empty text.

    ``mode`` is one of ``goldx.protocol.terms.TRADING_MODES``. ``buyer`` is the account that would buy gold by it; None
    if the command lets nobody buy, such as a price that is only asked.
    """
    regime = state.regime
    if regime is None:
        return ""
    if not regime.allows(mode, state.trading_day):
        return regime.why_not(mode)
    if regime.kind == WIND_DOWN and buyer is not None and buyer.member.name not in regime.buyers:
        return f"{buyer.member.name} may not buy in WIND_DOWN; " + (
            "only " + ", ".join(regime.buyers) if regime.buyers else "nobody may, and gold leaves by load-out"
        )
    return ""


def refuses_new_business(state: State, what: str) -> str:
    """Return why nothing new may begin, such as an account or a deposit, or an empty text."""
    if state.regime is not None and state.regime.kind == WIND_DOWN:
        return write_detail(what, "in WIND_DOWN positions are only closed, and metal and money only leave")
    return ""


def refuses_client(state: State, owner: str) -> str:
    """Return why an account may not be opened for an owner, or an empty text. Who has an account may have more."""
    regime = state.regime
    if regime is None or not (regime.kind == WIND_DOWN or regime.max_clients is not None):
        return ""
    known = holders.clients(state)
    if holders.identity_of(state, owner) in known:
        return ""
    if regime.max_clients is None:
        return refuses_new_business(state, methods.ACCOUNT_OPEN)
    if len(known) < regime.max_clients:
        return ""
    return write_detail("max_clients", f"the sandbox allows {regime.max_clients}, and there are {len(known)}")


def refuses_orders(state: State, instrument: Instrument) -> str:
    """Return why no order may enter an instrument, or an empty text: in whatever phase it is."""
    if not instrument.regime_is_guarded:
        return ""
    mode = mode_of(instrument.phase)
    return refuses(state, ORDER_BOOK if mode < 0 else mode)


def refuses_phase(state: State, phase: int) -> str:
    """Return why an instrument may not enter a phase, or an empty text."""
    mode = mode_of(phase)
    return refuses(state, mode) if mode >= 0 else ""


def mode_of(phase: int) -> int:
    """Return the way of trading that goes on in a phase, or -1."""
    if phase == CONTINUOUS:
        return ORDER_BOOK
    return CALL_AUCTION if phase in (PRE_OPEN, AUCTION) else -1


def refuses_value(state: State, value: int) -> str:
    """Return why an order of a value in fen may not be placed under the caps of a sandbox, or an empty text."""
    regime = state.regime
    if regime is None or regime.max_day_value is None or regime.max_total_value is None:
        return ""
    for name, cap, traded in (
        ("max_day_value", regime.max_day_value, state.day_value),
        ("max_total_value", regime.max_total_value, state.total_value),
    ):
        if value > cap - traded:
            words = f"the sandbox allows {format_money(cap)} CNY, of which {format_money(traded)} are traded"
            return write_detail(name, words)
    return ""


def is_plain(state: State, instrument: Instrument, price: int, quantity: int) -> bool:
    """Return whether the fast path may serve an order of a guarded instrument: in a sandbox, within all caps."""
    regime = state.regime
    return (
        (regime is not None and regime.kind == SANDBOX and not instrument.max_holders)
        and regime.allows(ORDER_BOOK, state.trading_day)
        and price * quantity <= state.room() * MG_PER_GRAM
    )
