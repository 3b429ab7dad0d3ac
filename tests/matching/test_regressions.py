"""Small stories of bugs that the model once found in the core, and schema-valid nonsense that must never break it."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldx import commands, events, terms
from goldx.commands import BY_METHOD, AnyCommand
from matching.engine import Engine
from tests.goldx.test_wire import records
from tests.matching.driving import apply, plain
from tests.matching.validator import Conservation, validate

LOT = 1_000


def market(**definition: Any) -> Engine:
    """Instrument X in continuous trading; A, A2 (one owner), B and C with money and gold."""
    engine = Engine()
    apply(engine, 1, commands.InstrumentDefine("X", **definition))
    for account, owner in (("A", "one"), ("A2", "one"), ("B", None), ("C", None)):
        apply(engine, 1, commands.AccountOpen(account, f"m{account}", terms.HOUSE, owner))
        apply(engine, 1, commands.HoldingAdjust(account, "CNY", 10**6, f"{account}-c"))
        apply(engine, 1, commands.HoldingAdjust(account, "X", 100 * LOT, f"{account}-x"))
    apply(engine, 1, commands.MarketSetPhase("X", terms.CONTINUOUS))
    return engine


def place(engine: Engine, name: str, side: int, price: int, lots: int, **more: Any) -> list[events.AnyEvent]:
    """``name`` is ``account-id``."""
    account = name.split("-", maxsplit=1)[0]
    return apply(engine, 2, commands.OrderPlace(account, name, "X", side, terms.LIMIT, lots * LOT, price, **more))


def test_a_decrement_in_an_uncross_leaves_an_iceberg_a_slice() -> None:
    """The taker of an uncross rests too: only its slice was in the way, or the slice went below zero."""
    engine = market()
    apply(engine, 2, commands.MarketSetPhase("X", terms.AUCTION))
    place(engine, "A-old", terms.SELL, 100, 3)
    place(engine, "A2-ice", terms.BUY, 100, 5, display_quantity=LOT, stp=terms.DECREMENT)
    found = apply(engine, 3, commands.MarketSetPhase("X", terms.CONTINUOUS))
    prevented = [event.quantity for event in found if isinstance(event, events.SelfTradePrevented)]
    assert prevented == [LOT, LOT, LOT]
    validate(engine)


def test_gold_that_comes_back_locked_is_told() -> None:
    """Sold and bought in one command: the total is as before, but now it is under the resale lock."""
    engine = market(resale_lock_days=1)
    place(engine, "C-bid", terms.BUY, 99, 1)
    place(engine, "B-high", terms.BUY, 100, 1)
    apply(
        engine, 2, commands.OrderPlace("A", "A-stop", "X", terms.SELL, terms.MARKET, LOT, stop_price=100, session="s")
    )
    found = place(engine, "C-sell", terms.SELL, 100, 1)
    told = [e for e in found if isinstance(e, events.HoldingChanged) and (e.account, e.asset) == ("C", "X")]
    assert [(e.total, e.reserved, e.locked) for e in told] == [(100 * LOT, 0, LOT)]


def test_a_restored_lock_is_not_told_again() -> None:
    engine = market(resale_lock_days=1)
    place(engine, "C-bid", terms.BUY, 99, 1)
    place(engine, "B-sell", terms.SELL, 99, 1)
    restored = Engine.restore(engine.snapshot())
    for core in (engine, restored):
        place(core, "C-offer", terms.SELL, 120, 1)
    cancel = plain(commands.OrderCancelAll("C"))
    assert restored.apply(3, cancel) == engine.apply(3, cancel)
    assert restored.digest() == engine.digest()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"price": 101, "display_quantity": LOT, "time_in_force": terms.IOC}, "BAD_PRICE"),
        ({"price": 100, "display_quantity": LOT, "time_in_force": terms.IOC}, "BAD_QUANTITY"),
    ],
)
def test_the_price_is_checked_before_the_quantity(more: dict[str, Any], reason: str) -> None:
    engine = market(tick=2)
    order = commands.OrderPlace("A", "a", "X", terms.BUY, terms.LIMIT, 2 * LOT, **more)
    assert [e.reason for e in apply(engine, 2, order) if isinstance(e, events.OrderRejected)] == [reason]


def test_permission_is_checked_before_a_quotes_id() -> None:
    engine = market()
    quote = commands.QuoteSet("B", "q", "X", 99, LOT, 101, LOT)
    apply(engine, 2, quote)
    apply(engine, 2, commands.MemberKill("mB"))
    (refused,) = apply(engine, 2, quote)
    assert isinstance(refused, events.CommandRejected)
    assert refused.reason == "KILLED"


def schema_valid() -> st.SearchStrategy[AnyCommand]:
    return st.sampled_from(list(BY_METHOD.values())).flatmap(records)


@given(garbage=st.lists(st.tuples(st.integers(0, 10**6), schema_valid()), min_size=1, max_size=12))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_schema_valid_garbage_never_breaks_the_core(garbage: list[tuple[int, AnyCommand]]) -> None:
    """Any values that the wire lets through, about what exists and what does not: events come, invariants hold."""
    engine, conservation = market(), Conservation()
    conservation.came_in.update({"CNY": 4 * 10**6, "X": 400 * LOT})
    for at, command in garbage:
        conservation.read(apply(engine, at, somewhere(command)))
        validate(engine)
        conservation.check(engine)
    assert Engine.restore(engine.snapshot()).digest() == engine.digest()


def somewhere(command: AnyCommand) -> AnyCommand:
    """Moves half of the garbage to accounts and symbols that exist, by the parity of its length."""
    known = {"account": "A", "symbol": "X", "member": "mA", "asset": "X"}
    names = [field.name for field in msgspec.structs.fields(command)]
    moved = {name: known[name] for name in names if name in known and len(getattr(command, name) or "") % 2}
    changed: AnyCommand = msgspec.structs.replace(command, **moved)
    return changed


NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_numbers_out_of_every_range_are_refused_or_harmless(data: st.DataObject) -> None:
    """What another writer may put into the journal: any integer where the schema has one."""
    engine = market()
    order = commands.OrderPlace(
        "A",
        "a",
        "X",
        side=data.draw(st.integers(-1, 2) | NUMBERS),
        type=data.draw(st.integers(-1, 2) | NUMBERS),
        quantity=data.draw(st.sampled_from((0, -LOT, LOT, 2 * LOT)) | NUMBERS),
        price=data.draw(st.none() | st.integers(-1, 200) | NUMBERS),
        time_in_force=data.draw(st.integers(-1, 5) | NUMBERS),
        expire_at=data.draw(st.none() | NUMBERS),
        post_only=data.draw(st.booleans()),
        display_quantity=data.draw(st.none() | st.sampled_from((0, LOT)) | NUMBERS),
        stop_price=data.draw(st.none() | st.integers(-1, 200) | NUMBERS),
        stp=data.draw(st.integers(-1, 4) | NUMBERS),
    )
    found = apply(engine, 2, order)
    assert isinstance(found[0], events.OrderAccepted | events.OrderRejected)
    if isinstance(found[0], events.OrderRejected):
        assert found[0].reason in terms.REASONS
        assert len(found) == 1
    validate(engine)
