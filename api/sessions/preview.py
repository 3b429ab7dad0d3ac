"""The preview of ``instrument.define``: everything that it would change, before anybody sends it."""

from typing import Any, Final

from api.view.market_data import MarketData
from api.view.view import View
from goldx.protocol import events
from goldx.protocol.commands import InstrumentDefine
from goldx.protocol.dangerous_terms import dangerous_terms
from goldx.protocol.wire import CODECS

TERMS: Final = events.InstrumentDefined.__struct_fields__[3:]
"""The terms of an instrument that a request may give."""


def preview(view: View, command: InstrumentDefine) -> dict[str, Any]:
    """Return what a definition would change, what prevents it, and which of its terms take a second person."""
    market = view.markets.get(command.symbol)
    before = {} if market is None else market.instrument()
    names = TERMS if market is None else command.given or ()
    after = {name: _written(name, getattr(command, name)) for name in names}
    changed = [name for name in names if before.get(name) != after[name]]
    live = (order for account in view.accounts.values() for order in account.live.values())
    return {
        "symbol": command.symbol,
        "known": market is not None,
        "changes": {name: {"from": before.get(name), "to": after[name]} for name in changed},
        "phase": before.get("phase"),
        "open_orders": sum(order.symbol == command.symbol for order in live),
        "open_deals": view.deals.count_open(command.symbol),
        "open_requests": view.requests.count_open(command.symbol),
        "second_person": _second_person(view, command, market),
    }


def _second_person(view: View, command: InstrumentDefine, market: MarketData | None) -> list[str]:
    """Return the terms of a command that one person may not set alone."""
    others = (one.last or one.reference or 0 for one in view.markets.values() if one is not market)
    if market is None or market.defined is None:
        new = {name: getattr(command, name) for name in TERMS}
        return list(dangerous_terms(None, new, command.reference_price or 0, others))
    old = {name: getattr(market.defined, name) for name in TERMS}
    given = {name: getattr(command, name) for name in command.given or ()}
    return list(dangerous_terms(old, old | given, market.last or market.reference or 0, others))


def _written(term: str, value: Any) -> Any:
    """Return the protocol's form of a term of an instrument."""
    return None if value is None else CODECS[term].write(value)
