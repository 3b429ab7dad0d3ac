"""Any command that the schema allows, with any number where it has one, leaves the core whole."""

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


@given(commands_at=st.lists(st.tuples(st.integers(0, 10**6), schema_valid()), min_size=1, max_size=12))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_command_of_the_schema_keeps_the_invariants(commands_at: list[tuple[int, AnyCommand]]) -> None:
    """Any values that the JSON form allows, with known names and unknown ones: invariants hold."""
    engine, conservation = market(), Conservation()
    conservation.came_in.update({"CNY": 4 * 10**6, "X": 400 * LOT})
    for at, command in commands_at:
        conservation.read(apply(engine, at, somewhere(command)))
        validate(engine)
        conservation.check(engine)
    assert Engine.restore(engine.snapshot()).digest() == engine.digest()


def somewhere(command: AnyCommand) -> AnyCommand:
    """Give half of the names those of accounts and symbols that exist, by the parity of their length."""
    known = {"account": "A", "symbol": "X", "member": "mA", "asset": "X"}
    names = [field.name for field in msgspec.structs.fields(command)]
    moved = {name: known[name] for name in names if name in known and len(getattr(command, name) or "") % 2}
    changed: AnyCommand = msgspec.structs.replace(command, **moved)
    return changed


NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_numbers_out_of_every_range_are_refused_or_harmless(data: st.DataObject) -> None:
    """Another writer may put any integer into the journal where the schema has one."""
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
