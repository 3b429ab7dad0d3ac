"""The fold of the journal: the effect of one entry."""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldx.protocol import commands, terms
from goldx.protocol.commands import AnyCommand
from goldx.streams.chains import event_frame
from goldx.streams.entries import Position
from goldx.streams.frames import CommandFrame, decode_commands, decode_events, encode
from matching.core.engine import Engine
from matching.run.fold import COMMANDS_PER_BATCH, CoreFailed, EntryEvents, Fold
from matching.run.fold import command_tuple as plain_form
from tests.goldx.protocol.test_wire import records
from tests.matching.core.dice import SeededDice
from tests.matching.core.driving import command_tuple, read_event
from tests.matching.core.flows import Flow
from tests.matching.shards import traffic

Place = tuple[Position, bytes]


def entries(seed: int, count: int = 300) -> list[Place]:
    """Return frames of one to twenty commands in the form of the journal."""
    return [(Position(1_000 + number, 0), encode(frame)) for number, frame in enumerate(traffic(seed, count))]


def long_entry(at: int, count: int, number: int = 1) -> Place:
    """Return one frame of very many commands, which the core applies in several batches."""
    flow = Flow(SeededDice(Random(3)))
    frame = CommandFrame("gateway-9.1", number, tuple(command for _, command in flow.steps(count)))
    return Position(at, 0), encode(frame)


def outcomes(made: EntryEvents) -> Any:
    return decode_events(event_frame(made.body, 1, bytes(16))).outcomes


def test_a_frame_gives_the_events_of_its_commands_however_long_it_is() -> None:
    position, data = long_entry(5_000, 5 * COMMANDS_PER_BATCH + 3)
    made = Fold(Engine()).apply(position, data)
    assert made is not None
    engine = Engine()
    single = [engine.apply(5_000, command_tuple(command)) for command in decode_commands(data).commands]
    assert outcomes(made) == tuple(tuple(read_event(event) for event in events) for events in single)
    assert (made.first, made.last) == (1, engine.sequence)
    assert {event.at for events in outcomes(made) for event in events} == {5_000}


@pytest.mark.parametrize("kind", commands.COMMANDS, ids=lambda kind: kind.method)
@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_each_command_reaches_the_core_in_its_plain_form(kind: type[AnyCommand], data: st.DataObject) -> None:
    """Also where it has records within the record, as mass quotes have: the core unpacks lists and knows no record."""
    assert not has_records(plain_form(data.draw(records(kind))))


def has_records(value: object) -> bool:
    return isinstance(value, msgspec.Struct) or (isinstance(value, list | tuple) and any(map(has_records, value)))


def test_the_events_of_entries_follow_each_other_without_a_gap() -> None:
    fold, last = Fold(Engine()), 0
    all_of_them = entries(1)
    for position, data in all_of_them:
        made = fold.apply(position, data)
        assert fold.position == position
        if made is not None:
            assert (made.position, made.first) == (position, last + 1)
            assert made.last == last + sum(len(events) for events in outcomes(made))
            last = made.last
    assert fold.entries == len(all_of_them)
    assert fold.commands == fold.total == sum(len(decode_commands(data).commands) for _, data in all_of_them)


def test_a_fold_that_goes_on_from_a_snapshot_counts_from_the_journals_beginning() -> None:
    whole = entries(2)
    first = Fold(Engine())
    for place in whole[:10]:
        first.apply(*place)
    second = Fold(Engine.restore(first.engine.snapshot()), first.position, first.entries, first.total)
    for place in whole[10:]:
        first.apply(*place)
        second.apply(*place)
    assert (second.entries, second.total) == (first.entries, first.total)
    assert second.commands < first.commands
    assert second.engine.digest() == first.engine.digest()


@pytest.mark.parametrize("rubbish", [b"", b"\xc1", b"\x90", encode("text"), encode(("gateway-1.1", 1, ((99,),), b""))])
def test_an_entry_that_is_no_frame_is_passed_over_and_counted(rubbish: bytes) -> None:
    fold, control = Fold(Engine()), Fold(Engine())
    for place in entries(3)[:5]:
        fold.apply(*place)
        control.apply(*place)
    assert fold.apply(Position(2_000, 0), rubbish) is None
    assert (fold.position, fold.entries) == (Position(2_000, 0), control.entries + 1)
    assert fold.total == control.total
    assert fold.engine.digest() == control.engine.digest()


def test_a_frame_out_of_its_chain_is_applied_and_reported() -> None:
    fold = Fold(Engine())
    all_of_them = entries(4)
    for place in (*all_of_them[:3], *all_of_them[4:]):
        fold.apply(*place)
    assert fold.chain_breaks == 1
    assert fold.chain_error is not None
    assert "lost or altered" in fold.chain_error
    assert fold.entries == len(all_of_them) - 1


def test_of_published_events_nothing_is_made_and_of_a_frame_that_ends_behind_them_everything() -> None:
    place = long_entry(5_000, 5 * COMMANDS_PER_BATCH)
    made = Fold(Engine()).apply(*place)
    assert made is not None
    for published, wanted in (
        (made.last + 1, b""),
        (made.last, made.body),
        (made.last // 2, made.body),
        (0, made.body),
    ):
        fold = Fold(Engine())
        fold.published = published
        again = fold.apply(*place)
        assert again is not None
        assert (again.first, again.last, again.body) == (made.first, made.last, wanted)


def test_a_command_on_which_the_core_fails_is_named_by_its_place_in_the_frame() -> None:
    """JSON cannot contain such a command, but another writer's MessagePack may."""
    good: list[AnyCommand] = [commands.ClockTick()] * (COMMANDS_PER_BATCH + 5)
    broken = commands.OrderPlace("A", "a", "X", 0, 0, "much", 100)  # type: ignore[arg-type]
    opening: list[AnyCommand] = [commands.InstrumentDefine("X"), commands.AccountOpen("A", "M")]
    opening += [commands.HoldingAdjust("A", "CNY", 5, "r"), commands.MarketSetPhase("X", terms.CONTINUOUS)]
    fold = Fold(Engine())
    frame = CommandFrame("gateway-1.1", 1, (*opening, *good, broken, commands.ClockTick()))
    number = len(opening) + len(good) + 1
    fold._apply_batch(Position(7, 0), frame.commands, 0, COMMANDS_PER_BATCH)
    with pytest.raises(CoreFailed, match=rf"command {number} \(order.place\) of journal entry 7-0"):
        fold._apply_batch(Position(7, 0), frame.commands, COMMANDS_PER_BATCH, len(frame.commands))
