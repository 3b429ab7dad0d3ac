"""The details of a refusal by the core: the field that caused it, and the values that are allowed.

The core gives one word as the reason. The field is found from the command and the present terms of its instrument.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from api.edge.outcome import Refusal
from api.view.market_data import MarketData
from api.view.records import Order
from goldx.protocol import terms
from goldx.protocol.commands import AnyCommand, OrderCancel, OrderPlace, OrderReplace, QuoteCancel, QuoteSet
from goldx.protocol.details import read_detail
from goldx.protocol.events import InstrumentDefined
from goldx.protocol.limits import price_limits
from goldx.protocol.notice_commands import NoticePublish
from goldx.protocol.quote_commands import LimitCommand, MassEntry
from goldx.protocol.reasons import describe
from goldx.protocol.units import MAX_PRICE_FEN, MAX_WEIGHT_MG, BadValue, format_price, format_weight
from goldx.protocol.wire import CODECS

EXPLAINED = ("BAD_PRICE", "BAD_QUANTITY", "BAD_VALUE", "PRICE_LIMIT")
"""Reasons that concern a field of the command."""
NAMED: Final = {
    "UNKNOWN_SYMBOL": (("symbol",), "the symbol of an instrument; market.instruments lists them"),
    "UNKNOWN_ACCOUNT": (("account",), "an account that there is, and that the key may use"),
    "UNKNOWN_ORDER": (("order_id", "client_order_id"), "an open order of this account"),
    "UNKNOWN_DEAL": (("deal_id",), "an open deal that this account has proposed, or that was proposed to it"),
    "UNKNOWN_NOTICE": (("notice_id",), "a notice that the account's member has still to acknowledge; see notice.list"),
    "UNKNOWN_RFQ": (("rfq_id",), "an open request that this account has made, or may answer; rfq.list has them"),
    "UNKNOWN_MEMBER": (("member",), "a member that has an account"),
    "UNKNOWN_TRADE": (("trade_id",), "the id of a trade of this trading day; market.trades lists the newest"),
    "TOO_LATE": (("expire_at",), "a time that has not passed"),
}
"""By reason: fields of a command, of which the reason concerns the first that was given, and what is allowed."""
_PRICES = ("price", "stop_price", "bid_price", "ask_price")
_QUANTITIES = ("quantity", "display_quantity", "bid_quantity", "ask_quantity")


class Fault(NamedTuple):
    """A field with a value that is not allowed; ``bounds`` are the terms that limit it, as decimal strings."""

    field: str
    allowed: str
    bounds: dict[str, str]


def explain(
    reason: str, command: AnyCommand | MassEntry, market: MarketData | None, order: Order | None
) -> tuple[str, dict[str, Any]] | None:
    """Return a text and data for the refusal of a command, or None if the reason does not concern a field.

    ``market`` is that of the command's instrument, ``order`` the order that it would have replaced.
    """
    if reason in NAMED:
        return _explain_named(reason, command)
    if reason not in EXPLAINED or market is None or market.defined is None:
        return None
    fault = next(_faults(reason, command, market, market.defined, order), None)
    if fault is None:
        return None
    value = getattr(command, fault.field)
    written = None if value is None else CODECS[fault.field].write(value)
    data = {"field": fault.field, "value": written, "allowed": fault.allowed, **fault.bounds}
    return str(BadValue(fault.field, written, fault.allowed)), data


def _explain_named(reason: str, command: AnyCommand | MassEntry) -> tuple[str, dict[str, Any]] | None:
    fields, allowed = NAMED[reason]
    if isinstance(command, QuoteCancel) and reason == "UNKNOWN_ORDER":
        fields, allowed = ("symbol",), "an instrument in which the account has a quote"
    if isinstance(command, NoticePublish):
        fields, allowed = ("replaces",), "the number of an earlier notice"
    for field in fields:
        if (value := getattr(command, field, None)) is not None:
            written = CODECS[field].write(value)
            return str(BadValue(field, written, allowed)), {"field": field, "value": written, "allowed": allowed}
    return None


def explain_by_detail(text: str, command: LimitCommand) -> dict[str, Any]:
    """Return the data for a refusal (BAD_VALUE) from the detail that the core gave; none without one."""
    detail = read_detail("BAD_VALUE", text)
    if detail is None:
        return {}
    value = getattr(command, detail.field, None)
    written = None if value is None else CODECS[detail.field].write(value)
    return {"field": detail.field, "value": written, "allowed": detail.allowed}


def refuse(reason: str, field: str, value: object) -> Refusal:
    """Return the refusal of a request whose field has a value that names nothing, for one of the reasons in NAMED."""
    _, allowed = NAMED[reason]
    return Refusal(reason, str(BadValue(field, value, allowed)), field=field, value=value, allowed=allowed)


def unknown_order(command: OrderCancel | OrderReplace | QuoteCancel) -> Refusal:
    """Return the refusal of a command that names no open order, as the core gives it."""
    found = _explain_named("UNKNOWN_ORDER", command)
    text, data = found or (describe("UNKNOWN_ORDER").text, {})
    return Refusal("UNKNOWN_ORDER", text, **data)


def differences(command: OrderPlace | QuoteSet, orders: list[Order]) -> list[str]:
    """Return the fields in which a repeated command differs from the present state of the orders with its id."""
    if isinstance(command, OrderPlace):
        names = [name for name in command.__struct_fields__ if name not in ("account", "client_order_id", "session")]
        return [name for name in names if getattr(command, name) != getattr(orders[0], name)]
    found = [] if command.symbol == orders[0].symbol else ["symbol"]
    for order in orders:
        side = "bid" if order.side == terms.BUY else "ask"
        fields = {f"{side}_{name}": getattr(order, name) for name in ("price", "quantity")}
        found += [name for name, value in fields.items() if getattr(command, name) != value]
    return found


def _faults(
    reason: str, command: Any, market: MarketData, defined: InstrumentDefined, order: Order | None
) -> Iterator[Fault]:
    given = {name: value for name in (*_PRICES, *_QUANTITIES) if (value := getattr(command, name, None)) is not None}
    if reason == "BAD_PRICE":
        yield from _bad_prices(command, given, defined, order)
    elif reason == "PRICE_LIMIT":
        lower, upper = defined.lower_price_limit, defined.upper_price_limit
        low, high = price_limits(defined.tick, market.reference, defined.price_limit_percent, lower, upper)
        bounds = {"low": format_price(low), "high": format_price(high)}
        for name in ("price", "bid_price", "ask_price"):
            if not low <= given.get(name, low) <= high:
                yield Fault(name, f"from {bounds['low']} to {bounds['high']}", bounds)
    elif reason == "BAD_QUANTITY":
        yield from _bad_quantities(command, given, defined)
    elif isinstance(command, OrderPlace):
        yield from _bad_combinations(command)


def _bad_prices(
    command: Any, given: dict[str, int], defined: InstrumentDefined, order: Order | None
) -> Iterator[Fault]:
    if isinstance(command, OrderPlace):
        if command.type == terms.LIMIT and command.price is None:
            yield Fault("price", "given for a limit order", {})
        elif command.type == terms.MARKET and command.price is not None:
            yield Fault("price", "left out for a market order", {})
    elif isinstance(command, OrderReplace) and order is not None and order.type == terms.MARKET:
        yield Fault("price", "left out for a market order", {})
    tick = format_price(defined.tick)
    for name in _PRICES:
        if name in given and (given[name] % defined.tick or not 0 < given[name] <= MAX_PRICE_FEN):
            yield Fault(name, f"a multiple of {tick}", {"tick": tick})
    both = isinstance(command, QuoteSet) or (
        isinstance(command, MassEntry) and {"bid_price", "ask_price"} <= set(given)
    )
    if both and command.bid_price >= command.ask_price:
        ask = format_price(command.ask_price)
        yield Fault("bid_price", f"below ask_price, {ask}", {"ask_price": ask})


def _bad_quantities(command: Any, given: dict[str, int], defined: InstrumentDefined) -> Iterator[Fault]:
    most = defined.max_quantity or MAX_WEIGHT_MG
    bounds = {"lot": format_weight(defined.lot), "max_quantity": format_weight(most)}
    allowed = f"a multiple of {bounds['lot']}, at most {bounds['max_quantity']}"
    for name in ("quantity", "bid_quantity", "ask_quantity"):
        if given.get(name) and (given[name] % defined.lot or not 0 < given[name] <= most):
            yield Fault(name, allowed, bounds)
    if "display_quantity" in given:
        if command.type == terms.MARKET or command.time_in_force in (terms.IOC, terms.FOK):
            yield Fault("display_quantity", "left out for an order that does not rest", {})
        yield Fault("display_quantity", f"a multiple of {bounds['lot']}, at most the quantity", {"lot": bounds["lot"]})


def _bad_combinations(command: OrderPlace) -> Iterator[Fault]:
    if command.time_in_force == terms.GTD and command.expire_at is None:
        yield Fault("expire_at", "given with time_in_force GTD", {})
    elif command.time_in_force != terms.GTD and command.expire_at is not None:
        yield Fault("expire_at", "left out unless time_in_force is GTD", {})
    if command.post_only:
        yield Fault("post_only", "false for an order that trades at once, and for a stop order", {})
