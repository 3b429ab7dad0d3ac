"""Orders made from events, and written in the forms in which their owners see them."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from api.view.records import OPEN, PENDING, Fill, Order, OrderForm, OwnTradeForm
from api.view.tables import NumberTable
from goldx.protocol import terms, units
from goldx.protocol.events import OrderAccepted, Trade, TradeBusted
from goldx.protocol.trade_kinds import kind_of

MASS: Final = "mass/"
"""How the ``quote_id`` of a side of mass quotes begins. No member can give one like that."""

_price = lru_cache(8_192)(units.format_price)
_weight = lru_cache(8_192)(units.format_weight)
_money = lru_cache(8_192)(units.format_money)


def accepted(event: OrderAccepted) -> Order:
    """Return the order that an event has accepted."""
    return Order(
        event.order_id,
        event.account,
        event.client_order_id,
        event.symbol,
        event.side,
        event.type,
        event.price,
        event.quantity,
        event.time_in_force,
        event.expire_at,
        bool(event.post_only),
        event.display_quantity,
        event.stop_price,
        event.stp or terms.CANCEL_TAKER,
        bool(event.persist),
        event.quote_id,
        event.at,
        event.quantity,
        OPEN if event.stop_price is None else PENDING,
    )


def write_order(order: Order) -> OrderForm:
    """Return the protocol's form of an order."""
    quantity = _weight(order.quantity)
    price, display, stop = order.price, order.display_quantity, order.stop_price
    return OrderForm(
        order.order_id,
        order.account,
        order.client_order_id,
        order.symbol,
        terms.SIDES[order.side],
        terms.ORDER_TYPES[order.type],
        None if price is None else _price(price),
        quantity,
        quantity if order.remaining == order.quantity else _weight(order.remaining),
        _weight(order.filled),
        _money(order.amount),
        _money(order.fee),
        terms.TIMES_IN_FORCE[order.time_in_force],
        terms.SELF_TRADE_MODES[order.stp],
        order.status,
        order.at,
        order.expire_at,
        None if display is None else _weight(display),
        None if stop is None else _price(stop),
        order.quote_id,
        order.post_only,
        order.persist,
        order.reason,
    )


def write_own_trade(
    trade: Trade, side: int, order_id: int, client_order_id: str | None, busted: bool = False
) -> OwnTradeForm:
    """Return a trade as the party on one side may see it: without the other party's account and order."""
    as_maker = order_id == trade.maker_order_id
    kind = terms.TRADE_KINDS[kind_of(trade)]
    return OwnTradeForm(
        trade.trade_id,
        trade.at,
        trade.symbol,
        order_id,
        terms.SIDES[side],
        _price(trade.price),
        _weight(trade.quantity),
        _money(trade.amount),
        _money(trade.buy_fee if side == terms.BUY else trade.sell_fee),
        _weight(trade.maker_remaining if as_maker else trade.taker_remaining),
        kind if trade.taker_side is None else "maker" if as_maker else "taker",
        trade.buy_account if side == terms.BUY else trade.sell_account,
        client_order_id,
        kind,
        busted,
        trade.lots,
    )


def write_own_bust(bust: TradeBusted, side: int, order_id: int, client_order_id: str | None) -> dict[str, Any]:
    """Return the annulment of a trade as the party on one side may see it. ``at`` is the time of the annulment."""
    lots = {} if bust.lots is None else {"lots": list(bust.lots)}
    return {
        "event": bust.event,
        "sequence": bust.sequence,
        "at": bust.at,
        "trade_id": bust.trade_id,
        "traded_at": bust.traded_at,
        "symbol": bust.symbol,
        "order_id": order_id,
        "side": terms.SIDES[side],
        "price": _price(bust.price),
        "quantity": _weight(bust.quantity),
        "amount": _money(bust.amount),
        "fee": _money(bust.buy_fee if side == terms.BUY else bust.sell_fee),
        "account": bust.buy_account if side == terms.BUY else bust.sell_account,
        "client_order_id": client_order_id,
        "reason": bust.reason,
        **lots,
    }


def fills(order: Order, by_id: NumberTable[Fill]) -> list[Fill]:
    """Return all fills of an order so far, newest first."""
    found = []
    order_id, trade_id = order.order_id, order.last_trade
    while trade_id:
        fill = by_id[trade_id]
        found.append(fill)
        trade_id = fill.maker_before if fill.trade.maker_order_id == order_id else fill.taker_before
    return found


def write_trades(order: Order, by_id: NumberTable[Fill]) -> list[OwnTradeForm]:
    """Return all trades of an order so far, oldest first, as its owner sees them."""
    if not order.last_trade:
        return []
    side, order_id, client_order_id = order.side, order.order_id, order.client_order_id
    newest_first = fills(order, by_id)
    return [
        write_own_trade(fill.trade, side, order_id, client_order_id, fill.busted) for fill in reversed(newest_first)
    ]


def trades_among(outcome: Iterable[Any], order: Order) -> list[OwnTradeForm]:
    """Return the trades of an order among the events of a command, as its owner sees them."""
    return [
        write_own_trade(event, order.side, order.order_id, order.client_order_id)
        for event in outcome
        if isinstance(event, Trade) and order.order_id in (event.maker_order_id, event.taker_order_id)
    ]


def standing_trades(by_id: NumberTable[Fill], symbol: str, newest_first: range, since: int) -> list[Trade]:
    """Return the trades of orders in an instrument, of some ids and made from a time on, that are not annulled."""
    found = []
    for trade_id in newest_first:
        fill = by_id.get(trade_id)
        if fill is None or fill.trade.at < since:
            break
        if fill.trade.symbol == symbol and fill.trade.kind is None and not fill.busted:
            found.append(fill.trade)
    return found


def is_mass(order: Order) -> bool:
    """Return whether an order is a side of mass quotes; the rest of its ``quote_id`` is the level."""
    return order.quote_id is not None and order.quote_id.startswith(MASS)


def is_of_today(order: Order) -> bool:
    """Return whether an order had not ended before the present trading day."""
    return not order.past


def becomes_past(order: Order) -> bool:
    """Return whether an order is kept as the day ends; if it is not open, that is its last day."""
    if order.past:
        return False
    order.past = not order.live
    return True


def is_kept(fill: Fill, orders: NumberTable[Order], since: int) -> bool:
    """Return whether a trade is kept as the day ends: one of its two orders is still known.

    A trade without orders is kept if its id is above ``since``.
    """
    trade = fill.trade
    if trade.kind is not None:
        return trade.trade_id > since
    return orders.get(trade.maker_order_id) is not None or orders.get(trade.taker_order_id) is not None
