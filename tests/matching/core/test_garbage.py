"""Whatever the wire lets through, and any number where the schema has one: the core never breaks."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldx.protocol import commands, events
from goldx.protocol.commands import BY_METHOD, AnyCommand
from goldx.protocol.reasons import REASONS
from matching.core.engine import Engine
from tests.goldx.protocol.test_wire import records
from tests.matching.core.driving import apply
from tests.matching.core.test_stories import LOT, market
from tests.matching.core.validator import Conservation, validate


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
        assert found[0].reason in REASONS
        assert len(found) == 1
    validate(engine)
