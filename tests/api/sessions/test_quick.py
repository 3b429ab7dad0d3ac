"""The fast path of plain orders and cancels serves them all, and it knows every field of the schema.

It silently leaves unknown messages to the general path, so a new field could make the exchange slower unnoticed.
``test_quick_rules`` compares its rules and its answers with those of the general path.
"""

import json
from collections import Counter
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from api.sessions.calls import Cancel, CancelCall, Place, PlaceCall
from api.sessions.session import Session
from api.view.orders import accepted, write_order, write_own_trade
from api.view.records import OrderForm, OwnTradeForm
from benchmarks.chain import flow
from goldx.protocol import terms
from goldx.protocol.commands import OrderCancel, OrderPlace
from goldx.protocol.events import OrderAccepted, Trade
from tests.api.conftest import Desk
from tests.api.sessions.in_process import (
    ACCOUNT,
    GENERAL_ONLY,
    MEMBER,
    SET_BY_GATEWAY,
    SYMBOL,
    InProcessGateway,
)


def test_a_plain_flow_in_process_is_served_by_the_fast_path_alone() -> None:
    accounts = [(account, MEMBER) for account in flow.accounts(0)]
    gateway = InProcessGateway(fast=True, accounts=accounts, symbol=flow.SYMBOL)
    messages = flow.messages(1, 0, 1, 400)
    gateway.send(*messages)
    assert gateway.taken == [True] * len(messages)
    assert [set(json.loads(answer)) for answer in gateway.answers] == [{"jsonrpc", "id", "result"}] * len(messages)


class CountingFastPath:
    """Passes messages on to the fast path, and counts by method what it took and what it left."""

    def __init__(self, fast_path: Any) -> None:
        self._fast_path = fast_path
        self.taken: Counter[str] = Counter()
        self.left: Counter[str] = Counter()

    def take(self, session: Session, message: bytes) -> bool:
        taken: bool = self._fast_path.take(session, message)
        (self.taken if taken else self.left)[json.loads(message)["method"]] += 1
        return taken


async def test_a_plain_flow_over_the_websocket_is_served_by_the_fast_path_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = desk.server.gateway
    counting = CountingFastPath(gateway._quick)
    monkeypatch.setattr(gateway, "_quick", counting)
    async with desk.services.member(desk.server) as seller, desk.services.member(desk.server, "FIRM-B") as buyer:
        for number in range(50):
            await seller.place(desk.a, desk.symbol, "sell", "2", "600.00", f"s{number}")
            traded = await buyer.place(desk.b, desk.symbol, "buy", "1", "600.00", f"b{number}", time_in_force="IOC")
            assert len(traded["trades"]) == 1
            await seller.cancel(desk.a, client_order_id=f"s{number}")
            resting = await buyer.place(desk.b, desk.symbol, "buy", "1", "599.00", post_only=True)
            await buyer.cancel(desk.b, resting["order"]["order_id"])
    assert counting.taken == {"order.place": 150, "order.cancel": 100}
    assert not set(counting.left) & {"order.place", "order.cancel"}


def test_the_fast_path_knows_every_parameter_of_an_order_or_leaves_it() -> None:
    known, schema = set(Place.__struct_fields__), set(OrderPlace.__struct_fields__)
    assert known | GENERAL_ONLY | SET_BY_GATEWAY == schema
    assert not known & (GENERAL_ONLY | SET_BY_GATEWAY)
    assert set(Cancel.__struct_fields__) == set(OrderCancel.__struct_fields__)


def test_the_fast_path_knows_the_words_of_the_protocol() -> None:
    hints = get_type_hints(Place)
    assert get_args(hints["side"]) == terms.SIDES
    assert get_args(hints["type"]) == terms.ORDER_TYPES
    assert {*get_args(hints["time_in_force"]), "GTD"} == set(terms.TIMES_IN_FORCE), "GTD needs expire_at"
    tags = [call.__struct_config__.tag for call in (PlaceCall, CancelCall)]
    assert tags == [OrderPlace.method, OrderCancel.method]


def test_what_is_left_out_has_the_default_of_the_schema() -> None:
    least = {"account": ACCOUNT, "client_order_id": "1", "symbol": SYMBOL, "side": "buy", "type": "market"}
    gateway = InProcessGateway(fast=True)
    request = {"jsonrpc": "2.0", "id": 1, "method": "order.place", "params": least | {"quantity": "1"}}
    gateway.send(json.dumps(request).encode())
    assert gateway.taken == [True]
    (placed,) = gateway.commands
    for field in msgspec.structs.fields(OrderPlace):
        if not field.required and field.name not in SET_BY_GATEWAY:
            assert getattr(placed, field.name) == field.default, field.name


def distinct(record: type[msgspec.Struct], **values: Any) -> Any:
    """A record whose fields have values that occur nowhere else in it."""
    chosen: dict[str, Any] = {}
    for number, field in enumerate(msgspec.structs.fields(record)):
        kinds = get_args(field.type) or (field.type,)
        chosen[field.name] = 1_000 * (number + 10) if int in kinds else f"text-{number}" if str in kinds else True
    return record(**(chosen | values))


def test_the_answer_shows_every_field_of_an_order() -> None:
    event = distinct(OrderAccepted, side=terms.SELL, type=terms.LIMIT, time_in_force=terms.GTD, stp=terms.DECREMENT)
    order = accepted(event)
    order.reason, order.filled, order.amount, order.fee, order.remaining = "USER", 1, 2, 3, 4
    carried = set(OrderPlace.__struct_fields__) - SET_BY_GATEWAY
    of_the_market = {"order_id", "remaining", "filled", "amount", "fee", "status", "at", "quote_id", "reason"}
    assert set(OrderForm.__struct_fields__) == carried | of_the_market
    assert set(OrderAccepted.__struct_fields__) == carried | {"sequence", "at", "order_id", "quote_id"}
    form = msgspec.structs.asdict(write_order(order))
    assert set(msgspec.to_builtins(write_order(order))) == set(form), "nothing stands at its default"
    for name in ("order_id", "account", "client_order_id", "symbol", "at", "expire_at", "quote_id"):
        assert form[name] == getattr(event, name), name
    written = [value for value in form.values() if not isinstance(value, bool)]
    assert len(set(written)) == len(written), "no field is written for another"


def test_the_answer_shows_every_field_of_a_trade_that_its_party_may_see() -> None:
    trade = distinct(Trade, taker_side=terms.BUY, kind=terms.DEAL_TRADE, lots=(7, 9))
    hidden = {"sequence", "maker_order_id", "taker_order_id", "buy_account", "sell_account", "taker_side"}
    by_side = {"maker_remaining": "remaining", "taker_remaining": "remaining", "buy_fee": "fee", "sell_fee": "fee"}
    shown = {by_side.get(name, name) for name in Trade.__struct_fields__ if name not in hidden}
    assert set(OwnTradeForm.__struct_fields__) == shown | {
        "order_id",
        "side",
        "liquidity",
        "account",
        "client_order_id",
        "busted",
    }
    forms = [
        write_own_trade(trade, terms.BUY, trade.taker_order_id, "its id", True),
        write_own_trade(trade, terms.SELL, trade.maker_order_id, "its id", True),
    ]
    for form in map(msgspec.structs.asdict, forms):
        assert len(set(form.values())) == len(form), "no field is written for another"
