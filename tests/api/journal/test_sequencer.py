"""The sequencer alone, on a real journal: frames, answers, early events, and appends that end without an answer."""

import asyncio

import pytest

from api.edge.outcome import Refusal
from api.journal.pressure import CANCEL_PLACES, MAX_WAITING, Share
from api.journal.sequencer import FILLER, MAX_FRAME
from goldx.protocol import terms
from goldx.protocol.commands import (
    OrderCancelAll,
    OrderPlace,
    OrderReplace,
)
from goldx.streams.chains import CommandChains
from goldx.streams.entries import Position
from goldx.streams.frames import decode_commands
from tests.api.conftest import until
from tests.api.journal.journaled import CANCEL, Journaled, outcome


async def test_commands_are_answered_in_their_order(journaled: Journaled) -> None:
    for name in "abc":
        journaled.submit(name)
    await journaled.sequencer.drain()
    assert [len(frame.commands) for frame in await journaled.frames()] == [3]
    assert journaled.sequencer.waiting == 3
    await journaled.answer_all()
    await journaled.answer_all()
    assert journaled.answers == [("a", outcome(0)), ("b", outcome(1)), ("c", outcome(2))]
    assert journaled.sequencer.waiting == 0


async def test_no_frame_is_larger_than_the_largest(journaled: Journaled) -> None:
    for number in range(2 * MAX_FRAME + 1):
        journaled.submit(str(number))
    await journaled.sequencer.drain()
    assert [len(frame.commands) for frame in await journaled.frames()] == [MAX_FRAME, MAX_FRAME, 1]


async def test_each_frame_names_the_one_before_it(journaled: Journaled) -> None:
    chains = CommandChains()
    for name in "abc":
        journaled.submit(name)
        await journaled.sequencer.drain()
    entries = await journaled.entries()
    assert [chains.check(data, decode_commands(data)) for _, data in entries] == [None] * 3
    assert [bool(decode_commands(data).previous) for _, data in entries] == [False, True, True]


async def test_only_a_frame_that_might_have_no_events_gets_a_filler(journaled: Journaled) -> None:
    quiet = OrderCancelAll("A.H")
    journaled.submit("a", quiet)
    await journaled.sequencer.drain()
    journaled.submit("b", quiet)
    journaled.submit("c")
    await journaled.sequencer.drain()
    assert [frame.commands for frame in await journaled.frames()] == [(quiet, FILLER), (quiet, CANCEL)]


async def test_events_may_come_before_the_append_is_answered(journaled: Journaled) -> None:
    sequencer = journaled.sequencer
    journaled.proxy.call_after(1, journaled.proxy.hold)  # the command passes, its answer does not
    journaled.submit("a")
    journaled.submit("b")
    while not (entries := await journaled.entries()):
        await asyncio.sleep(0.002)
    await until(lambda: not journaled.proxy.action_is_due)
    for number, take in enumerate(sequencer.take_waiting(entries[0][0], 2)):
        take(outcome(number))
    for take in sequencer.take_waiting(Position(1, 1), 1):
        take(outcome(9))
    assert journaled.answers == []
    journaled.proxy.release()
    await sequencer.drain()
    assert journaled.answers == [("a", outcome(0)), ("b", outcome(1))]
    assert sequencer.waiting == 0
    assert sequencer._early == {}


async def lost(journaled: Journaled, pieces: int) -> None:
    """Place two commands in a frame whose connection is cut after a number of pieces, and one that waits meanwhile."""
    journaled.proxy.call_after(pieces, journaled.proxy.cut)
    journaled.submit("a")
    journaled.submit("b")
    while journaled.sequencer._appending is None:
        await asyncio.sleep(0)
    journaled.submit("c")
    await until(lambda: not journaled.sequencer.available)
    with pytest.raises(Refusal):
        journaled.submit("d")
    await until(lambda: journaled.sequencer.available)


@pytest.mark.parametrize("before", [0, 1])
async def test_a_frame_that_arrived_without_an_answer_is_not_sent_again(journaled: Journaled, before: int) -> None:
    for _ in range(before):
        journaled.submit("before")
        await journaled.sequencer.drain()
    await lost(journaled, 1)
    assert [name for name, _ in journaled.answers] == ["c"]
    assert [frame.number for frame in await journaled.frames()] == list(range(1, before + 2))
    await journaled.sequencer.drain()
    await journaled.answer_all()
    assert [name for name, _ in journaled.answers] == ["c", *["before"] * before, "a", "b"]
    assert isinstance(journaled.answers[0][1], Refusal)
    assert not any(isinstance(answer, Refusal) for _, answer in journaled.answers[1:])
    assert journaled.sequencer.waiting == 0


async def test_the_commands_of_a_frame_that_did_not_arrive_are_refused(journaled: Journaled) -> None:
    await lost(journaled, 0)
    await journaled.sequencer.drain()
    assert sorted(name for name, _ in journaled.answers) == ["a", "b", "c"]
    assert all(isinstance(answer, Refusal) for _, answer in journaled.answers)
    assert (await journaled.frames(), journaled.sequencer.waiting) == ([], 0)
    journaled.submit("e")
    await journaled.sequencer.drain()
    assert [frame.number for frame in await journaled.frames()] == [2]


async def test_cancels_are_taken_on_a_full_disk_and_orders_are_not(journaled: Journaled) -> None:
    journaled.sequencer._pressure.disk_full = "the journal's disk is nearly full"
    order = OrderPlace("A.H", "c1", "AU", terms.BUY, terms.LIMIT, 1_000, 60_000)
    for growing in (order, OrderReplace("A.H", order_id=7, quantity=2_000)):
        with pytest.raises(Refusal, match="nearly full; nothing was placed"):
            journaled.submit("growing", growing)
    journaled.submit("cancel")
    assert journaled.sequencer.waiting == 1


async def test_nothing_is_taken_while_the_exchange_does_not_keep_up(journaled: Journaled) -> None:
    journaled.sequencer._pressure.stalled = "the exchange does not keep up"
    with pytest.raises(Refusal, match="does not keep up"):
        journaled.submit("a")
    assert journaled.sequencer.waiting == 0


async def test_the_age_of_the_oldest_frame_counts(journaled: Journaled) -> None:
    for name in "ab":
        journaled.submit(name)
        await journaled.sequencer.drain()
        journaled.sequencer._pressure.checks += 100
    assert journaled.sequencer._oldest() is not None
    assert journaled.sequencer._oldest() < 100  # type: ignore[operator]


async def test_a_command_counts_for_its_member_until_it_is_answered(journaled: Journaled) -> None:
    member = Share()
    one, two = Share(member), Share(member)
    for number in range(5):
        journaled.submit(str(number), share=one)
    journaled.submit("5", share=two)
    journaled.submit("of the venue")
    assert (one.waiting, two.waiting, member.waiting, journaled.sequencer.waiting) == (5, 1, 6, 7)
    await journaled.sequencer.drain()
    await journaled.answer_all()
    assert len(journaled.answers) == 7
    assert (one.waiting, two.waiting, member.waiting, journaled.sequencer.waiting) == (0, 0, 0, 0)


async def test_a_member_with_too_many_unanswered_commands_is_refused_and_no_other_is(journaled: Journaled) -> None:
    greedy, other = Share(Share()), Share(Share())
    while journaled.sequencer._pressure.why_full(greedy, CANCEL_PLACES) is None:
        journaled.submit("greedy", share=greedy)
    assert greedy.waiting < MAX_WAITING / 2
    with pytest.raises(Refusal, match="of this session wait for their answers already; nothing was placed") as refused:
        journaled.submit("one more", share=greedy)
    assert refused.value.reason == "UNAVAILABLE"
    assert refused.value.data["retry_after_ms"] > 0
    journaled.submit("other", share=other)
    journaled.submit("venue")
