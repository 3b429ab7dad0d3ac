"""A frame that was lost, altered or sent twice is noticed at the frames behind it."""

import pytest

from goldx.protocol.commands import ClockTick, MemberKill
from goldx.streams.chains import (
    NO_FRAME,
    REMEMBERED,
    CommandChains,
    EventChain,
    FrameWriter,
    encode_outcomes,
    event_body,
    event_frame,
    extract_body,
    frame_hash,
)
from goldx.streams.entries import Position
from goldx.streams.frames import CommandFrame, decode_commands, decode_events, encode


def frames(writer: str, count: int) -> list[bytes]:
    """A run's frames, all of which arrive."""
    made, run = [], FrameWriter(writer)
    for number in range(count):
        made.append(run.make((MemberKill(f"M{number}"),)))
        run.arrived()
    return made


def check(chains: CommandChains, data: bytes) -> str | None:
    return chains.check(data, decode_commands(data))


def test_whole_runs_of_several_writers_fit() -> None:
    chains = CommandChains()
    for pair in zip(frames("gateway-1.7", 20), frames("settlement.7", 20), strict=True):
        assert [check(chains, data) for data in pair] == [None, None]
    # A run that begins anew after a crash of the writer, and a reader that begins in the middle.
    assert [check(chains, data) for data in frames("gateway-1.8", 3)] == [None] * 3
    assert [check(CommandChains(), data) for data in frames("gateway-1.7", 9)[8:]] == [None]


@pytest.mark.parametrize("from_heads", [False, True])
def test_a_lost_frame_is_noticed_at_the_next_of_the_same_writer(from_heads: bool) -> None:
    """Also across a snapshot, which carries the heads."""
    chains = CommandChains()
    one, two, three, four = frames("gateway-1.1", 4)
    assert check(chains, one) is None
    if from_heads:
        chains = CommandChains(chains.heads)
    assert check(chains, frames("gateway-2.1", 1)[0]) is None
    wrong = check(chains, three)
    assert wrong is not None
    assert frame_hash(two).hex() in wrong
    assert "the last one is 1" in wrong
    assert check(chains, four) is None, "one loss is one message"


def test_an_altered_frame_is_noticed() -> None:
    chains = CommandChains()
    one, two = frames("gateway-1.1", 2)
    assert check(chains, one.replace(b"M0", b"M9")) is None
    assert "lost or altered" in str(check(chains, two))


def test_a_frame_sent_twice_is_noticed() -> None:
    chains = CommandChains()
    one, two = frames("gateway-1.1", 2)
    assert [check(chains, one), check(chains, two)] == [None, None]
    assert check(chains, one) == "frame 1 of gateway-1.1 comes after its frame 2"


def test_a_frame_that_never_arrived_is_named_by_none() -> None:
    chains, run = CommandChains(), FrameWriter("gateway-1.1")
    first = run.make((ClockTick(),))
    run.arrived()
    run.make((ClockTick(),))
    third = run.make((ClockTick(),))
    run.arrived()
    assert decode_commands(third) == CommandFrame("gateway-1.1", 3, (ClockTick(),), frame_hash(first))
    assert [check(chains, data) for data in (first, third)] == [None, None]


def test_frames_under_way_together_may_name_an_older_one() -> None:
    chains = CommandChains()
    one = encode(CommandFrame("gateway-1.1", 1, (ClockTick(),)))
    assert check(chains, one) is None
    for number in range(2, REMEMBERED + 2):
        assert check(chains, encode(CommandFrame("gateway-1.1", number, (ClockTick(),), frame_hash(one)))) is None
    assert check(chains, encode(CommandFrame("gateway-1.1", 99, (ClockTick(),), frame_hash(one)))) is not None


def body(number: int) -> bytes:
    return event_body((1, number), 1, [encode_outcomes([[(13, number + 1, 1, "m", "R")]])])


def events(count: int, epochs: list[int]) -> list[bytes]:
    made, previous = [], NO_FRAME
    for number, epoch in zip(range(count), epochs, strict=True):
        made.append(event_frame(body(number), epoch, previous))
        previous = frame_hash(made[-1])
    return made


def event_faults(made: list[bytes], chain: EventChain) -> list[str | None]:
    return [chain.check(data, decode_events(data)) for data in made]


def test_an_event_frame_is_read_with_epoch_and_hash_and_its_rest_follows_from_the_journal() -> None:
    one, two = events(2, [3, 2**40])
    frame = decode_events(two)
    assert (frame.epoch, frame.previous, frame.position) == (2**40, frame_hash(one), (1, 1))
    assert extract_body(two) == body(1)
    assert extract_body(events(2, [7, 8])[1]) == extract_body(two)


def test_the_chain_of_events_goes_through_all_epochs() -> None:
    made = events(5, [1, 1, 4, 4, 5])
    assert event_faults(made, EventChain(NO_FRAME)) == [None] * 5
    assert event_faults(made[2:], EventChain()) == [None] * 3
    lost = event_faults(made[:2] + made[3:], EventChain(NO_FRAME))
    assert (lost[:2], lost[3:]) == ([None] * 2, [None])
    assert frame_hash(made[2]).hex() in str(lost[2])
    assert "of epoch 1, but follows one of epoch 2" in str(event_faults(events(2, [2, 1]), EventChain())[1])


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 300, 65_535, 65_536])
def test_outcomes_that_were_encoded_in_parts_are_the_same_bytes(count: int) -> None:
    outcomes = [[(13, number, 1, "m", "R")] * (number % 3) for number in range(count)]
    whole = encode((Position(1, 2), outcomes, 0, b""))
    for at_once in (7, 32, 70_000):
        parts = [encode_outcomes(outcomes[start : start + at_once]) for start in range(0, count, at_once)]
        assert event_body(Position(1, 2), count, parts) == whole[: -len(encode(0) + encode(b""))]
