"""The two streams in their readable form, and the proof that one follows from the other."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
import structlog
from redis.asyncio import Redis

from goldx import wire
from goldx.chains import NO_FRAME, EventChain, body_of
from goldx.streams import BEGINNING, EventStream, Journal, Keys, Position, decode_commands, decode_events
from goldx.units import BadValue
from matching.engine import Engine
from matching.fold import Fold, Produced
from matching.replay import read_line, write_line

log = structlog.get_logger()

ENTRIES_PER_READ = 500


async def journal_entries(redis: Redis, keys: Keys) -> AsyncIterator[tuple[Position, bytes]]:
    """Every entry that the journal has when this is first asked for, in order."""
    journal = Journal(redis, keys)
    end, reached = await journal.end(), BEGINNING
    while reached < end and (entries := await journal.read(reached, ENTRIES_PER_READ)):
        for entry in entries:
            if entry[0] > end:
                return
            yield entry
        reached = entries[-1][0]


async def journal_lines(redis: Redis, keys: Keys) -> AsyncIterator[bytes]:
    """The journal as ``goldx replay`` reads it, the lines of one entry joined.

    An entry that is not a command frame is left out with a logged error, as the engine passes it over.
    """
    async for position, data in journal_entries(redis, keys):
        try:
            frame = decode_commands(data)
        except msgspec.MsgspecError:
            log.error("a journal entry is not a command frame and is left out", position=str(position))
            continue
        yield b"".join([write_line(position.ms, command) for command in frame.commands])


async def event_lines(redis: Redis, keys: Keys) -> AsyncIterator[bytes]:
    """The published events as ``goldx replay`` writes them, the lines of one frame joined."""
    stream = EventStream(redis, keys)
    end, reached = await stream.last_sequence(), 0
    while reached < end:
        for entry_id, data in await stream.read_raw(reached, ENTRIES_PER_READ):
            if entry_id.ms > end:
                return
            outcomes = decode_events(data).outcomes
            yield b"".join([wire.write_event_line(event) for outcome in outcomes for event in outcome])
            reached = entry_id.ms


class Verdict(NamedTuple):
    """What ``verify`` found. ``difference`` is the first one, or None: the streams agree."""

    entries: int
    commands: int
    events: int
    """Sequence of the last event that both streams give."""
    unpublished: int
    """Events that the journal gives and the engine has not published yet."""
    digests: int
    """Published digests of the state that were met and agree."""
    digest: str
    """Of the state at the journal's end."""
    difference: str | None


async def verify(redis: Redis, keys: Keys) -> Verdict:
    """Replays the journal on a fresh core and holds it against the published events and digests, byte by byte.

    Also proves that every frame names the one before it as ``goldx.chains`` has it, and that the exported form of every
    command reads back to the same command. Raises CoreFailed.
    """
    # The events first: what they say must be in the journal by then.
    published_end = await EventStream(redis, keys).last_sequence()
    digests = await redis.hgetall(keys.digests)
    fold = Fold(Engine())
    published = _frames(redis, keys, published_end)
    chain = EventChain(NO_FRAME)
    reached = unpublished = met = 0
    difference: str | None = None
    async for position, data in journal_entries(redis, keys):
        produced = fold.apply(position, data)
        difference = _unreadable(position, data)
        if fold.broken is not None:
            difference = difference or f"at the journal entry {position}: {fold.broken}"
        if produced is not None and reached < published_end:
            difference = difference or _compare(produced, await anext(published, None), position, chain)
            reached = produced.last
        elif produced is not None:
            unpublished += produced.last - produced.first + 1
        if claimed := digests.get(str(position).encode()):
            met += 1
            state = f"{fold.engine.sequence} {fold.engine.digest()}".encode()
            if claimed != state:
                difference = difference or f"at {position} the state was published as {claimed!r}, and is {state!r}"
        if difference:
            break
    if difference is None and reached != published_end:
        difference = f"events are published up to {published_end}, but the journal gives only those up to {reached}"
    return Verdict(fold.entries, fold.commands, reached, unpublished, met, fold.engine.digest(), difference)


async def _frames(redis: Redis, keys: Keys, end: int) -> AsyncIterator[tuple[Position, bytes]]:
    stream = EventStream(redis, keys)
    reached = 0
    while reached < end and (entries := await stream.read_raw(reached, ENTRIES_PER_READ)):
        for entry in entries:
            yield entry
        reached = entries[-1][0].ms


def _compare(
    produced: Produced, published: tuple[Position, bytes] | None, position: Position, chain: EventChain
) -> str | None:
    if published is None:
        return f"the journal entry {position} gives the events up to {produced.last}, which are not published"
    entry_id, frame = published
    if entry_id == (produced.last, 0) and body_of(frame) == produced.body:
        wrong = chain.check(frame, decode_events(frame))
        return None if wrong is None else f"the event frame {entry_id} is out of its chain: {wrong}"
    return (
        f"the journal entry {position} gives the events {produced.first} to {produced.last}; published is "
        f"{'other content' if entry_id.ms == produced.last else 'a frame'} under the id {entry_id}"
    )


def _unreadable(position: Position, data: bytes) -> str | None:
    """The first command of an entry that its exported line would not give back."""
    try:
        commands = decode_commands(data).commands
    except msgspec.MsgspecError:
        return None
    for command in commands:
        try:
            same = read_line(write_line(position.ms, command), 0).command == command
        except (BadValue, IndexError) as error:
            return f"the journal entry {position} has a command that has no readable form: {error}"
        if not same:
            return f"the journal entry {position} has a {command.method} that its readable form does not give back"
    return None
