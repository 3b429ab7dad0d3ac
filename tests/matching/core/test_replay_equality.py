"""A restore from a snapshot after every step changes neither events nor digest nor bytes."""

from itertools import islice
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.core.engine import Engine
from matching.core.state import Events
from tests.matching.core.dice import Dice, HypothesisDice, SeededDice
from tests.matching.core.driving import apply_plain, command_tuple, must_end
from tests.matching.core.dump import dump_engine
from tests.matching.core.flows import Flow
from tests.matching.core.flows_of_orders import DeepFlow, MakerFlow, PlainFlow, RfqFlow
from tests.matching.core.validator import validate


def run_with_restores(flow: Flow, steps: int) -> None:
    whole, pieces = Engine(), Engine()
    for at, command in flow.steps(steps):
        with must_end():
            expected = whole.apply(at, command_tuple(command))
            found = pieces.apply(at, command_tuple(command))
            assert found == expected, f"at {at}: {command}"
            data = pieces.snapshot()
            pieces = Engine.restore(data)
            assert pieces.snapshot() == data, "a restored core writes another snapshot"
            assert pieces.digest() == whole.digest(), f"at {at}: {command}"
            assert dump_engine(pieces) == dump_engine(whole)
            validate(pieces)


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_generated_sequences(data: st.DataObject) -> None:
    dice: Dice = HypothesisDice(data)
    run_with_restores(Flow(dice), 30)


def test_seeded_sequences() -> None:
    for seed in range(30):
        run_with_restores(Flow(SeededDice(Random(seed))), 100)


def test_a_deep_book() -> None:
    run_with_restores(DeepFlow(SeededDice(Random(7))), 200)


def test_plain_orders() -> None:
    for seed in range(3):
        run_with_restores(PlainFlow(SeededDice(Random(seed))), 200)


def test_market_makers() -> None:
    for seed in range(3):
        run_with_restores(MakerFlow(SeededDice(Random(seed))), 150)


def test_requests_for_quotes() -> None:
    for seed in range(3):
        run_with_restores(RfqFlow(SeededDice(Random(seed))), 150)


def test_commands_applied_together_equal_those_applied_one_by_one() -> None:
    """Also with expiries, refusals and uncommon orders in the middle of them."""
    for seed in range(10):
        single, together = Engine(), Engine()
        steps = iter(list(Flow(SeededDice(Random(seed))).steps(150)))
        while some := list(islice(steps, 1 + seed)):
            at = some[-1][0]
            commands = [command_tuple(command) for _, command in some]
            found: list[Events] = []
            with must_end():
                together.apply_all(at, commands, found)
            assert found == [apply_plain(single, at, command) for command in commands], f"seed {seed}, at {at}"
        assert together.digest() == single.digest()


@pytest.mark.parametrize("no_command", [(99,), ("1",)])
def test_something_that_is_no_command_stops_only_the_commands_after_it(no_command: tuple[object, ...]) -> None:
    single, together = Engine(), Engine()
    define, tick = (8, "AU"), (17,)
    found: list[Events] = []
    with pytest.raises((KeyError, TypeError, ValueError)):
        together.apply_all(1, [define, tick, no_command, (8, "AG")], found)
    assert found == [single.apply(1, define), single.apply(1, tick)]
    assert together.digest() == single.digest()


def test_the_same_commands_give_the_same_bytes() -> None:
    snapshots = set()
    for _ in range(2):
        engine = Engine()
        for at, command in Flow(SeededDice(Random(11))).steps(200):
            apply_plain(engine, at, command_tuple(command))
        snapshots.add((engine.digest(), engine.snapshot()))
    assert len(snapshots) == 1


def test_every_change_changes_the_digest() -> None:
    """Every command with an effect changes the digest to one not seen before."""
    engine = Engine()
    seen = {engine.digest()}
    for at, command in Flow(SeededDice(Random(3))).steps(150):
        before, sequence = engine.digest(), engine.sequence
        apply_plain(engine, at, command_tuple(command))
        if engine.sequence > sequence:
            assert engine.digest() not in seen, f"at {at}: {command}"
        assert engine.digest() == engine.digest()
        seen.add(before)
