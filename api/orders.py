"""Orders as the events tell them: what a member sees of its own orders, open ones and those that ended today."""

from functools import lru_cache
from typing import Any, Final

import msgspec

from api.records import OPEN, PENDING, Order
from goldx import terms, units
from goldx.events import OrderAccepted, Trade
from goldx.wire import CODECS

_encode = msgspec.json.Encoder().encode
_price = lru_cache(8_192)(units.format_price)
_weight = lru_cache(8_192)(units.format_weight)
_money = lru_cache(8_192)(units.format_money)


def accepted(event: OrderAccepted) -> Order:
    """The order at its acceptance."""
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


_WHEN_GIVEN: Final = ("expire_at", "display_quantity", "stop_price", "quote_id")
_WHEN_TRUE: Final = ("post_only", "persist")


def write_order(order: Order) -> dict[str, Any]:
    """The protocol's form of an order."""
    out: dict[str, Any] = {
        "order_id": order.order_id,
        "account": order.account,
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": terms.SIDES[order.side],
        "type": terms.ORDER_TYPES[order.type],
        "price": None if order.price is None else units.format_price(order.price),
        "quantity": units.format_weight(order.quantity),
        "remaining": units.format_weight(order.remaining),
        "filled": units.format_weight(order.filled),
        "amount": units.format_money(order.amount),
        "fee": units.format_money(order.fee),
        "time_in_force": terms.TIMES_IN_FORCE[order.time_in_force],
        "stp": terms.SELF_TRADE_MODES[order.stp],
        "status": order.status,
        "at": order.at,
    }
    for name in _WHEN_GIVEN:
        if (value := getattr(order, name)) is not None:
            out[name] = CODECS[name].write(value)
    for name in _WHEN_TRUE:
        if getattr(order, name):
            out[name] = True
    if order.reason is not None:
        out["reason"] = order.reason
    return out


def order_json(order: Order) -> bytes:
    """``write_order`` as JSON. An order without extras, as nearly all are, is written in one step."""
    if (
        order.post_only
        or order.persist
        or order.expire_at is not None
        or order.display_quantity is not None
        or order.stop_price is not None
        or order.quote_id is not None
    ):
        return _encode(write_order(order))
    quantity = _weight(order.quantity)
    remaining = quantity if order.remaining == order.quantity else _weight(order.remaining)
    price = "null" if order.price is None else f'"{_price(order.price)}"'
    reason = "" if order.reason is None else f',"reason":"{order.reason}"'
    # Names, numbers and words of the protocol hold nothing that JSON would escape.
    return (
        f'{{"order_id":{order.order_id},"account":"{order.account}","client_order_id":"{order.client_order_id}",'
        f'"symbol":"{order.symbol}","side":"{terms.SIDES[order.side]}","type":"{terms.ORDER_TYPES[order.type]}",'
        f'"price":{price},"quantity":"{quantity}","remaining":"{remaining}",'
        f'"filled":"{_weight(order.filled)}","amount":"{_money(order.amount)}","fee":"{_money(order.fee)}",'
        f'"time_in_force":"{terms.TIMES_IN_FORCE[order.time_in_force]}","stp":"{terms.SELF_TRADE_MODES[order.stp]}",'
        f'"status":"{order.status}","at":{order.at}{reason}}}'
    ).encode()


def write_own_trade(trade: Trade, side: int, order_id: int) -> dict[str, Any]:
    """A trade as the party on one side may see it: without the other side's account and order."""
    as_maker = order_id == trade.maker_order_id
    remaining = trade.maker_remaining if as_maker else trade.taker_remaining
    return {
        "trade_id": trade.trade_id,
        "at": trade.at,
        "symbol": trade.symbol,
        "order_id": order_id,
        "side": terms.SIDES[side],
        "price": units.format_price(trade.price),
        "quantity": units.format_weight(trade.quantity),
        "amount": units.format_money(trade.amount),
        "fee": units.format_money(trade.buy_fee if side == terms.BUY else trade.sell_fee),
        "remaining": units.format_weight(remaining),
        "liquidity": "auction" if trade.taker_side is None else "maker" if as_maker else "taker",
    }


def own_trade_json(trade: Trade, side: int, order_id: int) -> str:
    """``write_own_trade`` as JSON, written in one step."""
    as_maker = order_id == trade.maker_order_id
    remaining = trade.maker_remaining if as_maker else trade.taker_remaining
    fee = trade.buy_fee if side == terms.BUY else trade.sell_fee
    liquidity = "auction" if trade.taker_side is None else "maker" if as_maker else "taker"
    return (
        f'{{"trade_id":{trade.trade_id},"at":{trade.at},"symbol":"{trade.symbol}","order_id":{order_id},'
        f'"side":"{terms.SIDES[side]}","price":"{_price(trade.price)}","quantity":"{_weight(trade.quantity)}",'
        f'"amount":"{_money(trade.amount)}","fee":"{_money(fee)}","remaining":"{_weight(remaining)}",'
        f'"liquidity":"{liquidity}"}}'
    )


def write_trades(order: Order) -> list[dict[str, Any]]:
    """All trades of an order so far, as its owner sees them."""
    return [write_own_trade(trade, order.side, order.order_id) for trade in order.trades]


def trades_json(order: Order) -> bytes:
    """``write_trades`` as JSON."""
    if not order.trades:
        return b"[]"
    side, order_id = order.side, order.order_id
    return f"[{','.join([own_trade_json(trade, side, order_id) for trade in order.trades])}]".encode()
