"""The fast path (``matching.core.plain``): it serves every plain order, and gives what the general path gives.

It silently leaves everything that it does not know to the general path, so that a new field in the schema could make
the exchange slower while every other test stays green.
"""

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldx.protocol import commands, events, terms
from goldx.protocol.commands import AnyCommand, OrderCancel, OrderPlace
from matching.core import plain
from matching.core.engine import Engine
from matching.core.ids import FIRST_SIZE
from tests.matching.core.dice import HypothesisDice, SeededDice
from tests.matching.core.driving import apply, command_tuple, must_end, read_event
from tests.matching.core.plain_rule import LOT, Rule
from tests.matching.core.plain_rules import RULES

encode = msgspec.msgpack.Encoder().encode


def market(**definition: Any) -> Engine:
    """Instrument X in continuous trading, and two rich accounts that only buy and only sell."""
    engine = Engine()
    apply(engine, 1, commands.InstrumentDefine("X", **definition))
    for account in ("buyer", "seller"):
        apply(engine, 1, commands.AccountOpen(account, f"m-{account}"))
        apply(engine, 1, commands.HoldingAdjust(account, "CNY", 10**15, f"{account}-cash"))
        apply(engine, 1, commands.HoldingAdjust(account, "X", 10**12, f"{account}-gold"))
    apply(engine, 1, commands.MarketSetPhase("X", terms.CONTINUOUS))
    return engine


def plain_command(engine: Engine, random: Random, number: int) -> AnyCommand:
    """An order that rests or takes, or the cancelling of an open one by its number or its client id."""
    open_orders = engine.state.orders
    if open_orders and random.random() < 0.4:
        order = (
            open_orders[random.choice(list(open_orders))] if len(open_orders) < 50 else next(iter(open_orders.values()))
        )
        if random.random() < 0.5:
            return OrderCancel(order.account.name, order.order_id)
        return OrderCancel(order.account.name, None, order.client_order_id)
    side = random.choice((terms.BUY, terms.SELL))
    return OrderPlace(
        "buyer" if side == terms.BUY else "seller",
        f"o{number}",
        "X",
        side,
        terms.LIMIT,
        random.randint(1, 9) * LOT,
        100 + random.randint(-3, 3),
        random.choice((terms.GTC, terms.DAY)),
        session="s",
    )


@pytest.mark.parametrize(
    "fees",
    [
        pytest.param({}, id="without fees", marks=pytest.mark.campaign),
        pytest.param({"maker_fee_bp": 3, "taker_fee_bp": 17}, id="with fees"),
    ],
)
def test_a_plain_flow_is_served_by_the_fast_path_alone(fees: dict[str, int]) -> None:
    """Every order and every cancel, and every trade; also behind the first client ids of an account."""
    engine, random = market(**fees), Random(1)
    before = engine.state.general_commands
    sent: Counter[str] = Counter()
    happened: Counter[str] = Counter()
    for number in range(4 * FIRST_SIZE):
        command = plain_command(engine, random, number)
        sent[command.method] += 1
        happened.update(event.event for event in apply(engine, 2 + number // 10, command))
    assert engine.state.general_commands == before
    assert engine.state.general_trades == 0
    assert happened["order.accepted"] == sent["order.place"] > 2 * FIRST_SIZE
    assert happened["order.cancelled"] == sent["order.cancel"] > FIRST_SIZE
    assert happened["trade"] > FIRST_SIZE // 2


def test_what_the_fast_path_leaves_is_counted() -> None:
    """The counters of the test above do count: a market order and its trade go the general way."""
    engine = market()
    before = engine.state.general_commands
    apply(engine, 2, OrderPlace("seller", "s", "X", terms.SELL, terms.LIMIT, LOT, 100))
    apply(engine, 2, OrderPlace("buyer", "b", "X", terms.BUY, terms.MARKET, LOT))
    assert engine.state.general_commands - before == 1
    assert engine.state.general_trades == 1


@pytest.mark.parametrize(
    ("serve", "command"),
    [
        (plain.place, OrderPlace("buyer", "b", "X", terms.BUY, terms.LIMIT, LOT, 100)),
        (plain.cancel, OrderCancel("seller", None, "s")),
    ],
    ids=["place", "cancel"],
)
def test_the_fast_path_knows_exactly_the_fields_of_the_schema(serve: Any, command: AnyCommand) -> None:
    engine = market()
    apply(engine, 2, OrderPlace("seller", "s", "X", terms.SELL, terms.LIMIT, LOT, 101))
    fields = command_tuple(command)
    assert len(fields) == 1 + len(command.__struct_fields__)
    assert serve(engine.state, fields[:-1]) is None
    assert serve(engine.state, (*fields, None)) is None
    assert serve(engine.state, fields) is not None


class BothPaths:
    """Two cores that get the same commands, one of them without the fast path."""

    def __init__(self) -> None:
        self.fast = Engine()
        self.general = Engine(fast=False)
        self.happened: Counter[str] = Counter()

    def apply(self, at: int, command: AnyCommand) -> None:
        fields = command_tuple(command)
        commands_before, trades_before = self.fast.state.general_commands, self.fast.state.general_trades
        with must_end():
            expected = self.general.apply(at, fields)
            found = self.fast.apply(at, fields)
            assert encode(found) == encode(expected), f"at {at}: {command}"
            assert self.fast.digest() == self.general.digest(), f"at {at}: {command}"
        if isinstance(command, OrderPlace | OrderCancel):
            self.happened["general" if self.fast.state.general_commands > commands_before else "fast"] += 1
        if self.fast.state.general_trades > trades_before:
            self.happened["general_trade"] += 1
        for event in map(read_event, found):
            self.happened[event.event] += 1
            match event:
                case events.OrderRejected() | events.CommandRejected() | events.OrderCancelled():
                    self.happened[event.reason] += 1
                case events.Trade() if event.buy_fee or event.sell_fee:
                    self.happened["fee"] += 1
                case events.HoldingChanged():
                    self.happened["locked"] += event.locked is not None
                    self.happened["unwithdrawable"] += event.unwithdrawable is not None


@pytest.mark.campaign
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_both_paths_agree_on_generated_sequences(rule: type[Rule], data: st.DataObject) -> None:
    both = BothPaths()
    for at, command in rule(HypothesisDice(data)).steps(data.draw(st.integers(1, 15))):
        both.apply(at, command)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_both_paths_agree_on_each_rule(rule: type[Rule]) -> None:
    """Seeded sequences; what the rule is about has to happen in them."""
    happened: Counter[str] = Counter()
    for seed in range(10):
        both = BothPaths()
        for at, command in rule(SeededDice(Random(seed))).steps(60):
            both.apply(at, command)
        happened += both.happened
    happened = +happened  # without those that happened 0 times
    assert rule.happens <= happened.keys(), f"never happened: {sorted(rule.happens - happened.keys())}"
